//! MPEG-TS files.

use std::sync::Arc;

use bytes::BytesMut;
use media::{AccessUnit, TrackKind, TrackList};
use remux::{LeftOut, Scheme, TimedMetadata, ts};

use super::{Finished, Sink, advise, ninety_khz};
use crate::convert::Error;
use crate::convert::output::Output;

/// Ticks of 90 kHz after which the tables are repeated: 100 ms.
const TABLES_EVERY: i64 = 9_000;
/// Packets that are gathered before they are written; they stay in the cache of a core.
const GATHERED: usize = 1 << 18;

/// Writes one program.
pub(super) struct Ts {
    output: Output,
    packets: Packets,
}

/// Packets of a program, with tables where readers join.
pub(super) struct Packets {
    muxer: ts::Muxer,
    tracks: Arc<TrackList>,
    /// When the tables were written last.
    tables_at: Option<i64>,
    has_metadata: bool,
    has_splices: bool,
    pub(super) bytes: BytesMut,
    pub(super) damaged: u64,
}

impl Packets {
    pub(super) fn new() -> Self {
        Self {
            muxer: ts::Muxer::new(&TrackList::default()).0,
            tracks: Arc::default(),
            tables_at: None,
            has_metadata: false,
            has_splices: false,
            bytes: BytesMut::new(),
            damaged: 0,
        }
    }

    pub(super) fn set_tracks(&mut self, tracks: &Arc<TrackList>) -> Vec<LeftOut> {
        self.tables_at = None;
        self.tracks = Arc::clone(tracks);
        if self.muxer.is_empty() {
            let (muxer, left_out) = ts::Muxer::new(tracks);
            self.muxer = muxer;
            return left_out;
        }
        self.muxer.set_tracks(tracks)
    }

    pub(super) fn carries(&self, id: media::TrackId) -> bool {
        self.muxer.carries(id)
    }

    pub(super) fn discontinuity(&mut self) {
        self.tables_at = None;
        self.muxer.discontinuity();
    }

    /// The next packets begin with tables.
    pub(super) fn begin(&mut self) {
        self.tables_at = None;
    }

    pub(super) fn unit(&mut self, unit: &AccessUnit) {
        let Some(track) = self.tracks.get(unit.track) else {
            return;
        };
        let dts = ninety_khz(track, unit.dts.0);
        let joins = track.kind() == TrackKind::Video && unit.is_random_access();
        if joins || self.tables_at.is_none_or(|at| dts - at >= TABLES_EVERY) {
            self.tables_at = Some(dts);
            self.muxer.tables(&mut self.bytes);
        }
        if self.muxer.unit(unit, &mut self.bytes).is_err() {
            self.damaged += 1;
        }
    }

    /// ID3 and splice information have a place here; from the first of each on the tables name its
    /// stream.
    pub(super) fn timed(&mut self, metadata: &TimedMetadata) {
        let is_new = match metadata.scheme {
            Scheme::Id3 => {
                !std::mem::replace(&mut self.has_metadata, true) && self.muxer.carry_metadata()
            }
            Scheme::Scte35 => {
                !std::mem::replace(&mut self.has_splices, true) && self.muxer.carry_splices()
            }
            _ => return,
        };
        if is_new {
            self.muxer.tables(&mut self.bytes);
        }
        if self.muxer.timed(metadata, &mut self.bytes).is_err() {
            self.damaged += 1;
        }
    }
}

impl Ts {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            packets: Packets::new(),
        }
    }
}

impl Sink for Ts {
    fn tracks(&mut self, tracks: &Arc<TrackList>) -> Result<Vec<LeftOut>, Error> {
        let left_out = self.packets.set_tracks(tracks);
        Ok(advise(left_out, "write .mp4 or .flv"))
    }

    fn unit(&mut self, unit: AccessUnit) -> Result<(), Error> {
        self.packets.unit(&unit);
        if self.packets.bytes.len() >= GATHERED {
            self.output.write(&self.packets.bytes)?;
            self.packets.bytes.clear();
        }
        Ok(())
    }

    fn timed(&mut self, metadata: &Arc<TimedMetadata>) -> Result<(), Error> {
        self.packets.timed(metadata);
        Ok(())
    }

    fn discontinuity(&mut self) -> Result<(), Error> {
        self.packets.discontinuity();
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Finished, Error> {
        self.output.write(&self.packets.bytes)?;
        Ok(Finished {
            bytes: self.output.finish()?,
            damaged_units: self.packets.damaged,
            ..Finished::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use media::{Codec, CodecConfig, Dts, Timescale, Track, TrackId};
    use remux::Event;

    use super::*;

    /// SCTE 35 §14.1.
    const SPLICE: &[u8] = b"\xfc\x30\x34\0\0\0\0\0\0\xff\xff\xf0\x05\x06\xfe\x72\xbd\0\x50\0\x1e\x02\
        \x1cCUEIH\0\0\x8e\x7f\xcf\0\x01\xa5\x99\xb0\x08\x08\0\0\0\0\x2c\xa0\xa1\x8a\x34\x02\0\x9a\xc9\xd1\x7e";

    #[test]
    fn id3_tags_and_splices_come_back_and_other_metadata_has_no_place() {
        let mut packets = Packets::new();
        let config = CodecConfig::parse(Codec::Aac, &[0x12, 0x10]).expect("44.1 kHz, stereo");
        let track = Track::new(TrackId(1), Timescale::MILLIS, config);
        let tracks = Arc::new(TrackList::new(vec![Arc::new(track)]));
        assert_eq!(packets.set_tracks(&tracks), []);
        let frame = Bytes::from_static(&[0x21; 100]);
        let unit = |ms| AccessUnit::new(TrackId(1), Dts(ms), frame.clone());
        let timed = |scheme, pts, bytes| TimedMetadata {
            pts,
            duration: None,
            scheme,
            bytes: Bytes::from_static(bytes),
        };
        packets.unit(&unit(0));
        let before = packets.bytes.len();
        let emsg = Scheme::Emsg {
            uri: "urn:x".into(),
            value: "".into(),
            id: 1,
        };
        packets.timed(&timed(emsg, 0, b"x"));
        assert_eq!(packets.bytes.len(), before);
        // A section has the time of what came before it, in 90 kHz.
        let splice = timed(Scheme::Scte35, 0, SPLICE);
        packets.timed(&splice);
        let tag = timed(Scheme::Id3, 2_340, b"ID3\x04\0\0\0\0\0\x0aTXXX\0\0\0\0\0\0");
        packets.timed(&tag);
        packets.unit(&unit(23));
        packets.unit(&unit(46));

        let mut demuxer = ts::Demuxer::default();
        demuxer.push(packets.bytes.freeze());
        demuxer.finish();
        let mut found = Vec::new();
        while let Some(event) = demuxer.poll().expect("MPEG-TS") {
            if let Event::Timed(metadata) = event {
                found.push(TimedMetadata::clone(&metadata));
            }
        }
        found.sort_by_key(|metadata| metadata.pts);
        assert_eq!(found, [splice, tag]);
    }
}
