//! PES packet headers, read.
//!
//! The layout is drawn in [`super::super::pes`], which writes them.

/// Longest header: 9 bytes and 255 more.
pub(super) const MAX_HEADER: usize = 9 + 255;

/// What a PES packet's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes up to the payload.
    pub(super) len: usize,
    /// Bytes of payload; `None`: up to the next start.
    pub(super) payload: Option<usize>,
    /// Presentation and decode time, 33 bits each.
    pub(super) times: Option<(u64, u64)>,
    /// `PES_scrambling_control` is not 0.
    pub(super) scrambled: bool,
}

/// What [`read`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A header with payload behind it.
    Header(Header),
    /// The bytes end within the header.
    More,
    /// Padding and tables, which have no media.
    Ignored,
    /// No start code, or marker bits that are not.
    Malformed,
}

/// Reads the header at the beginning of `bytes` (ISO/IEC 13818-1 §2.4.3.6).
pub(super) fn read(bytes: &[u8]) -> Read {
    let Some(&[a, b, c, stream_id, l0, l1]) = bytes.first_chunk() else {
        return Read::More;
    };
    if (a, b, c) != (0, 0, 1) {
        return Read::Malformed;
    }
    // program_stream_map, padding_stream, private_stream_2, ECM, EMM, DSMCC, H.222.1 type E,
    // program_stream_directory: no such header.
    if matches!(stream_id, 0xbc | 0xbe | 0xbf | 0xf0..=0xf2 | 0xf8 | 0xff) {
        return Read::Ignored;
    }
    let Some(&[flags, more, header_len]) = bytes.get(6..).and_then(|rest| rest.first_chunk())
    else {
        return Read::More;
    };
    // '10': MPEG-2.
    if flags & 0xc0 != 0x80 {
        return Read::Malformed;
    }
    let len = 9 + usize::from(header_len);
    let Some(fields) = bytes.get(9..len) else {
        return Read::More;
    };
    let pts = fields.first_chunk::<5>().filter(|_| more & 0x80 != 0);
    let dts = fields
        .get(5..)
        .and_then(|rest| rest.first_chunk::<5>())
        .filter(|_| more & 0xc0 == 0xc0);
    let times = match (pts.copied().map(timestamp), dts.copied().map(timestamp)) {
        (Some(Some(pts)), Some(Some(dts))) => Some((pts, dts)),
        (Some(Some(pts)), _) => Some((pts, pts)),
        _ => None,
    };
    let counted = usize::from(u16::from_be_bytes([l0, l1]));
    let payload = match counted {
        0 => None,
        counted => match (6 + counted).checked_sub(len) {
            Some(payload) => Some(payload),
            None => return Read::Malformed,
        },
    };
    Read::Header(Header {
        len,
        payload,
        times,
        scrambled: flags & 0x30 != 0,
    })
}

/// A 33-bit time; `None` when a marker bit is not set.
fn timestamp([a, b, c, d, e]: [u8; 5]) -> Option<u64> {
    if a & c & e & 1 == 0 {
        return None;
    }
    let word = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
    Some((word >> 33 & 0x7) << 30 | (word >> 17 & 0x7fff) << 15 | (word >> 1 & 0x7fff))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::super::super::pes;
    use super::*;

    #[test]
    fn what_the_muxer_writes_is_read_back() {
        for (pts, dts) in [(0, 0), (0x1_ffff_ffff, 7), (90_000, 86_400)] {
            for payload in [None, Some(1_000)] {
                let header = pes::Header::new(pes::VIDEO, payload, pts, dts);
                let mut bytes = BytesMut::new();
                header.put(&mut bytes);
                let want = Header {
                    len: bytes.len(),
                    payload,
                    times: Some((pts.cast_unsigned(), dts.cast_unsigned())),
                    scrambled: false,
                };
                assert_eq!(read(&bytes), Read::Header(want));
                for end in 0..bytes.len() {
                    assert_eq!(read(&bytes[..end]), Read::More);
                }
            }
        }
    }

    #[test]
    fn what_is_no_header_is_told() {
        assert_eq!(read(&[0, 0, 2, 0xe0, 0, 0]), Read::Malformed);
        assert_eq!(read(&[0, 0, 1, 0xbe, 0, 0]), Read::Ignored);
        assert_eq!(read(&[0, 0, 1, 0xe0, 0, 0, 0x40, 0, 0]), Read::Malformed);
        // Shorter than its own header.
        assert_eq!(read(&[0, 0, 1, 0xe0, 0, 2, 0x80, 0, 0]), Read::Malformed);
    }
}
