//! FLV files: the publisher's own tags, times moved to the beginning of the file; duration and key
//! frames are filled in at the end.

use media::{AccessUnit, DataMessage, Dts, Extra, Headers};
use remux::flv::FileMuxer;

use super::{Mux, Steps};

/// Room for key frames, 36 kB of the file: an hour of 2 s. In longer files every second one is
/// found, or every fourth.
const KEY_FRAMES: usize = 2_000;

pub(super) struct Flv {
    /// `None` when it is finished.
    muxer: Option<FileMuxer>,
    headers: Headers,
}

impl Flv {
    pub(super) fn new(headers: &Headers) -> Self {
        let key_frames = match headers.tracks.video() {
            Some(_) => KEY_FRAMES,
            None => 0,
        };
        Self {
            muxer: Some(FileMuxer::new(key_frames)),
            headers: headers.clone(),
        }
    }
}

impl Mux for Flv {
    fn start(&mut self, out: &mut Steps) {
        if let Some(muxer) = &mut self.muxer {
            out.write(muxer.start(&self.headers, Dts(0)));
            for extra in std::mem::take(&mut self.headers.extras) {
                out.write(muxer.extra(&extra, Dts(0)));
            }
        }
    }

    fn unit(&mut self, unit: &AccessUnit, _join: bool, out: &mut Steps) {
        let Some(muxer) = &mut self.muxer else { return };
        // FLV's clock has no time before 0; its reader would take it for 49 days.
        if unit.dts.0 < 0 {
            let dts = Dts(0);
            out.write(muxer.unit(&AccessUnit {
                dts,
                ..unit.clone()
            }));
        } else {
            out.write(muxer.unit(unit));
        }
    }

    fn data(&mut self, message: &DataMessage, out: &mut Steps) {
        // What the next publisher says of itself: FFmpeg takes metadata in the middle of a file for a
        // track of subtitles, and then copies nothing of it.
        if message.is_metadata() {
            return;
        }
        if let Some(muxer) = &mut self.muxer {
            out.write(muxer.data(message));
        }
    }

    fn extra(&mut self, extra: &Extra, ms: i64, out: &mut Steps) {
        if let Some(muxer) = &mut self.muxer {
            out.write(muxer.extra(extra, Dts(ms.max(0))));
        }
    }

    fn finish(&mut self, _end_ms: i64, out: &mut Steps) {
        if let Some(muxer) = self.muxer.take() {
            for write in muxer.finish() {
                out.write(write);
            }
        }
    }
}
