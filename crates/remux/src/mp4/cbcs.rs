//! Common Encryption, scheme `cbcs`: samples encrypted where they lie, containers readable.
//!
//! ```text
//! init      stsd  encv { …, sinf { frma avc1 | schm cbcs | schi { tenc: key id, pattern, IV } } }
//! fragment  traf  … [sgpd seig, sbgp]  when the key is not the init segment's
//!                 [saiz, saio, senc]   video: which bytes of each sample
//!
//! video     | length | NAL header, slice header | 16 | 144 clear | 16 | 144 clear | …   per slice
//! sound     | 16 | 16 | 16 | … | rest clear |                                           per sample
//! ```
//!
//! One initialization vector serves all samples of a key; each slice begins a chain of its own. A
//! key may change from fragment to fragment under the same init segment (key rotation): then the
//! fragment says which one it has.
//!
//! Spec: ISO/IEC 23001-7:2016 §7, §8, §9.5, §10.4.

use bytes::Bytes;
use media::config::h264::SliceHeaders;
use media::nal::{LengthPrefixed, h265};
use media::{Codec, CodecConfig, TrackKind};

use super::boxes::{put_box, put_full_box, put_u16, put_u32};
use crate::crypt::{BLOCK, Key};

/// Blocks in a pattern: one encrypted, nine not.
const PATTERN: usize = 10;
/// The same as it is written.
const PATTERN_CODE: u8 = 0x19;
/// What stays clear of a slice whose header is not read: longer than headers are, but for H.265
/// pictures with dozens of entry points.
const CLEAR_LEADER: usize = 128;
/// Pieces of a sample at most: what describes them is counted in one byte (`saiz`).
const MAX_PIECES: usize = 42;

/// With what samples are encrypted.
#[derive(Clone, Debug)]
pub struct Protection {
    /// The content key.
    pub key: Key,
    /// Its name in the file (`KID`).
    pub key_id: [u8; 16],
    /// The initialization vector of every sample.
    pub iv: [u8; 16],
}

/// Which bytes of a track's samples are encrypted.
#[derive(Clone, Debug)]
pub(super) enum Cover {
    /// All whole blocks.
    Whole,
    /// Slices of H.264, behind their headers.
    H264 {
        headers: SliceHeaders,
        length_size: u8,
    },
    /// Slice segments of H.265.
    H265 { length_size: u8 },
}

/// A stretch that stays clear and one that is encrypted by the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    clear: usize,
    protected: usize,
}

impl Cover {
    /// How a track of this configuration is covered, or why it cannot be.
    pub(super) fn of(codec: Codec, config: &CodecConfig) -> Result<Self, String> {
        match config {
            CodecConfig::H264(c) => Ok(Self::H264 {
                headers: SliceHeaders::new(c),
                length_size: c.nal_length_size,
            }),
            CodecConfig::H265(c) => Ok(Self::H265 {
                length_size: c.nal_length_size,
            }),
            _ if codec.kind() == TrackKind::Audio => Ok(Self::Whole),
            _ => {
                Err("cbcs encryption covers H.264 and H.265 video only; aes-128 covers all".into())
            }
        }
    }

    /// The pieces of a sample; none when it is encrypted as a whole.
    pub(super) fn pieces(&self, sample: &[u8]) -> Vec<Piece> {
        let length_size = match self {
            Self::Whole => return Vec::new(),
            Self::H264 { length_size, .. } | Self::H265 { length_size } => *length_size,
        };
        let mut pieces = Pieces {
            list: Vec::new(),
            left: sample.len(),
        };
        let mut clear = 0;
        for nal in LengthPrefixed::new(sample, length_size) {
            let len = usize::from(length_size) + nal.len();
            let leader = usize::from(length_size) + self.leader(nal);
            if len < leader + BLOCK {
                clear += len;
            } else {
                pieces.push(clear + leader, len - leader);
                clear = 0;
            }
        }
        if clear > 0 {
            pieces.push(clear, 0);
        }
        pieces.list
    }

    /// What stays clear of a NAL unit.
    fn leader(&self, nal: &[u8]) -> usize {
        match self {
            Self::H264 { headers, .. } => match nal.first().map(|byte| byte & 0x1f) {
                Some(1..=5 | 19..=21) => headers.len(nal).unwrap_or(CLEAR_LEADER),
                _ => nal.len(),
            },
            Self::H265 { .. } => match h265::kind(nal) {
                Some(0..=31) => CLEAR_LEADER,
                _ => nal.len(),
            },
            Self::Whole => 0,
        }
    }
}

/// The pieces of a sample while they are found.
struct Pieces {
    list: Vec<Piece>,
    /// Bytes of the sample behind them.
    left: usize,
}

impl Pieces {
    /// A stretch in clear and one behind it that is not. Where no further piece can be described,
    /// the last one has all the rest.
    fn push(&mut self, mut clear: usize, protected: usize) {
        const MOST: usize = u16::MAX as usize;
        while clear > MOST && self.list.len() + 1 < MAX_PIECES {
            self.add(MOST, 0);
            clear -= MOST;
        }
        match MAX_PIECES - self.list.len() {
            0 => {}
            1 => {
                let clear = clear.min(MOST);
                self.add(clear, self.left.saturating_sub(clear));
            }
            _ => self.add(clear, protected),
        }
    }

    fn add(&mut self, clear: usize, protected: usize) {
        self.list.push(Piece { clear, protected });
        self.left = self.left.saturating_sub(clear + protected);
    }
}

impl Protection {
    /// Encrypts a sample where it lies; `pieces` are its own, see [`Cover::pieces`].
    pub(super) fn encrypt(&self, sample: &mut [u8], pieces: &[Piece]) {
        if pieces.is_empty() {
            self.key.chain(self.iv).encrypt(sample);
            return;
        }
        let mut rest = sample;
        for piece in pieces {
            let Some((_, behind)) = rest.split_at_mut_checked(piece.clear) else {
                return;
            };
            let Some((protected, behind)) = behind.split_at_mut_checked(piece.protected) else {
                return;
            };
            let mut chain = self.key.chain(self.iv);
            for blocks in protected.chunks_mut(PATTERN * BLOCK) {
                if let Some(first) = blocks.get_mut(..BLOCK) {
                    chain.encrypt(first);
                }
            }
            rest = behind;
        }
    }

    /// The sample entry of a track whose samples are encrypted (ISO/IEC 14496-12 §8.12).
    pub(super) fn entry(&self, clear: &[u8], cover: &Cover) -> Bytes {
        let Some((&[_, _, _, _, a, b, c, d], body)) = clear.split_first_chunk() else {
            return Bytes::copy_from_slice(clear);
        };
        let kind = match cover {
            Cover::Whole => b"enca",
            Cover::H264 { .. } | Cover::H265 { .. } => b"encv",
        };
        let mut out = Vec::with_capacity(clear.len() + 96);
        put_box(&mut out, kind, |out| {
            out.extend_from_slice(body);
            put_box(out, b"sinf", |out| {
                put_box(out, b"frma", |out| out.extend_from_slice(&[a, b, c, d]));
                put_full_box(out, b"schm", 0, 0, |out| {
                    out.extend_from_slice(b"cbcs");
                    put_u32(out, 0x0001_0000);
                });
                put_box(out, b"schi", |out| {
                    // Version 0 knows no pattern.
                    let version = u8::from(!matches!(cover, Cover::Whole));
                    put_full_box(out, b"tenc", version, 0, |out| {
                        self.put_defaults(out, cover)
                    });
                });
            });
        });
        out.into()
    }

    /// What `tenc` and the entries of `seig` have in common.
    fn put_defaults(&self, out: &mut Vec<u8>, cover: &Cover) {
        let pattern = match cover {
            Cover::Whole => 0,
            Cover::H264 { .. } | Cover::H265 { .. } => PATTERN_CODE,
        };
        // Protected, with no vectors of the samples' own.
        out.extend_from_slice(&[0, pattern, 1, 0]);
        out.extend_from_slice(&self.key_id);
        out.push(16);
        out.extend_from_slice(&self.iv);
    }

    /// Says that the samples of a track fragment have this key (§6), which is not the init
    /// segment's.
    pub(super) fn put_group(&self, out: &mut Vec<u8>, cover: &Cover, samples: u32) {
        put_full_box(out, b"sgpd", 1, 0, |out| {
            out.extend_from_slice(b"seig");
            put_u32(out, 37);
            put_u32(out, 1);
            self.put_defaults(out, cover);
        });
        put_full_box(out, b"sbgp", 0, 0, |out| {
            out.extend_from_slice(b"seig");
            put_u32(out, 1);
            put_u32(out, samples);
            // The first description of this fragment's own.
            put_u32(out, 0x0001_0001);
        });
    }
}

/// Says which bytes of a track fragment's samples are encrypted. `out` begins with the `moof`.
pub(super) fn put_pieces(out: &mut Vec<u8>, samples: &[Vec<Piece>]) {
    let len_of = |pieces: &Vec<Piece>| u8::try_from(2 + 6 * pieces.len()).unwrap_or(u8::MAX);
    let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    put_full_box(out, b"saiz", 0, 0, |out| {
        out.push(0);
        put_u32(out, count);
        out.extend(samples.iter().map(len_of));
    });
    // Header and count of the box behind.
    const SENC_HEADER: usize = 16;
    put_full_box(out, b"saio", 0, 0, |out| {
        put_u32(out, 1);
        let first = out.len() + 4 + SENC_HEADER;
        put_u32(out, u32::try_from(first).unwrap_or(u32::MAX));
    });
    put_full_box(out, b"senc", 0, 2, |out| {
        put_u32(out, count);
        for pieces in samples {
            put_u16(out, u16::try_from(pieces.len()).unwrap_or(u16::MAX));
            for piece in pieces {
                put_u16(out, u16::try_from(piece.clear).unwrap_or(u16::MAX));
                put_u32(out, u32::try_from(piece.protected).unwrap_or(u32::MAX));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEVC: Cover = Cover::H265 { length_size: 4 };

    /// A sample of NAL units of these types and lengths.
    fn sample(nals: &[(u8, u32)]) -> Vec<u8> {
        let mut out = Vec::new();
        for &(kind, len) in nals {
            out.extend(len.to_be_bytes());
            out.push(kind << 1);
            out.extend((1..len).map(|n| n as u8));
        }
        out
    }

    fn pieces(nals: &[(u8, u32)]) -> Vec<(usize, usize)> {
        let sample = sample(nals);
        let pieces = HEVC.pieces(&sample);
        let total: usize = pieces.iter().map(|p| p.clear + p.protected).sum();
        assert_eq!(total, sample.len(), "all of the sample");
        assert!(pieces.len() <= MAX_PIECES);
        assert!(pieces.iter().all(|p| p.clear <= 65_535));
        pieces.iter().map(|p| (p.clear, p.protected)).collect()
    }

    #[test]
    fn slices_are_protected_behind_their_leader_and_the_rest_is_clear() {
        // Parameter sets, a slice, a slice of nothing but its leader, supplements.
        let nals = [(32, 20), (19, 500), (1, 143), (39, 10)];
        assert_eq!(pieces(&nals), [(24 + 4 + 128, 372), (4 + 143 + 14, 0)]);
        assert_eq!(pieces(&[(1, 144)]), [(132, 16)]);
        assert_eq!(pieces(&[(39, 9)]), [(13, 0)]);
    }

    #[test]
    fn what_cannot_be_described_is_protected_or_clear_in_pieces() {
        // Clear bytes are counted in 16 bits.
        assert_eq!(
            pieces(&[(39, 150_000), (1, 200)]),
            [(65_535, 0), (65_535, 0), (18_934 + 132, 72)]
        );
        let many = vec![(1, 200); 60];
        let all = pieces(&many);
        assert_eq!(all.len(), 42);
        assert_eq!(all[41], (132, 72 + 18 * 204));
        // More in clear than pieces can say: its end is protected, too.
        let huge = pieces(&[(39, 3_000_000), (1, 200)]);
        assert_eq!(huge.len(), 42);
        assert!(huge[41].1 > 200);
    }

    #[test]
    fn one_block_of_ten_is_encrypted_in_a_chain_of_each_slice() {
        let protection = Protection {
            key: Key::new([1; 16]),
            key_id: [2; 16],
            iv: [3; 16],
        };
        let plain = sample(&[(1, 128 + 160 + 16 + 7), (1, 128 + 15)]);
        let mut sealed = plain.clone();
        protection.encrypt(&mut sealed, &HEVC.pieces(&plain));
        let mut chain = plain.clone();
        let at = 132;
        let mut blocks = [&chain[at..at + 16], &chain[at + 160..at + 176]].concat();
        protection.key.chain([3; 16]).encrypt(&mut blocks);
        chain[at..at + 16].copy_from_slice(&blocks[..16]);
        chain[at + 160..at + 176].copy_from_slice(&blocks[16..]);
        assert_eq!(sealed, chain);
        let mut whole = plain.clone();
        protection.encrypt(&mut whole, &Cover::Whole.pieces(&plain));
        let rest = plain.len() % 16;
        assert_eq!(whole[whole.len() - rest..], plain[plain.len() - rest..]);
        assert_ne!(whole[..16], plain[..16]);
    }
}
