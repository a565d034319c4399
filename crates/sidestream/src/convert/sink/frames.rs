//! Files of bare audio frames: AAC with ADTS headers (ISO/IEC 14496-3 §1.A.3), MP3, AC-3, E-AC-3.

use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, Codec, CodecConfig, Track, TrackId, TrackList};
use remux::LeftOut;

use super::{Finished, Sink};
use crate::convert::output::Output;
use crate::convert::{Error, OutputFormat};

/// Writes the first track that fits.
pub(super) struct Frames {
    output: Output,
    format: OutputFormat,
    track: Option<TrackId>,
    /// AAC only.
    config: Option<media::config::aac::Config>,
    damaged: u64,
}

impl Frames {
    pub(super) fn new(output: Output, format: OutputFormat) -> Self {
        Self {
            output,
            format,
            track: None,
            config: None,
            damaged: 0,
        }
    }

    fn fits(&self, track: &Track) -> bool {
        let codec = match self.format {
            OutputFormat::Aac => matches!(track.config, Ok(CodecConfig::Aac(_))),
            OutputFormat::Mp3 => track.codec == Codec::Mp3,
            _ => matches!(track.codec, Codec::Ac3 | Codec::Eac3),
        };
        codec && self.track.is_none_or(|id| id == track.id)
    }

    fn holds(&self) -> &'static str {
        match self.format {
            OutputFormat::Aac => "AAC",
            OutputFormat::Mp3 => "MP3",
            _ => "AC-3 or E-AC-3",
        }
    }
}

impl Sink for Frames {
    fn tracks(&mut self, tracks: &Arc<TrackList>) -> Result<Vec<LeftOut>, Error> {
        let mut left_out = Vec::new();
        for track in tracks.iter() {
            if self.fits(track) {
                self.track = Some(track.id);
                if let Ok(CodecConfig::Aac(config)) = &track.config {
                    self.config = Some(config.clone());
                }
            } else {
                left_out.push(LeftOut {
                    track: track.id,
                    codec: track.codec,
                    reason: format!(
                        "such a file has one track of {}; write .m4a, .mp4 or .ts",
                        self.holds()
                    ),
                });
            }
        }
        if self.track.is_none() {
            let holds = self.holds();
            return Err(Error::output(
                self.output.path(),
                format_args!("there is no {holds} to write; write .m4a, .mp4, .ts or .flv"),
            ));
        }
        Ok(left_out)
    }

    fn unit(&mut self, unit: AccessUnit) -> Result<(), Error> {
        if self.track != Some(unit.track) {
            return Ok(());
        }
        if let Some(config) = &self.config {
            match config.adts_header(unit.payload.len()) {
                Ok(header) => self.output.append(Bytes::copy_from_slice(&header))?,
                Err(_) => {
                    self.damaged += 1;
                    return Ok(());
                }
            }
        }
        self.output.append(unit.payload)
    }

    fn finish(self: Box<Self>) -> Result<Finished, Error> {
        Ok(Finished {
            bytes: self.output.finish()?,
            damaged_units: self.damaged,
            ..Finished::default()
        })
    }
}
