//! AAC frames, each behind its ADTS header (ISO/IEC 13818-7 §6.2).

use bytes::Bytes;
use media::config::aac;
use media::{AccessUnit, CodecConfig, TrackId, TrackList};
use remux::LeftOut;

use super::{Mux, Steps};

pub(super) struct Adts {
    /// The default audio track, when it is AAC that ADTS can say.
    track: Option<(TrackId, aac::Config)>,
}

impl Adts {
    pub(super) fn new(tracks: &TrackList) -> (Self, Vec<LeftOut>) {
        let mut left_out = Vec::new();
        let mut carried = None;
        for track in tracks.iter() {
            let reason = match &track.config {
                Ok(CodecConfig::Aac(config)) if carried.is_none() => match config.adts_header(0) {
                    Ok(_) => {
                        carried = Some((track.id, config.clone()));
                        continue;
                    }
                    Err(error) => format!("ADTS cannot say it: {error}"),
                },
                Ok(CodecConfig::Aac(_)) => "an AAC file holds one track".to_owned(),
                _ => "an AAC file holds AAC; record mp4 or flv".to_owned(),
            };
            left_out.push(LeftOut {
                track: track.id,
                codec: track.codec,
                reason,
            });
        }
        (Self { track: carried }, left_out)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.track.is_none()
    }
}

impl Mux for Adts {
    fn start(&mut self, _out: &mut Steps) {}

    fn unit(&mut self, unit: &AccessUnit, _join: bool, out: &mut Steps) {
        let Some((track, config)) = &self.track else {
            return;
        };
        if *track != unit.track {
            return;
        }
        // A frame that is longer than 13 bits can say is left out.
        if let Ok(header) = config.adts_header(unit.payload.len()) {
            out.append(Bytes::copy_from_slice(&header));
            out.append(unit.payload.clone());
        }
    }

    fn finish(&mut self, _end_ms: i64, _out: &mut Steps) {}
}
