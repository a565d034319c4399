//! MPEG-TS files.

use bytes::BytesMut;
use media::{AccessUnit, TrackList};
use remux::LeftOut;
use remux::ts::Muxer;

use super::{Mux, Steps};

/// Most bytes that are gathered before they are handed on; a unit more may be there.
const PIECE_BYTES: usize = 128 << 10;

pub(super) struct Ts {
    muxer: Muxer,
    pending: BytesMut,
}

impl Ts {
    pub(super) fn new(tracks: &TrackList) -> (Self, Vec<LeftOut>) {
        let (muxer, left_out) = Muxer::new(tracks);
        let this = Self {
            muxer,
            pending: BytesMut::new(),
        };
        (this, left_out)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.muxer.is_empty()
    }
}

impl Mux for Ts {
    fn start(&mut self, _out: &mut Steps) {
        self.muxer.tables(&mut self.pending);
    }

    fn unit(&mut self, unit: &AccessUnit, join: bool, out: &mut Steps) {
        if !self.muxer.carries(unit.track) {
            return;
        }
        if join {
            self.muxer.tables(&mut self.pending);
        }
        // A unit that is damaged is left out; the rest goes on.
        let _ = self.muxer.unit(unit, &mut self.pending);
        if self.pending.len() >= PIECE_BYTES {
            self.flush(out);
        }
    }

    fn discontinuity(&mut self, _out: &mut Steps) {
        self.muxer.discontinuity();
    }

    fn flush(&mut self, out: &mut Steps) {
        out.append(self.pending.split().freeze());
    }

    fn finish(&mut self, _end_ms: i64, out: &mut Steps) {
        self.flush(out);
    }
}
