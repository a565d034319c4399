//! Parsing chunk headers, also when the input ends inside one.

use super::stream::ChunkStreams;

/// The beginning of a header that the input ended in.
#[derive(Debug, Default)]
pub(super) struct Carry {
    bytes: [u8; Carry::CAPACITY],
    /// `0..=18`
    pub(super) len: usize,
}

impl Carry {
    /// The longest header.
    const CAPACITY: usize = 18;

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Appends as much of `input` as fits.
    pub(super) fn fill(&mut self, input: &[u8]) {
        for (free, byte) in self.bytes.iter_mut().skip(self.len).zip(input) {
            *free = *byte;
            self.len += 1;
        }
    }

    /// Drops the first `count` bytes, and all beyond `len`.
    pub(super) fn keep(&mut self, count: usize, len: usize) {
        let kept = self.bytes;
        self.len = 0;
        self.fill(kept.get(count..len).unwrap_or_default());
    }
}

/// A parsed chunk header.
pub(super) struct Header {
    pub(super) chunk_type: u8,
    pub(super) csid: u32,
    /// Bytes of the header.
    pub(super) len: usize,
    /// Timestamp or delta, the extended one if there is one; 0 for type 3.
    pub(super) time: u32,
    /// Whether `time` came from an extended timestamp.
    pub(super) extended: bool,
    /// Types 0 and 1.
    pub(super) length: u32,
    pub(super) type_id: u8,
    /// Type 0.
    pub(super) message_stream_id: u32,
}

/// Parses the chunk header at the start of `bytes`; `None` when it is not all there.
pub(super) fn parse_header(bytes: &[u8], streams: &ChunkStreams) -> Option<Header> {
    let (&first, rest) = bytes.split_first()?;
    let chunk_type = first >> 6;
    let (csid, rest) = match first & 0x3f {
        0 => {
            let (&low, rest) = rest.split_first()?;
            (64 + u32::from(low), rest)
        }
        1 => {
            let (low, rest) = rest.split_first_chunk::<2>()?;
            (64 + u32::from(u16::from_le_bytes(*low)), rest)
        }
        low => (u32::from(low), rest),
    };
    let mut header = Header {
        chunk_type,
        csid,
        len: 0,
        time: 0,
        extended: false,
        length: 0,
        type_id: 0,
        message_stream_id: 0,
    };
    let rest = match chunk_type {
        0 => {
            let (&[t0, t1, t2, l0, l1, l2, type_id, m0, m1, m2, m3], rest) =
                rest.split_first_chunk()?;
            header.time = u32::from_be_bytes([0, t0, t1, t2]);
            header.length = u32::from_be_bytes([0, l0, l1, l2]);
            header.type_id = type_id;
            header.message_stream_id = u32::from_le_bytes([m0, m1, m2, m3]);
            rest
        }
        1 => {
            let (&[t0, t1, t2, l0, l1, l2, type_id], rest) = rest.split_first_chunk()?;
            header.time = u32::from_be_bytes([0, t0, t1, t2]);
            header.length = u32::from_be_bytes([0, l0, l1, l2]);
            header.type_id = type_id;
            rest
        }
        2 => {
            let (&[t0, t1, t2], rest) = rest.split_first_chunk()?;
            header.time = u32::from_be_bytes([0, t0, t1, t2]);
            rest
        }
        _ => {
            let rest = skip_repeated_timestamp(rest, csid, streams)?;
            header.len = bytes.len() - rest.len();
            return Some(header);
        }
    };
    let rest = if header.time == 0xff_ffff {
        let (time, rest) = rest.split_first_chunk()?;
        header.time = u32::from_be_bytes(*time);
        header.extended = true;
        rest
    } else {
        rest
    };
    header.len = bytes.len() - rest.len();
    Some(header)
}

/// The bytes after the extended timestamp of a type 3 chunk, which the specification wants repeated
/// (§5.3.1.3) and many senders omit. It is there if it equals the last one; then the odds that
/// payload was mistaken for it are 2^-32. `None` when there are too few bytes to tell.
fn skip_repeated_timestamp<'a>(
    rest: &'a [u8],
    csid: u32,
    streams: &ChunkStreams,
) -> Option<&'a [u8]> {
    let stream = streams.find(csid).and_then(|slot| streams.get(slot));
    let Some(stream) = stream.filter(|stream| stream.extended) else {
        return Some(rest);
    };
    let expected = stream.time.to_be_bytes();
    match rest.split_first_chunk::<4>() {
        Some((time, after)) if *time == expected => Some(after),
        Some(_) => Some(rest),
        None if expected.starts_with(rest) => None,
        None => Some(rest),
    }
}
