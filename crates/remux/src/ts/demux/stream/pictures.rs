//! Pictures of what a video stream gathered, and their times.

use media::{AccessUnit, Dts, FrameRole, Ticks};

use super::{Mark, Reader, Stream};
use crate::Event;
use crate::ts::demux::shared::Shared;
use crate::ts::demux::video;

/// Distance of pictures when nothing told it: 25 a second.
const PICTURE: i64 = 3_600;

/// Times of pictures.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// Decode time of the last one, and the distance between the last two with times.
    pub(super) last: Option<i64>,
    step: Option<i64>,
    /// Scratch.
    found: Vec<video::Unit>,
    /// Bytes of the largest unit so far.
    pub(super) largest: usize,
}

impl Stream {
    /// Pictures before the last, which is damaged.
    pub(super) fn whole_pictures(&mut self, shared: &mut Shared) {
        if !self.gathered.is_empty() {
            self.pictures(true, true, shared);
        }
    }

    /// The access units of all that was gathered; without `ended`, what follows the last slice
    /// stays. `last_is_damaged`: without the last one.
    pub(super) fn pictures(&mut self, ended: bool, last_is_damaged: bool, shared: &mut Shared) {
        let (Reader::Video(video, pictures), Some((track, codec))) = (&mut self.reader, self.track)
        else {
            return;
        };
        let mut region = self.gathered.split();
        let mut found = std::mem::take(&mut pictures.found);
        let rest = match video.units(&mut region, ended, &mut found) {
            Ok(rest) => rest,
            Err(video::TooMany) => {
                let what = "an access unit of too many NAL units";
                shared.damage(self.from..self.seen, Some(track), what);
                self.marks.clear();
                pictures.found = found;
                return;
            }
        };
        let rest_at = region.len();
        let region = region.freeze();
        if last_is_damaged {
            found.pop();
        }
        let mut marks = self.marks.drain(..).peekable();
        let mut open = None;
        for mut unit in found.drain(..) {
            while let Some(mark) = marks.next_if(|mark| mark.at <= unit.at) {
                open = Some(mark);
            }
            let times = open.take().and_then(|mark| mark.times);
            let (pts, dts) = times.unwrap_or_else(|| {
                let step = pictures.step.unwrap_or(PICTURE);
                let dts = pictures
                    .last
                    .map_or(shared.clock.newest.unwrap_or(0), |last| last + step);
                (dts, dts)
            });
            if times.is_some() {
                pictures.step = pictures
                    .last
                    .map(|last| dts - last)
                    .filter(|&step| step > 0);
            }
            pictures.last = Some(dts);
            if let Some(config) = unit.config.take() {
                shared.configure(track, codec, config);
            }
            let payload = unit.payload(&region);
            if payload.is_empty() {
                continue;
            }
            pictures.largest = pictures.largest.max(payload.len());
            shared.events.push_back(Event::Unit(AccessUnit {
                track,
                dts: Dts(dts),
                composition_offset: Ticks(pts - dts),
                role: match unit.random_access {
                    true => FrameRole::RandomAccess,
                    false => FrameRole::Inter,
                },
                payload,
                flv_body: None,
            }));
        }
        // Delimiter and sets before a picture whose slices come in the next PES packet.
        let rest_mark = marks.next_back().or(open).and_then(|mark| mark.times);
        drop(marks);
        pictures.found = found;
        if !rest.is_empty() && rest_at > 0 {
            self.gathered.extend_from_slice(&[0; video::SPARE]);
            self.gathered.extend_from_slice(&rest);
            self.marks.push(Mark {
                at: video::SPARE,
                times: rest_mark,
            });
        }
    }
}
