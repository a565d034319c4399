//! Reads an RTMP chunk stream for the first bytes of each media message only; the payload is
//! stepped over, not gathered (RTMP 1.0 §5.3).
//!
//! This is what lets one thread take thousands of viewers. It knows nothing of sessions: messages
//! other than media are handed on whole.

use rtmp::chunk::DEFAULT_CHUNK_SIZE;
use rtmp::message::type_id;

use crate::Error;
use crate::stamp::{Head, SEARCHED};

/// Longest message that is not media, in bytes: it is gathered.
const CONTROL_BYTES: usize = 64 << 10;
/// Basic header 3, message header 11, extended timestamp 4.
const HEADER_BYTES: usize = 18;
/// Chunk streams at once; servers use fewer than ten.
const LANES: usize = 64;

/// What a reader of a stream of media tells of it.
pub(crate) trait Sink {
    /// The first bytes of a video message.
    fn video(&mut self, timestamp: u32, head: &[u8]);
    /// The first bytes of an audio message.
    fn audio(&mut self, timestamp: u32, head: &[u8]);
    /// A whole message that is not media; the chunk size is dealt with already.
    fn control(&mut self, type_id: u8, payload: &[u8]) -> Result<(), Error>;
}

/// One connection's chunk stream.
#[derive(Debug)]
pub(crate) struct ChunkSkipper {
    chunk_size: usize,
    lanes: Vec<Lane>,
    /// A chunk header that the last input cut.
    carry: Vec<u8>,
    /// The chunk that is being read: its lane, and the bytes left of it.
    chunk: Option<(usize, usize)>,
    /// Bytes read so far.
    pub(crate) bytes: u64,
}

/// A chunk stream.
#[derive(Debug)]
struct Lane {
    csid: u32,
    timestamp: u32,
    delta: u32,
    has_extended: bool,
    type_id: u8,
    len: usize,
    /// Bytes of the message that were read.
    read: usize,
    head: Head,
    control: Vec<u8>,
}

/// A chunk header as it stands there.
struct ChunkHeader {
    /// Bytes on the wire.
    len: usize,
    csid: u32,
    format: u8,
    /// Absolute or a delta; extended if it was.
    time: u32,
    has_extended: bool,
    message_len: usize,
    type_id: u8,
}

impl Default for ChunkSkipper {
    fn default() -> Self {
        Self {
            chunk_size: DEFAULT_CHUNK_SIZE as usize,
            lanes: Vec::new(),
            carry: Vec::new(),
            chunk: None,
            bytes: 0,
        }
    }
}

impl ChunkSkipper {
    /// Takes bytes, in any split.
    ///
    /// # Errors
    /// When they are not a chunk stream, or the sink fails.
    pub(crate) fn feed(&mut self, mut input: &[u8], sink: &mut impl Sink) -> Result<(), Error> {
        self.bytes += input.len() as u64;
        while !input.is_empty() {
            match self.chunk {
                None => self.header(&mut input)?,
                Some((lane, left)) => {
                    let (part, rest) = input.split_at(left.min(input.len()));
                    input = rest;
                    self.chunk = (left > part.len()).then_some((lane, left - part.len()));
                    self.payload(lane, part, sink)?;
                }
            }
            // A message without payload is complete with its header.
            if let Some((lane, 0)) = self.chunk {
                self.chunk = None;
                self.payload(lane, &[], sink)?;
            }
        }
        Ok(())
    }

    fn header(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        let header = if self.carry.is_empty() {
            match self.parse(input)? {
                Some(header) => {
                    *input = &input[header.len..];
                    header
                }
                None => {
                    self.carry.extend_from_slice(input);
                    *input = &[];
                    return Ok(());
                }
            }
        } else {
            loop {
                let Some((&byte, rest)) = input.split_first() else {
                    return Ok(());
                };
                *input = rest;
                self.carry.push(byte);
                debug_assert!(self.carry.len() <= HEADER_BYTES);
                if let Some(header) = self.parse(&self.carry)? {
                    self.carry.clear();
                    break header;
                }
            }
        };
        self.begin(&header)
    }

    /// A header at the start of `bytes`; `None` when it goes on behind them.
    fn parse(&self, bytes: &[u8]) -> Result<Option<ChunkHeader>, Error> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let (csid, basic) = match (first & 0x3f, bytes.get(1), bytes.get(2)) {
            (0, Some(&low), _) => (64 + u32::from(low), 2),
            (1, Some(&low), Some(&high)) => (64 + u32::from(low) + (u32::from(high) << 8), 3),
            (0 | 1, ..) => return Ok(None),
            (csid, ..) => (csid.into(), 1),
        };
        let format = first >> 6;
        let lane = self.lanes.iter().find(|lane| lane.csid == csid);
        if lane.is_none() && format != 0 {
            return Err(Error::Protocol(format!(
                "chunk stream {csid} begins without a whole header, after {} bytes",
                self.bytes
            )));
        }
        let fields_len = [11, 7, 3, 0][usize::from(format)];
        let Some(fields) = bytes.get(basic..basic + fields_len) else {
            return Ok(None);
        };
        let mut len = basic + fields_len;
        let time = be24(fields);
        let has_extended = match time {
            Some(time) => time == 0xff_ffff,
            None => lane.is_some_and(|lane| lane.has_extended),
        };
        let mut time = time.unwrap_or_else(|| lane.map_or(0, |lane| lane.delta));
        if has_extended {
            let Some(extended) = bytes.get(len..len + 4) else {
                return Ok(None);
            };
            let extended = extended
                .iter()
                .fold(0, |all, &byte| all << 8 | u32::from(byte));
            if format != 3 {
                time = extended;
            }
            len += 4;
        }
        let (old_len, old_type) = lane.map_or((0, 0), |lane| (lane.len, lane.type_id));
        Ok(Some(ChunkHeader {
            len,
            csid,
            format,
            time,
            has_extended,
            message_len: fields
                .get(3..)
                .and_then(be24)
                .map_or(old_len, |len| len as usize),
            type_id: fields.get(6).copied().unwrap_or(old_type),
        }))
    }

    fn begin(&mut self, header: &ChunkHeader) -> Result<(), Error> {
        let index = match self.lanes.iter().position(|lane| lane.csid == header.csid) {
            Some(index) => index,
            None if self.lanes.len() < LANES => {
                self.lanes.push(Lane::new(header.csid));
                self.lanes.len() - 1
            }
            None => return Err(Error::Protocol("too many chunk streams".to_owned())),
        };
        let lane = &mut self.lanes[index];
        if lane.read == 0 {
            lane.begin(header);
        } else if header.format != 3 {
            return Err(Error::Protocol(format!(
                "a message on chunk stream {} begins inside another, after {} bytes",
                header.csid, self.bytes
            )));
        }
        if !lane.is_media() && lane.len > CONTROL_BYTES {
            return Err(Error::Protocol(format!(
                "a message of type {} has {} bytes",
                lane.type_id, lane.len
            )));
        }
        let left = (lane.len - lane.read).min(self.chunk_size);
        self.chunk = Some((index, left));
        Ok(())
    }

    fn payload(&mut self, index: usize, part: &[u8], sink: &mut impl Sink) -> Result<(), Error> {
        let lane = &mut self.lanes[index];
        let is_whole = lane.read == 0 && part.len() == lane.len;
        lane.read += part.len();
        let is_complete = lane.read >= lane.len;
        if lane.is_media() {
            let head = if is_whole {
                &part[..part.len().min(SEARCHED)]
            } else {
                lane.head.push(part);
                lane.head.bytes()
            };
            if is_complete {
                match lane.type_id {
                    type_id::AUDIO => sink.audio(lane.timestamp, head),
                    _ => sink.video(lane.timestamp, head),
                }
                lane.head.clear();
                lane.read = 0;
            }
            return Ok(());
        }
        lane.control.extend_from_slice(part);
        if is_complete {
            lane.read = 0;
            let payload = std::mem::take(&mut lane.control);
            let type_id = lane.type_id;
            self.control(type_id, &payload, sink)?;
        }
        Ok(())
    }

    fn control(&mut self, id: u8, payload: &[u8], sink: &mut impl Sink) -> Result<(), Error> {
        let number = payload
            .first_chunk()
            .map(|bytes| u32::from_be_bytes(*bytes));
        match (id, number) {
            (type_id::SET_CHUNK_SIZE, Some(size)) => {
                self.chunk_size = (size & 0x7fff_ffff).max(1) as usize;
                Ok(())
            }
            (type_id::ABORT, Some(csid)) => {
                if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.csid == csid) {
                    lane.read = 0;
                    lane.head.clear();
                    lane.control.clear();
                }
                Ok(())
            }
            _ => sink.control(id, payload),
        }
    }
}

impl Lane {
    fn new(csid: u32) -> Self {
        Self {
            csid,
            timestamp: 0,
            delta: 0,
            has_extended: false,
            type_id: 0,
            len: 0,
            read: 0,
            head: Head::default(),
            control: Vec::new(),
        }
    }

    fn begin(&mut self, header: &ChunkHeader) {
        self.has_extended = header.has_extended;
        self.len = header.message_len;
        self.type_id = header.type_id;
        if header.format == 0 {
            self.timestamp = header.time;
            self.delta = 0;
        } else {
            self.delta = header.time;
            self.timestamp = self.timestamp.wrapping_add(header.time);
        }
    }

    fn is_media(&self) -> bool {
        matches!(self.type_id, type_id::AUDIO | type_id::VIDEO)
    }
}

/// The first three bytes as a number.
fn be24(bytes: &[u8]) -> Option<u32> {
    let [a, b, c] = *bytes.first_chunk()?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::BytesMut;
    use rtmp::chunk::{MessageHeader, Writer, slices};
    use rtmp::message::control;

    #[derive(Default, Debug, PartialEq)]
    struct Seen(Vec<(u8, u32, Vec<u8>)>);

    impl Sink for Seen {
        fn video(&mut self, timestamp: u32, head: &[u8]) {
            self.0.push((9, timestamp, head.to_vec()));
        }
        fn audio(&mut self, timestamp: u32, head: &[u8]) {
            self.0.push((8, timestamp, head.to_vec()));
        }
        fn control(&mut self, type_id: u8, payload: &[u8]) -> Result<(), Error> {
            self.0.push((type_id, 0, payload.to_vec()));
            Ok(())
        }
    }

    /// Messages, cut at 128 and then at 5000, and what must be seen of them.
    fn stream() -> (Vec<u8>, Seen) {
        let mut out = BytesMut::new();
        let mut writer = Writer::new();
        let body = |len: usize| -> Vec<u8> { (0..len).map(|n| (n % 251) as u8).collect() };
        let mut want = Seen::default();
        let mut put = |writer: &Writer, header: MessageHeader, len: usize, out: &mut BytesMut| {
            writer.write(header, &body(len), out);
            let mut seen = body(len);
            seen.truncate(if header.type_id == 20 { len } else { SEARCHED });
            want.0.push((
                header.type_id,
                if header.type_id == 20 {
                    0
                } else {
                    header.timestamp
                },
                seen,
            ));
        };
        put(
            &writer,
            MessageHeader {
                type_id: 20,
                ..MessageHeader::data(0, 0, 0)
            },
            300,
            &mut out,
        );
        put(&writer, MessageHeader::video(1, 0, 0), 1_000, &mut out);
        put(&writer, MessageHeader::audio(1, 23, 0), 128, &mut out);
        control::set_chunk_size(&mut writer, 5_000, &mut out);
        put(&writer, MessageHeader::video(1, 40, 0), 20_000, &mut out);
        put(
            &writer,
            MessageHeader::audio(1, 0x0100_0000, 0),
            1,
            &mut out,
        );
        put(
            &writer,
            MessageHeader::video(1, 0x0100_0000, 0),
            12_000,
            &mut out,
        );
        put(
            &writer,
            MessageHeader::audio(1, 0x0100_0020, 0),
            0,
            &mut out,
        );
        (out.to_vec(), want)
    }

    #[test]
    fn any_split_shows_the_first_bytes_of_each_message() {
        let (bytes, want) = stream();
        for size in [1, 2, 3, 7, 127, 1_000, 4_999, bytes.len()] {
            let (mut skipper, mut seen) = (ChunkSkipper::default(), Seen::default());
            for part in bytes.chunks(size) {
                skipper.feed(part, &mut seen).unwrap();
            }
            assert_eq!(seen, want, "pieces of {size}");
            assert_eq!(skipper.bytes, bytes.len() as u64);
        }
    }

    #[test]
    fn deltas_are_added_and_repeated() {
        // Type 0 at 1000; type 1 +40 with another length; type 2 +20; type 3 repeats +20.
        let mut bytes = vec![7, 0, 3, 0xe8, 0, 0, 1, 9, 1, 0, 0, 0, b'a'];
        bytes.extend([0x47, 0, 0, 40, 0, 0, 2, 9, b'b', b'b']);
        bytes.extend([0x87, 0, 0, 20, b'c', b'c']);
        bytes.extend([0xc7, b'd', b'd']);
        let (mut skipper, mut seen) = (ChunkSkipper::default(), Seen::default());
        skipper.feed(&bytes, &mut seen).unwrap();
        let times: Vec<u32> = seen.0.iter().map(|(_, time, _)| *time).collect();
        assert_eq!(times, [1_000, 1_040, 1_060, 1_080]);
    }

    #[test]
    fn messages_on_two_chunk_streams_may_be_mixed() {
        let video = MessageHeader::video(1, 5, 200).encode();
        let audio = MessageHeader::audio(1, 6, 2).encode();
        let payload = [3; 200];
        let mut parts = slices(&video, &payload, 128);
        let mut bytes = Vec::new();
        bytes.extend(parts.by_ref().take(2).flatten());
        bytes.extend(slices(&audio, &[1, 2], 128).flatten());
        bytes.extend(parts.flatten());
        let (mut skipper, mut seen) = (ChunkSkipper::default(), Seen::default());
        skipper.feed(&bytes, &mut seen).unwrap();
        assert_eq!(seen.0, [(8, 6, vec![1, 2]), (9, 5, payload.to_vec())]);
    }

    #[test]
    fn noise_is_an_error() {
        let mut skipper = ChunkSkipper::default();
        let error = skipper
            .feed(&[0xc5, 1, 2], &mut Seen::default())
            .unwrap_err();
        assert!(error.to_string().contains("chunk stream 5"), "{error}");
        let mut skipper = ChunkSkipper::default();
        let header = MessageHeader {
            type_id: 20,
            length: 70_000,
            ..MessageHeader::data(0, 0, 0)
        };
        let error = skipper
            .feed(&header.encode_first(), &mut Seen::default())
            .unwrap_err();
        assert!(error.to_string().contains("70000 bytes"), "{error}");
    }
}
