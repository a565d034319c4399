//! Takes encryption off again, by the playlist's tags and the boxes alone: written from the
//! standards and not from the muxers.

use std::collections::BTreeMap;

use aes::Aes128;
use bytes::Bytes;
use cbc::cipher::{Array, BlockModeDecrypt as _, KeyIvInit as _};
use hls::Presentation;
use m3u8_rs::{Key, KeyMethod};

use super::transport::{be32, boxes};

/// A segment in clear. `key` holds for it, `init` is its init segment.
pub fn clear(presentation: &Presentation, body: &Bytes, key: &Key, init: Option<&[u8]>) -> Bytes {
    assert_eq!(key.keyformat, None, "identity");
    let name = key.uri.as_ref().expect("a key's URI");
    let secret = presentation
        .key(name)
        .expect("the key of a segment")
        .bytes();
    let iv = key.iv.as_ref().expect("an explicit vector");
    let iv: [u8; 16] = super::hex(&iv[2..]).try_into().unwrap();
    match key.method {
        KeyMethod::AES128 => {
            let mut plain = body.to_vec();
            chain(&secret, &iv, &mut plain);
            let padding = usize::from(*plain.last().unwrap());
            assert!((1..=16).contains(&padding) && body.len().is_multiple_of(16));
            let padded = plain.split_off(plain.len() - padding);
            assert!(padded.iter().all(|&byte| usize::from(byte) == padding));
            plain.into()
        }
        KeyMethod::SampleAES => {
            let (epoch, number) = parts_of(name);
            let id = [epoch.to_be_bytes(), number.to_be_bytes()].concat();
            samples(body, init.expect("an init segment"), &secret, &iv, &id)
        }
        ref other => panic!("{other:?}"),
    }
}

fn parts_of(name: &str) -> (u64, u64) {
    let rest = name
        .strip_prefix("key-")
        .unwrap()
        .strip_suffix(".bin")
        .unwrap();
    let (epoch, number) = rest.split_once('-').unwrap();
    (
        u64::from_str_radix(epoch, 16).unwrap(),
        number.parse().unwrap(),
    )
}

/// Decrypts the whole blocks of `bytes` as one chain.
fn chain(key: &[u8; 16], iv: &[u8; 16], bytes: &mut [u8]) {
    let (blocks, _) = Array::slice_as_chunks_mut(bytes);
    cbc::Decryptor::<Aes128>::new(key.into(), iv.into()).decrypt_blocks(blocks);
}

/// What `tenc` or an entry of `seig` says (ISO/IEC 23001-7 §8.2, §6).
#[derive(Clone, Debug, PartialEq)]
struct Defaults {
    crypt: usize,
    skip: usize,
    key_id: Vec<u8>,
    iv: Vec<u8>,
}

impl Defaults {
    fn read(body: &[u8]) -> Self {
        assert_eq!(
            (body[0], body[2], body[3]),
            (0, 1, 0),
            "protected, no own vectors"
        );
        assert_eq!((body[20], body.len()), (16, 37));
        Self {
            crypt: usize::from(body[1] >> 4),
            skip: usize::from(body[1] & 15),
            key_id: body[4..20].to_vec(),
            iv: body[21..].to_vec(),
        }
    }
}

/// The first box on this path of containers; `stsd` and sample entries are told by their names.
fn find<'a>(data: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    let Some((first, rest)) = path.split_first() else {
        return Some(data);
    };
    let skip = match **first {
        [b's', b't', b's', b'd'] => 8,
        [b'e', b'n', b'c', b'v'] => 78,
        [b'e', b'n', b'c', b'a'] => 28,
        _ => 0,
    };
    boxes(data)
        .into_iter()
        .filter(|(kind, _)| kind == *first)
        .find_map(|(_, body)| find(&body[skip..], rest))
}

/// By track, what its init segment says.
fn defaults(init: &[u8]) -> BTreeMap<u32, Defaults> {
    let moov = find(init, &[b"moov"]).unwrap();
    let mut found = BTreeMap::new();
    for (_, trak) in boxes(moov).into_iter().filter(|(kind, _)| kind == b"trak") {
        let tkhd = find(trak, &[b"tkhd"]).unwrap();
        let track = be32(tkhd, if tkhd[0] == 1 { 20 } else { 12 });
        let path = [b"mdia", b"minf", b"stbl", b"stsd"];
        let stsd = find(trak, &path).unwrap();
        let sinf = [b"encv", b"enca"].map(|kind| find(stsd, &[kind, b"sinf"]));
        let sinf = sinf
            .into_iter()
            .flatten()
            .next()
            .expect("an encrypted entry");
        assert_eq!(&find(sinf, &[b"schm"]).unwrap()[4..8], b"cbcs");
        let tenc = find(sinf, &[b"schi", b"tenc"]).unwrap();
        found.insert(track, Defaults::read(&tenc[4..]));
    }
    found
}

/// The fragments of a segment with their samples decrypted, everything else as it is.
fn samples(body: &[u8], init: &[u8], key: &[u8; 16], iv: &[u8; 16], id: &[u8]) -> Bytes {
    let tracks = defaults(init);
    let mut out = body.to_vec();
    let mut moof_at = 0;
    for (kind, content) in boxes(body) {
        if &kind == b"moof" {
            for (_, traf) in boxes(content)
                .into_iter()
                .filter(|(kind, _)| kind == b"traf")
            {
                let run = Run::read(traf, &tracks, content.len());
                assert_eq!(run.defaults.key_id, id, "the key that the playlist names");
                assert_eq!(run.defaults.iv, iv);
                run.decrypt(&mut out[moof_at..], key);
            }
        }
        moof_at += content.len() + 8;
    }
    out.into()
}

struct Run {
    defaults: Defaults,
    /// From the start of the moof.
    at: usize,
    sizes: Vec<usize>,
    /// Clear and protected bytes, by sample.
    pieces: Option<Vec<Vec<(usize, usize)>>>,
}

impl Run {
    fn read(traf: &[u8], tracks: &BTreeMap<u32, Defaults>, moof_len: usize) -> Self {
        let track = be32(find(traf, &[b"tfhd"]).unwrap(), 4);
        let mut defaults = tracks[&track].clone();
        let trun = find(traf, &[b"trun"]).unwrap();
        let (flags, count) = (be32(trun, 0) & 0xff_ffff, be32(trun, 4) as usize);
        assert_eq!(flags & 0x201, 0x201);
        let mut at = 12 + if flags & 4 != 0 { 4 } else { 0 };
        let step = 4 * (flags & 0xf00).count_ones() as usize;
        let mut sizes = Vec::new();
        for _ in 0..count {
            let before = if flags & 0x100 != 0 { 4 } else { 0 };
            sizes.push(be32(trun, at + before) as usize);
            at += step;
        }
        if let Some(sbgp) = find(traf, &[b"sbgp"]) {
            assert_eq!(&sbgp[4..8], b"seig");
            assert_eq!((be32(sbgp, 8), be32(sbgp, 12) as usize), (1, count));
            assert_eq!(be32(sbgp, 16), 0x1_0001);
            let sgpd = find(traf, &[b"sgpd"]).unwrap();
            assert_eq!((sgpd[0], &sgpd[4..8]), (1, &b"seig"[..]));
            assert_eq!((be32(sgpd, 8), be32(sgpd, 12)), (37, 1));
            defaults = Defaults::read(&sgpd[16..]);
        }
        let pieces = find(traf, &[b"senc"]).map(|senc| {
            let (mut rest, mut all) = (&senc[8..], Vec::new());
            assert_eq!((senc[3], be32(senc, 4) as usize), (2, count));
            // What saiz and saio say is where senc is.
            let saiz = find(traf, &[b"saiz"]).unwrap();
            let saio = be32(find(traf, &[b"saio"]).unwrap(), 8) as usize;
            let offset = traf_offset(traf, senc) + 8;
            assert!(saio >= offset && saio < moof_len + 8, "{saio}");
            for index in 0..count {
                let pieces = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                assert_eq!(usize::from(saiz[9 + index]), 2 + 6 * pieces);
                let piece = |n: usize| {
                    let at = 2 + 6 * n;
                    let clear = usize::from(u16::from_be_bytes([rest[at], rest[at + 1]]));
                    (clear, be32(rest, at + 2) as usize)
                };
                all.push((0..pieces).map(piece).collect());
                rest = &rest[2 + 6 * pieces..];
            }
            assert!(rest.is_empty());
            all
        });
        Self {
            defaults,
            at: be32(trun, 8) as usize,
            sizes,
            pieces,
        }
    }

    fn decrypt(&self, moof: &mut [u8], key: &[u8; 16]) {
        let iv: [u8; 16] = self.defaults.iv.clone().try_into().unwrap();
        let mut at = self.at;
        for (index, size) in self.sizes.iter().enumerate() {
            let sample = &mut moof[at..at + size];
            at += size;
            let Some(pieces) = &self.pieces else {
                assert_eq!((self.defaults.crypt, self.defaults.skip), (0, 0));
                chain(key, &iv, sample);
                continue;
            };
            assert_eq!((self.defaults.crypt, self.defaults.skip), (1, 9));
            let total: usize = pieces[index].iter().map(|(a, b)| a + b).sum();
            assert_eq!(total, *size, "pieces are the whole sample");
            let mut begin = 0;
            for (clear, protected) in &pieces[index] {
                let range = &mut sample[begin + clear..begin + clear + protected];
                begin += clear + protected;
                // The encrypted blocks, gathered, are one chain.
                let places: Vec<usize> = (0..range.len() / 16)
                    .filter(|block| block % 10 == 0)
                    .collect();
                let mut gathered: Vec<u8> = places
                    .iter()
                    .flat_map(|block| range[16 * block..16 * block + 16].to_vec())
                    .collect();
                chain(key, &iv, &mut gathered);
                for (block, plain) in places.iter().zip(gathered.chunks(16)) {
                    range[16 * block..16 * block + 16].copy_from_slice(plain);
                }
            }
        }
    }
}

/// How far the body of a box is from the start of the traf that holds it.
fn traf_offset(traf: &[u8], body: &[u8]) -> usize {
    body.as_ptr() as usize - traf.as_ptr() as usize
}
