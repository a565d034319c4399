//! Access units to FLV files.

use bytes::Bytes;
use media::{AccessUnit, DataMessage, Dts, Extra, Headers, Rounding, Timescale, TrackKind};

use super::{TagKind, header_body, metadata, unit_body};

/// The header of an FLV file or HTTP-FLV body with its first, empty, previous tag size
/// (FLV 10.1 §E.2, §E.3).
#[must_use]
pub fn file_header(audio: bool, video: bool) -> [u8; 13] {
    let flags = u8::from(audio) << 2 | u8::from(video);
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// The 11 bytes before a tag's body of `body_len` bytes (FLV 10.1 §E.4.1). Behind the body come
/// `body_len + 11` as four bytes, big endian. Lengths beyond 24 bits do not fit and are cut.
#[must_use]
pub fn tag_header(kind: TagKind, timestamp_ms: u32, body_len: usize) -> [u8; 11] {
    let len = u32::try_from(body_len).unwrap_or(u32::MAX);
    let [_, s0, s1, s2] = len.to_be_bytes();
    let [t3, t0, t1, t2] = timestamp_ms.to_be_bytes();
    [kind.wire(), s0, s1, s2, t0, t1, t2, t3, 0, 0, 0]
}

/// A time as RTMP messages and FLV tags carry it: modulo 2^32 milliseconds (RTMP 1.0 §5.3.1,
/// FLV 10.1 §E.4.1).
#[must_use]
pub fn wire_time(time_ms: i64) -> u32 {
    let [.., a, b, c, d] = time_ms.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// Writes an FLV file: gives the pieces of it, to be written in order.
///
/// Payload is not copied, small pieces are owned. [`Muxer::start`] comes first; times are written
/// as they are, the low 32 bits in milliseconds.
#[derive(Debug, Default)]
pub struct Muxer {
    headers: Headers,
}

impl Muxer {
    /// A muxer without tracks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The file's beginning: file header, metadata (made when there is none), sequence headers.
    pub fn start(&mut self, headers: &Headers, dts: Dts, out: &mut Vec<Bytes>) {
        let tracks = &headers.tracks;
        let header = file_header(tracks.audio().is_some(), tracks.video().is_some());
        out.push(Bytes::copy_from_slice(&header));
        let script = match &headers.metadata {
            Some(message) => message.amf0.clone(),
            None => metadata(tracks),
        };
        // At any other time FFmpeg takes it for a track of subtitles.
        push_tag(TagKind::Script, 0, &[], script, out);
        self.headers(headers, dts, out);
    }

    /// Tracks that changed: their sequence headers, at `dts` (milliseconds).
    pub fn headers(&mut self, headers: &Headers, dts: Dts, out: &mut Vec<Bytes>) {
        for track in headers.tracks.iter() {
            let known = self.headers.tracks.get(track.id);
            if known.is_some_and(|known| known.same_configuration(track)) {
                continue;
            }
            if let Some(body) = header_body(track) {
                push_tag(kind(track.kind()), wire_time(dts.0), &[], body, out);
            }
        }
        self.headers = headers.clone();
    }

    /// What the publisher says about a track besides its configuration, at `dts` (milliseconds);
    /// nothing for tracks that no headers named.
    pub fn extra(&mut self, extra: &Extra, dts: Dts, out: &mut Vec<Bytes>) {
        if let Some(track) = self.headers.tracks.get(extra.track) {
            let body = extra.flv_body.clone();
            push_tag(kind(track.kind()), wire_time(dts.0), &[], body, out);
        }
    }

    /// An access unit as a tag; nothing for tracks that no headers named.
    pub fn unit(&mut self, unit: &AccessUnit, out: &mut Vec<Bytes>) {
        let Some(track) = self.headers.tracks.get(unit.track) else {
            return;
        };
        let (header, body) = unit_body(track, unit);
        let dts = track
            .timescale
            .convert(unit.dts.0, Timescale::MILLIS, Rounding::Floor);
        push_tag(kind(track.kind()), wire_time(dts), &header, body, out);
    }

    /// A data message as a script tag.
    pub fn data(&mut self, message: &DataMessage, out: &mut Vec<Bytes>) {
        let time = wire_time(message.dts.0);
        push_tag(TagKind::Script, time, &[], message.amf0.clone(), out);
    }
}

fn kind(media: TrackKind) -> TagKind {
    match media {
        TrackKind::Video => TagKind::Video,
        TrackKind::Audio => TagKind::Audio,
    }
}

fn push_tag(kind: TagKind, time: u32, header: &[u8], body: Bytes, out: &mut Vec<Bytes>) {
    let len = header.len() + body.len();
    let mut start = Vec::with_capacity(11 + header.len());
    start.extend_from_slice(&tag_header(kind, time, len));
    start.extend_from_slice(header);
    out.push(start.into());
    out.push(body);
    let size = u32::try_from(len + 11).unwrap_or(u32::MAX);
    out.push(Bytes::copy_from_slice(&size.to_be_bytes()));
}
