//! Taking chunks apart.

use bytes::{Bytes, BytesMut};

use super::parse::{Carry, Header, parse_header};
use super::stream::{ChunkStream, ChunkStreams};
use super::{DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE, Message};
use crate::message::type_id;
use crate::{Error, Limits};

/// Takes chunks apart and puts messages together (RTMP 1.0 §5.3).
///
/// Chunks of different chunk streams may be interleaved. Payload is copied once, from the input
/// into the message's own buffer, which grows with the bytes received and never by the declared
/// length (small media messages share one of 8 KiB). Between calls only headers and unfinished
/// payload are kept, so a quiet connection costs 56 bytes for each chunk stream it used, and the
/// rest of that buffer once it has published.
///
/// Set Chunk Size and Abort act here and are returned as well. After an error the reader must not
/// be used again: where the next chunk begins is unknown.
///
/// Tolerated: a type 1 chunk on a new chunk stream (its time counts from 0, as librtmp sends);
/// type 3 chunks without the extended timestamp that the specification wants repeated; type 0, 1
/// and 2 headers inside a message if length and type stay. A new message that begins with a type 3
/// chunk adds the last delta again, and after a type 0 chunk that chunk's timestamp (§5.3.1.2.4).
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    /// Which message lengths are allowed.
    media: bool,
    /// Largest chunk the peer sends, `1..=0xff_ffff`.
    chunk_size: u32,
    /// Bytes of input taken since the start of the connection.
    offset: u64,
    streams: ChunkStreams,
    /// The chunk whose payload is being read.
    current: Option<Current>,
    /// Messages begun and not finished, and the capacity of their buffers.
    unfinished: usize,
    unfinished_bytes: usize,
    carry: Carry,
    /// Room for small messages.
    pool: BytesMut,
}

/// Media messages up to this length share allocations, in bytes.
const SMALL_MESSAGE: usize = 2 << 10;
/// Bytes of such an allocation. It lives as long as the last of its messages, so a connection
/// keeps at most this much beyond what is still used.
const POOL: usize = 8 << 10;

/// A chunk whose header was read.
#[derive(Debug, Clone, Copy)]
struct Current {
    /// Which chunk stream.
    slot: usize,
    /// Payload bytes of this chunk that have not come yet.
    remaining: usize,
}

impl Reader {
    /// A reader at the start of a connection's chunks; `offset` is the number of bytes received
    /// before them.
    pub fn new(mut limits: Limits, offset: u64) -> Self {
        limits.chunk_streams = limits.chunk_streams.min(ChunkStreams::CAPACITY);
        Self {
            limits,
            media: false,
            chunk_size: DEFAULT_CHUNK_SIZE,
            offset,
            streams: ChunkStreams::default(),
            current: None,
            unfinished: 0,
            unfinished_bytes: 0,
            carry: Carry::default(),
            pool: BytesMut::new(),
        }
    }

    /// Whether messages may be as long as media is, or only
    /// [`Limits::message_bytes_before_media`]. Not at first.
    pub fn allow_media(&mut self, media: bool) {
        self.media = media;
    }

    /// Bytes taken since the connection was opened.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Largest chunk the peer sends, in bytes.
    pub fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Reads from `input`, moving it past what was read, until one message is whole; `None` when
    /// `input` was read to its end and more is needed. Time is linear in the bytes read.
    ///
    /// # Errors
    /// When the peer broke the protocol or reached a limit.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Error> {
        loop {
            let current = match self.current {
                Some(current) => current,
                None => match self.read_header(input)? {
                    Some(current) => current,
                    None => return Ok(None),
                },
            };
            match self.read_payload(current, input)? {
                Progress::Message(message) => {
                    self.obey(&message)?;
                    return Ok(Some(message));
                }
                Progress::Chunk => {}
                Progress::NeedsInput => return Ok(None),
            }
        }
    }

    /// Checks what must always hold; for tests and fuzz targets.
    ///
    /// # Panics
    /// When it does not hold.
    pub fn check_invariants(&self) {
        assert!(
            (1..=MAX_CHUNK_SIZE).contains(&self.chunk_size),
            "chunk size in range"
        );
        assert!(
            self.streams.len() <= self.limits.chunk_streams,
            "chunk streams bounded"
        );
        assert!(
            self.unfinished <= self.limits.unfinished_messages,
            "unfinished messages bounded"
        );
        assert!(
            self.unfinished_bytes <= self.max_unfinished_bytes(),
            "unfinished bytes bounded"
        );
        let (unfinished, bytes) = self.streams.unfinished();
        assert_eq!(
            (self.unfinished, self.unfinished_bytes),
            (unfinished, bytes),
            "counts agree"
        );
    }

    fn advance(&mut self, input: &mut &[u8], count: usize) {
        *input = input.get(count..).unwrap_or_default();
        self.offset = self
            .offset
            .wrapping_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<Current>, Error> {
        let carried = self.carry.len;
        let start = self
            .offset
            .wrapping_sub(u64::try_from(carried).unwrap_or(0));
        let header = if carried == 0 {
            parse_header(input, &self.streams)
        } else {
            self.carry.fill(input);
            parse_header(self.carry.bytes(), &self.streams)
        };
        let Some(header) = header else {
            // Nothing is lost: a header of 18 bytes always parses, so all of the input fitted.
            if carried == 0 {
                self.carry.fill(input);
            }
            self.advance(input, self.carry.len - carried);
            return Ok(None);
        };
        // A type 3 header may turn out shorter than what was carried, when the bytes after it are
        // payload and not the extended timestamp; then the rest stays carried.
        if carried > 0 {
            self.carry.keep(header.len, carried);
        }
        self.advance(input, header.len.saturating_sub(carried));
        self.begin_chunk(&header, start).map(Some)
    }

    fn begin_chunk(&mut self, header: &Header, offset: u64) -> Result<Current, Error> {
        let csid = header.csid;
        let slot = match self.streams.find(csid) {
            Some(slot) => slot,
            None if header.chunk_type >= 2 => {
                return Err(Error::NoHistory {
                    csid,
                    chunk_type: header.chunk_type,
                    offset,
                });
            }
            None if self.streams.len() >= self.limits.chunk_streams => {
                return Err(limit_reached(
                    "chunk streams",
                    self.limits.chunk_streams,
                    offset,
                ));
            }
            None => self.streams.insert(csid),
        };
        let Self {
            streams,
            limits,
            media,
            unfinished,
            chunk_size,
            current,
            ..
        } = self;
        let stream = streams.get_mut(slot);
        if stream.in_message {
            if header.chunk_type < 2
                && (header.length, header.type_id) != (stream.length, stream.type_id)
            {
                let (old, new) = (stream.length, header.length);
                return Err(Error::LengthChanged {
                    csid,
                    old,
                    new,
                    offset,
                });
            }
        } else {
            begin_message(stream, header);
            let max = max_length(limits, *media, stream.type_id);
            if stream.length > max {
                return Err(Error::MessageTooLong {
                    csid,
                    len: stream.length,
                    max,
                    offset,
                });
            }
            if *unfinished >= limits.unfinished_messages {
                let max = limits.unfinished_messages;
                return Err(limit_reached("unfinished messages", max, offset));
            }
            stream.in_message = true;
            *unfinished += 1;
        }
        let chunk_size = usize::try_from(*chunk_size).unwrap_or(usize::MAX);
        let chunk = Current {
            slot,
            remaining: stream.missing().min(chunk_size),
        };
        *current = Some(chunk);
        Ok(chunk)
    }

    fn read_payload(&mut self, current: Current, input: &mut &[u8]) -> Result<Progress, Error> {
        if current.remaining > 0 && self.carry.len > 0 {
            // At most three bytes, and only behind senders that omit extended timestamps.
            let carry = std::mem::take(&mut self.carry);
            let mut rest = carry.bytes();
            let before = rest.len();
            let progress = self.take_payload(current, &mut rest)?;
            self.carry.fill(rest);
            debug_assert!(rest.len() < before);
            return Ok(match progress {
                Progress::NeedsInput => Progress::Chunk,
                progress => progress,
            });
        }
        let before = input.len();
        let progress = self.take_payload(current, input)?;
        let taken = u64::try_from(before - input.len()).unwrap_or(u64::MAX);
        self.offset = self.offset.wrapping_add(taken);
        Ok(progress)
    }

    /// Moves payload from `source` to the message of `current`.
    fn take_payload(&mut self, current: Current, source: &mut &[u8]) -> Result<Progress, Error> {
        let at_hand = source.len();
        let (part, rest) = source.split_at(current.remaining.min(at_hand));
        *source = rest;
        let remaining = current.remaining - part.len();
        self.current = (remaining > 0).then_some(Current {
            remaining,
            ..current
        });

        let stream = self.streams.get_mut(current.slot);
        let payload = if stream.buffer.is_empty() && part.len() == stream.missing() {
            // The whole message lies in the input: one copy.
            whole(part, self.media, &mut self.pool)
        } else {
            if stream.buffer.capacity() - stream.buffer.len() < part.len() {
                self.grow(current.slot, part.len(), at_hand)?;
            }
            let stream = self.streams.get_mut(current.slot);
            stream.buffer.extend_from_slice(part);
            if stream.missing() > 0 {
                return Ok(if remaining > 0 {
                    Progress::NeedsInput
                } else {
                    Progress::Chunk
                });
            }
            self.unfinished_bytes -= stream.buffer.capacity();
            Bytes::from(std::mem::take(&mut stream.buffer))
        };
        let stream = self.streams.get_mut(current.slot);
        stream.in_message = false;
        self.unfinished -= 1;
        Ok(Progress::Message(Message {
            csid: stream.csid,
            message_stream_id: stream.message_stream_id,
            timestamp: stream.timestamp,
            type_id: stream.type_id,
            payload,
        }))
    }

    /// Makes room for `needed` more bytes of a message, of which `at_hand` bytes may already lie in
    /// the input. Doubles what was received; the head start, which makes one allocation enough for
    /// the usual frame, goes to two messages of a connection at most.
    fn grow(&mut self, slot: usize, needed: usize, at_hand: usize) -> Result<(), Error> {
        let head_start = match (self.unfinished, self.media) {
            (0..=2, true) => at_hand.max(64 << 10),
            (0..=2, false) => at_hand.max(4 << 10),
            _ => needed,
        };
        let max = self.max_unfinished_bytes();
        let stream = self.streams.get_mut(slot);
        let extra = needed
            .max(stream.buffer.len())
            .max(head_start)
            .min(stream.missing());
        let before = stream.buffer.capacity();
        let others = self.unfinished_bytes - before;
        if others + stream.buffer.len() + extra > max {
            return Err(limit_reached(
                "bytes in unfinished messages",
                max,
                self.offset,
            ));
        }
        stream.buffer.reserve_exact(extra);
        self.unfinished_bytes = others + stream.buffer.capacity();
        Ok(())
    }

    fn max_unfinished_bytes(&self) -> usize {
        if self.media {
            self.limits.unfinished_bytes
        } else {
            let message = usize::try_from(self.limits.message_bytes_before_media);
            message.unwrap_or(usize::MAX).saturating_mul(4)
        }
    }

    /// Does what the two messages about chunks themselves ask for.
    fn obey(&mut self, message: &Message) -> Result<(), Error> {
        let name = match message.type_id {
            type_id::SET_CHUNK_SIZE => "set chunk size",
            type_id::ABORT => "abort",
            _ => return Ok(()),
        };
        let bad = Error::BadControl {
            name,
            offset: self.offset,
        };
        let value = u32::from_be_bytes(*message.payload.first_chunk().ok_or(bad.clone())?);
        if message.type_id == type_id::ABORT {
            self.abort(value);
            return Ok(());
        }
        // The top bit must be 0 (§5.4.1); senders of 2^31 - 1 and more mean "as large as possible".
        let chunk_size = (value & 0x7fff_ffff).min(MAX_CHUNK_SIZE);
        if chunk_size == 0 {
            return Err(bad);
        }
        self.chunk_size = chunk_size;
        Ok(())
    }

    /// Forgets the unfinished message of a chunk stream, if there is one (§5.4.2).
    fn abort(&mut self, csid: u32) {
        let Some(slot) = self.streams.find(csid) else {
            return;
        };
        let stream = self.streams.get_mut(slot);
        if !stream.in_message {
            return;
        }
        stream.in_message = false;
        self.unfinished -= 1;
        self.unfinished_bytes -= stream.buffer.capacity();
        stream.buffer = Vec::new();
    }
}

/// A message that came in one piece. Small media messages share allocations: they live and die one
/// after the other, and an allocation each costs more than their copy.
fn whole(part: &[u8], media: bool, pool: &mut BytesMut) -> Bytes {
    if !media || part.len() > SMALL_MESSAGE {
        return Bytes::copy_from_slice(part);
    }
    if pool.capacity() < part.len() {
        *pool = BytesMut::with_capacity(POOL);
    }
    pool.extend_from_slice(part);
    pool.split().freeze()
}

enum Progress {
    /// A message is whole.
    Message(Message),
    /// A chunk is whole, its message is not.
    Chunk,
    /// The input is used up inside a chunk.
    NeedsInput,
}

fn limit_reached(what: &'static str, max: usize, offset: u64) -> Error {
    Error::LimitReached {
        what,
        max: u64::try_from(max).unwrap_or(u64::MAX),
        offset,
    }
}

fn begin_message(stream: &mut ChunkStream, header: &Header) {
    match header.chunk_type {
        0 => {
            stream.timestamp = header.time;
            stream.message_stream_id = header.message_stream_id;
        }
        1 | 2 => stream.timestamp = stream.timestamp.wrapping_add(header.time),
        _ => stream.timestamp = stream.timestamp.wrapping_add(stream.time),
    }
    if header.chunk_type < 2 {
        stream.length = header.length;
        stream.type_id = header.type_id;
    }
    if header.chunk_type < 3 {
        stream.time = header.time;
        stream.extended = header.extended;
    }
}

fn max_length(limits: &Limits, media: bool, type_id: u8) -> u32 {
    match type_id {
        _ if !media => limits.message_bytes_before_media,
        type_id::VIDEO | type_id::AGGREGATE => limits.video_bytes,
        type_id::AUDIO => limits.audio_bytes,
        _ => limits.data_bytes,
    }
}

#[cfg(test)]
mod tests;
