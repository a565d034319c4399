//! Shared inputs of the benches: a clip of `testdata/` as tags, tracks, access units and RTMP
//! bytes.

pub mod flv_to_fmp4;

use std::path::Path;

use bytes::Bytes;
use media::{AccessUnit, Dts, TrackList};
use remux::flv::{Demuxer, Event, Limits, Parser, Tag, TagKind, tag_header};
use rtmp::chunk::{MessageHeader, slices};

/// A clip in memory.
#[derive(Debug)]
pub struct Clip {
    /// The file.
    pub file: Bytes,
    /// All tags, sequence headers and metadata included.
    pub tags: Vec<Tag>,
    /// What the sequence headers say.
    pub tracks: TrackList,
    /// All units, in order, with the times of their tags (milliseconds).
    pub units: Vec<AccessUnit>,
}

impl Clip {
    /// Reads a file of `testdata/`.
    ///
    /// # Panics
    /// When it is not there or is damaged: there is nothing to bench then.
    #[must_use]
    pub fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../testdata")
            .join(name);
        let file = Bytes::from(std::fs::read(&path).expect("the clip is there"));
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.push(file.clone());
        let mut tags = Vec::new();
        while let Some(tag) = demuxer.poll().expect("the clip is sound") {
            tags.push(tag);
        }
        let mut parser = Parser::new(Limits::default());
        let (mut tracks, mut units) = (TrackList::default(), Vec::new());
        for tag in &tags {
            for event in events(&mut parser, tag.kind, &tag.body) {
                match event {
                    Event::Track(track) => tracks = tracks.with(*track),
                    Event::Unit(mut unit) => {
                        unit.dts = Dts(tag.timestamp.into());
                        units.push(unit);
                    }
                    _ => {}
                }
            }
        }
        Self {
            file,
            tags,
            tracks,
            units,
        }
    }

    /// Audio and video messages as a publisher sends them, cut into chunks of `chunk_size` bytes,
    /// which is announced first.
    #[must_use]
    pub fn rtmp(&self, chunk_size: u32) -> Vec<u8> {
        // Set Chunk Size (RTMP 1.0 §5.4.1): csid 2, 4 bytes, type 1.
        let mut out = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];
        out.extend_from_slice(&chunk_size.to_be_bytes());
        for tag in &self.tags {
            if let Some(header) = message_header(tag) {
                let header = header.encode();
                slices(&header, &tag.body, chunk_size)
                    .for_each(|slice| out.extend_from_slice(slice));
            }
        }
        out
    }

    /// The file with its tags so many times over, their clock going on.
    #[must_use]
    pub fn repeated(&self, times: u32) -> Bytes {
        let period_ms = self.tags.last().map_or(0, |tag| tag.timestamp) + 40;
        let mut out = self.file.get(..13).map_or_else(Vec::new, <[u8]>::to_vec);
        for n in 0..times {
            for tag in &self.tags {
                let header = tag_header(tag.kind, tag.timestamp + n * period_ms, tag.body.len());
                out.extend_from_slice(&header);
                out.extend_from_slice(&tag.body);
                let len = u32::try_from(header.len() + tag.body.len()).unwrap_or(u32::MAX);
                out.extend_from_slice(&len.to_be_bytes());
            }
        }
        out.into()
    }

    /// Payload of all units, in bytes.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.units
            .iter()
            .map(|unit| unit.payload.len() as u64)
            .sum()
    }
}

/// The events of one tag body; none for script data.
///
/// # Panics
/// When the body is damaged.
pub fn events(parser: &mut Parser, kind: TagKind, body: &Bytes) -> remux::flv::Events {
    let events = match kind {
        TagKind::Audio => parser.audio(body),
        TagKind::Video => parser.video(body),
        _ => return remux::flv::Events::default(),
    };
    events.expect("the clip is sound")
}

/// The header of an audio or video message on message stream 1; `None` for script data.
#[must_use]
pub fn message_header(tag: &Tag) -> Option<MessageHeader> {
    let length = u32::try_from(tag.body.len()).ok()?;
    match tag.kind {
        TagKind::Audio => Some(MessageHeader::audio(1, tag.timestamp, length)),
        TagKind::Video => Some(MessageHeader::video(1, tag.timestamp, length)),
        _ => None,
    }
}
