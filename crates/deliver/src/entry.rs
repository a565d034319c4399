//! What goes to a viewer's socket: one message, encoded once for all.

use std::io::{IoSlice, Write};

use bytes::Bytes;
use remux::flv::{TagBody, TagKind};
use rtmp::chunk::{EncodedHeader, MessageHeader};

/// Where WebSocket frames need their long length (RFC 6455 §5.2).
const WS_LONG: usize = 1 << 16;
const WS_MEDIUM: usize = 126;
/// FIN and opcode 2: one whole binary message.
const WS_BINARY: u8 = 0x82;
/// What ends a chunk of a chunked body (RFC 9112 §7.1).
const CHUNK_END: &[u8] = b"\r\n";
/// Message stream ids as chunk headers have them, little endian.
static MESSAGE_STREAM_IDS: [[u8; 4]; 256] = {
    let mut ids = [[0; 4]; 256];
    let mut id = 0;
    while id < ids.len() {
        ids[id] = (id as u32).to_le_bytes();
        id += 1;
    }
    ids
};
/// FLV tag header and previous tag size.
const FLV_AROUND: usize = 15;

/// One piece of the wire, whole or not at all: what is not media goes between two of them.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// Bytes as they are, below any framing: answers of an RTMP session, a response head.
    Raw(Bytes),
    /// Bytes of an HTTP or WebSocket body, to be enveloped: TS packets, an FLV file header.
    Body { bytes: Bytes, envelopes: Envelopes },
    /// One audio, video or data message.
    Message(Message),
}

/// A message with the headers of every framing.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) kind: TagKind,
    rtmp: EncodedHeader,
    /// FLV tag header (FLV 10.1 §E.4.1).
    flv: [u8; 11],
    /// PreviousTagSize.
    flv_end: [u8; 4],
    envelopes: Envelopes,
    body: Bytes,
}

/// What goes before a piece of a body, in each kind of HTTP body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelopes {
    ws: Prefix,
    chunk: Prefix,
}

/// A few bytes, inline.
#[derive(Clone, Copy, Debug)]
struct Prefix {
    bytes: [u8; 18],
    len: u8,
}

impl Prefix {
    fn new(parts: &[&[u8]]) -> Self {
        let mut prefix = Self {
            bytes: [0; 18],
            len: 0,
        };
        for byte in parts.iter().copied().flatten() {
            if let Some(free) = prefix.bytes.get_mut(usize::from(prefix.len)) {
                *free = *byte;
                prefix.len += 1;
            }
        }
        prefix
    }

    /// The size of a chunk, in hexadecimal (RFC 9112 §7.1).
    fn chunk(len: usize) -> Self {
        let mut prefix = Self::new(&[]);
        let mut rest = &mut prefix.bytes[..];
        // The longest has 16 digits: it fits.
        let _ = write!(rest, "{len:x}\r\n");
        let left = rest.len();
        prefix.len = u8::try_from(prefix.bytes.len() - left).unwrap_or(0);
        prefix
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Envelopes {
    fn new(len: usize) -> Self {
        Self {
            ws: ws_header(len),
            chunk: Prefix::chunk(len),
        }
    }

    /// What goes before and behind.
    fn around(&self, envelope: Envelope) -> (&[u8], &'static [u8]) {
        match envelope {
            Envelope::None => (&[], &[]),
            Envelope::Chunked => (self.chunk.as_slice(), CHUNK_END),
            Envelope::WebSocket => (self.ws.as_slice(), &[]),
        }
    }
}

/// How a viewer wants its messages framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// RTMP chunks of this size, on this message stream.
    Rtmp {
        chunk_size: u32,
        message_stream_id: u8,
    },
    /// FLV tags in an HTTP or WebSocket body.
    Flv(Envelope),
    /// MPEG-TS in an HTTP body: body entries only.
    Ts(Envelope),
}

/// How a body is marked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// By the end of the connection (HTTP/1.0).
    None,
    /// In chunks (RFC 9112 §7.1).
    Chunked,
    /// In binary messages (RFC 6455 §5.2).
    WebSocket,
}

impl Framing {
    pub(crate) fn envelope(self) -> Envelope {
        match self {
            Self::Rtmp { .. } => Envelope::None,
            Self::Flv(envelope) | Self::Ts(envelope) => envelope,
        }
    }
}

impl Message {
    /// `timestamp_ms` is the stream's clock modulo 2^32. The header names message stream 1, where
    /// nearly all players are; [`Entry::slices`] puts in another one.
    pub(crate) fn new(tag: TagBody, timestamp_ms: u32) -> Self {
        let TagBody { kind, body } = tag;
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let rtmp = match kind {
            TagKind::Audio => MessageHeader::audio(1, timestamp_ms, len),
            TagKind::Video => MessageHeader::video(1, timestamp_ms, len),
            _ => MessageHeader::data(1, timestamp_ms, len),
        };
        Self {
            kind,
            rtmp: rtmp.encode(),
            flv: remux::flv::tag_header(kind, timestamp_ms, body.len()),
            flv_end: len.saturating_add(11).to_be_bytes(),
            envelopes: Envelopes::new(body.len() + FLV_AROUND),
            body,
        }
    }
}

impl Entry {
    /// Bytes of a body.
    pub(crate) fn body(bytes: Bytes) -> Self {
        Self::Body {
            envelopes: Envelopes::new(bytes.len()),
            bytes,
        }
    }

    pub(crate) fn kind(&self) -> Option<TagKind> {
        match self {
            Self::Raw(_) | Self::Body { .. } => None,
            Self::Message(message) => Some(message.kind),
        }
    }

    /// Bytes the entry keeps in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Raw(bytes) | Self::Body { bytes, .. } => bytes.len(),
                Self::Message(message) => message.body.len(),
            }
    }

    /// Bytes on the wire.
    pub(crate) fn wire_len(&self, framing: Framing) -> usize {
        let enveloped = |envelopes: &Envelopes, len: usize| {
            let (before, behind) = envelopes.around(framing.envelope());
            before.len() + len + behind.len()
        };
        match (self, framing) {
            (Self::Raw(bytes), _) => bytes.len(),
            (Self::Body { bytes, envelopes }, _) => enveloped(envelopes, bytes.len()),
            (Self::Message(m), Framing::Rtmp { chunk_size, .. }) => {
                m.rtmp.wire_len(m.body.len(), chunk_size)
            }
            (Self::Message(m), Framing::Flv(_)) => {
                enveloped(&m.envelopes, m.body.len() + FLV_AROUND)
            }
            (Self::Message(_), Framing::Ts(_)) => 0,
        }
    }

    /// Appends the slices of the wire, without its first `skip` bytes.
    pub(crate) fn slices<'a>(
        &'a self,
        framing: Framing,
        mut skip: usize,
        out: &mut Vec<IoSlice<'a>>,
    ) {
        let mut put = |slice: &'a [u8]| {
            if let Some(rest) = slice.get(skip..).filter(|rest| !rest.is_empty()) {
                out.push(IoSlice::new(rest));
            }
            skip = skip.saturating_sub(slice.len());
        };
        match (self, framing) {
            (Self::Raw(bytes), _) => put(bytes),
            (Self::Body { bytes, envelopes }, _) => {
                let (before, behind) = envelopes.around(framing.envelope());
                [before, bytes, behind].into_iter().for_each(put);
            }
            (
                Self::Message(m),
                Framing::Rtmp {
                    chunk_size,
                    message_stream_id,
                },
            ) => {
                let mut slices = rtmp::chunk::slices(&m.rtmp, &m.body, chunk_size);
                // After one byte of basic header, time, length and type (RTMP 1.0 §5.3.1.2.1).
                if message_stream_id != 1
                    && let Some(header) = slices.next()
                    && let Some((before, rest)) = header.split_at_checked(8)
                    && let Some((_, behind)) = rest.split_at_checked(4)
                {
                    let id = MESSAGE_STREAM_IDS.get(usize::from(message_stream_id));
                    put(before);
                    put(id.map_or(&[1, 0, 0, 0], |id| id));
                    put(behind);
                }
                slices.for_each(put);
            }
            (Self::Message(m), Framing::Flv(envelope)) => {
                let (before, behind) = m.envelopes.around(envelope);
                [before, &m.flv, &m.body, &m.flv_end, behind]
                    .into_iter()
                    .for_each(put);
            }
            (Self::Message(_), Framing::Ts(_)) => {}
        }
    }
}

/// The header of one whole, unmasked binary message (RFC 6455 §5.2).
fn ws_header(len: usize) -> Prefix {
    let first = [WS_BINARY];
    match len {
        0..WS_MEDIUM => Prefix::new(&[&first, &[u8::try_from(len).unwrap_or(0)]]),
        WS_MEDIUM..WS_LONG => {
            let len = u16::try_from(len).unwrap_or(0);
            Prefix::new(&[&first, &[126], &len.to_be_bytes()])
        }
        _ => Prefix::new(&[&first, &[127], &(len as u64).to_be_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wire(entry: &Entry, framing: Framing, skip: usize) -> Vec<u8> {
        let mut slices = Vec::new();
        entry.slices(framing, skip, &mut slices);
        slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect()
    }

    const FRAMINGS: [Framing; 6] = [
        Framing::Rtmp {
            chunk_size: 128,
            message_stream_id: 1,
        },
        Framing::Rtmp {
            chunk_size: 128,
            message_stream_id: 255,
        },
        Framing::Flv(Envelope::None),
        Framing::Flv(Envelope::Chunked),
        Framing::Flv(Envelope::WebSocket),
        Framing::Ts(Envelope::Chunked),
    ];

    #[test]
    fn any_part_of_the_wire_can_be_left_out_in_front() {
        let body: Bytes = (0..300u16).map(|n| n.to_le_bytes()[0]).collect();
        let message = Entry::Message(Message::new(
            TagBody {
                kind: TagKind::Video,
                body: body.clone(),
            },
            0x0100_0000,
        ));
        for (entry, framing) in [message, Entry::body(body)]
            .iter()
            .flat_map(|e| FRAMINGS.map(|f| (e, f)))
        {
            let whole = wire(entry, framing, 0);
            assert_eq!(whole.len(), entry.wire_len(framing), "{framing:?}");
            for skip in 0..=whole.len() {
                assert_eq!(
                    wire(entry, framing, skip),
                    whole[skip..],
                    "{framing:?} {skip}"
                );
            }
        }
    }

    #[test]
    fn message_stream_id_is_the_players_own() {
        let body = Bytes::from_static(b"abc");
        let kind = TagKind::Audio;
        let entry = Entry::Message(Message::new(TagBody { kind, body }, 0x0102_0304));
        for id in [1, 2, 255] {
            let framing = Framing::Rtmp {
                chunk_size: 128,
                message_stream_id: id,
            };
            let wanted = [
                &[8, 0xff, 0xff, 0xff, 0, 0, 3, 8, id, 0, 0, 0, 1, 2, 3, 4][..],
                b"abc",
            ];
            assert_eq!(wire(&entry, framing, 0), wanted.concat());
        }
    }

    #[test]
    fn flv_tag_has_its_extended_time_and_its_size_behind() {
        let entry = Entry::Message(Message::new(
            TagBody {
                kind: TagKind::Audio,
                body: Bytes::from_static(b"ab"),
            },
            0x0102_0304,
        ));
        let tag = [8, 0, 0, 2, 2, 3, 4, 1, 0, 0, 0, b'a', b'b', 0, 0, 0, 13];
        assert_eq!(wire(&entry, Framing::Flv(Envelope::None), 0), tag);
        let chunk = [&b"11\r\n"[..], &tag, b"\r\n"].concat();
        assert_eq!(wire(&entry, Framing::Flv(Envelope::Chunked), 0), chunk);
        let message = [&[0x82, 17][..], &tag].concat();
        assert_eq!(wire(&entry, Framing::Flv(Envelope::WebSocket), 0), message);
    }

    #[test]
    fn websocket_lengths_have_three_forms() {
        assert_eq!(ws_header(125).as_slice(), [0x82, 125]);
        assert_eq!(ws_header(126).as_slice(), [0x82, 126, 0, 126]);
        assert_eq!(ws_header(65_535).as_slice(), [0x82, 126, 0xff, 0xff]);
        assert_eq!(
            ws_header(65_536).as_slice(),
            [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]
        );
    }
}
