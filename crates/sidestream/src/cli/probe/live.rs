//! Tags of a live stream to the analysis.

use std::sync::Arc;

use media::timeline::{Jump, Timeline};
use media::{Dts, Timescale};
use remux::flv::{Event, Limits, Parser, Tag, TagKind};

use super::analysis::Analysis;

/// Bytes around a tag's body: its header and its size.
const TAG_BYTES: u64 = 15;

/// Reads tags and puts their times, which have 32 bits, on one line.
pub(super) struct Live {
    parser: Parser,
    timeline: Timeline,
}

impl Live {
    pub(super) fn new() -> Self {
        Self {
            parser: Parser::new(Limits::default()),
            timeline: Timeline::new(),
        }
    }

    /// Looks at one tag.
    pub(super) fn tag(&mut self, tag: &Tag, analysis: &mut Analysis) {
        analysis.bytes += tag.body.len() as u64 + TAG_BYTES;
        let at = |error| format!("{error} in the tag at byte {}", tag.offset);
        let events = match tag.kind {
            TagKind::Audio => self.parser.audio(&tag.body),
            TagKind::Video => self.parser.video(&tag.body),
            TagKind::Script => return analysis.data(),
        };
        let events = match events {
            Ok(events) => events,
            Err(error) => return analysis.refuse(at(error)),
        };
        for event in events {
            match event {
                Event::Track(track) => {
                    debug_assert_eq!(track.timescale, Timescale::MILLIS);
                    analysis.track(&Arc::new(*track));
                }
                Event::Unit(mut unit) => {
                    // No wall clock: jumps are told, not repaired.
                    let placed = self.timeline.place(unit.track, tag.timestamp, None);
                    if let Some(Jump::Restart { .. }) = placed.jump {
                        let time = tag.timestamp;
                        analysis.breaks(&format!("the clock restarts at {time} ms"));
                    }
                    unit.dts = Dts(placed.dts.0);
                    analysis.unit(&unit);
                }
                Event::Refused(error) => analysis.refuse(at(error)),
                _ => {}
            }
        }
    }
}
