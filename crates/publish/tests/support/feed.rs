//! An artificial publisher: made-up H.264 and AAC through the same parser as a real one's.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::time::Instant;

use bytes::Bytes;
use hub::{Hub, Publisher, PublisherInfo};
use media::StreamName;
use remux::flv::{Event, Parser};

/// avcC of x264: High 640x360.
pub const AVCC: &str =
    "0164001effe1001a6764001eacd940a02ff97011000003000100000300320f162d9601000568ebecb22cfdf8f800";
/// AudioSpecificConfig: LC, 48 kHz, stereo.
pub const ASC: &str = "1190";

pub fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

pub fn name(stream: &str) -> StreamName {
    StreamName::parse("live", stream).unwrap()
}

/// The sequence header of the video; `level` makes it another one.
pub fn video_header(level: u8) -> Bytes {
    let mut avcc = hex(AVCC);
    // AVCLevelIndication, and the same in the SPS.
    avcc[3] = level;
    avcc[11] = level;
    [&[0x17, 0, 0, 0, 0], &avcc[..]].concat().into()
}

/// The sequence header of the audio.
pub fn audio_header() -> Bytes {
    [&[0xaf, 0], &hex(ASC)[..]].concat().into()
}

/// A video message of `len` bytes of one NAL unit that tells its time.
pub fn video(ms: u32, key: bool, len: usize) -> Bytes {
    let first = if key { 0x17 } else { 0x27 };
    let nal = if key { 0x65 } else { 0x41 };
    let mut body = vec![first, 1, 0, 0, 0];
    body.extend_from_slice(&u32::try_from(len + 5).unwrap().to_be_bytes());
    body.push(nal);
    body.extend_from_slice(&ms.to_be_bytes());
    body.extend((0..len).map(|at| (at % 251) as u8));
    body.into()
}

/// An audio message that tells its time.
pub fn audio(ms: u32) -> Bytes {
    [&[0xaf, 1][..], &ms.to_be_bytes(), &[0x21; 60]]
        .concat()
        .into()
}

/// `onMetaData` with one property.
pub fn metadata() -> Bytes {
    let mut out = bytes::BytesMut::new();
    let values = [
        amf0::Value::from("onMetaData"),
        amf0::Value::EcmaArray(vec![("encoder".to_owned(), amf0::Value::from("feed"))]),
    ];
    amf0::encode_all(&values, &mut out);
    out.freeze()
}

/// A publisher on a hub.
pub struct Feed {
    pub publisher: Publisher,
    parser: Parser,
}

impl Feed {
    /// Publishes `live/{stream}`.
    pub fn start(hub: &Hub, stream: &str) -> Self {
        let info = PublisherInfo::library();
        Self {
            publisher: hub.publish(&name(stream), info, Instant::now()).unwrap(),
            parser: Parser::new(remux::flv::Limits::default()),
        }
    }

    /// Publishes, and sends metadata and both sequence headers.
    pub fn with_headers(hub: &Hub, stream: &str) -> Self {
        let mut feed = Self::start(hub, stream);
        feed.metadata();
        feed.video_body(0, &video_header(0x1e));
        feed.audio_body(0, &audio_header());
        feed
    }

    pub fn metadata(&mut self) {
        self.publisher
            .data_at(0, "onMetaData", metadata(), Instant::now())
            .unwrap();
    }

    pub fn video_body(&mut self, ms: u32, body: &Bytes) {
        let events: Vec<_> = self.parser.video(body).unwrap().collect();
        self.take(ms, events);
    }

    pub fn audio_body(&mut self, ms: u32, body: &Bytes) {
        let events: Vec<_> = self.parser.audio(body).unwrap().collect();
        self.take(ms, events);
    }

    fn take(&mut self, ms: u32, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Track(track) => self.publisher.track(*track).unwrap(),
                Event::Unit(unit) => self.publisher.unit_at(ms, unit, Instant::now()).unwrap(),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A key frame or another picture of `len` bytes.
    pub fn video(&mut self, ms: u32, key: bool, len: usize) {
        self.video_body(ms, &video(ms, key, len));
    }

    pub fn audio(&mut self, ms: u32) {
        self.audio_body(ms, &audio(ms));
    }

    /// Pictures every 100 ms in `range`, a key frame every `gop` ms, each of `len` bytes.
    pub fn pictures(&mut self, range: std::ops::Range<u32>, gop: u32, len: usize) {
        for ms in range.step_by(100) {
            self.video(ms, ms % gop == 0, len);
        }
    }
}
