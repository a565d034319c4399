//! What is written: a container behind one face.

mod dated;
mod flv;
mod fmp4;
mod frames;
mod hls;
mod mp4;
mod ts;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::hls::WallTime;
use media::{AccessUnit, DataMessage, Rounding, Timescale, Track, TrackList};
use remux::{LeftOut, TimedMetadata};

use super::output::{Output, is_standard};
use super::{Error, OutputFormat};

/// Writes events to a file.
pub(super) trait Sink {
    /// From here on the tracks are these; tells which are left out. Tracks never go away.
    fn tracks(&mut self, tracks: &Arc<TrackList>) -> Result<Vec<LeftOut>, Error>;

    /// One unit, in the order of the source.
    fn unit(&mut self, unit: AccessUnit) -> Result<(), Error>;

    /// A script data message; for outputs that have a place for it.
    fn data(&mut self, _message: &Arc<DataMessage>) -> Result<(), Error> {
        Ok(())
    }

    /// Timed metadata; for outputs that have a place for it.
    fn timed(&mut self, _metadata: &Arc<TimedMetadata>) -> Result<(), Error> {
        Ok(())
    }

    /// The clock that follows does not continue the one before.
    fn discontinuity(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Ends the file; gives its bytes.
    fn finish(self: Box<Self>) -> Result<Finished, Error>;
}

/// What was written in the end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Finished {
    pub(super) bytes: u64,
    /// Units that were left out because their NAL unit lengths do not add up.
    pub(super) damaged_units: u64,
    /// Cues that a playlist could have said with a date.
    pub(super) undated_cues: usize,
}

/// How the output is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) format: OutputFormat,
    pub(super) faststart: bool,
    pub(super) segment: Duration,
    /// When the first unit of an HLS folder was.
    pub(super) date: Option<WallTime>,
    pub(super) overwrite: bool,
}

/// Somewhere to write to, before anything is known of the input.
pub(super) enum Target {
    File(Box<Output>),
    Folder(hls::Folder),
}

impl Target {
    /// Makes sure that `path` can be written.
    pub(super) fn open(path: &Path, layout: Layout) -> Result<Self, Error> {
        match layout.format {
            OutputFormat::Hls | OutputFormat::HlsTs if is_standard(path) => Err(Error::Usage(
                "an HLS folder cannot go to standard output; name a playlist".to_owned(),
            )),
            OutputFormat::Hls | OutputFormat::HlsTs => {
                Ok(Self::Folder(hls::Folder::create(path, layout.overwrite)?))
            }
            _ => Ok(Self::File(Box::new(Output::create(
                path,
                layout.overwrite,
            )?))),
        }
    }

    /// A sink for what begins like this.
    pub(super) fn sink(
        self,
        layout: Layout,
        begin: &Begin<'_>,
    ) -> Result<(Box<dyn Sink>, Vec<LeftOut>), Error> {
        let mut sink: Box<dyn Sink> = match self {
            Self::Folder(folder) => {
                let is_ts = layout.format == OutputFormat::HlsTs;
                Box::new(hls::Hls::new(folder, is_ts, layout))
            }
            Self::File(output) => match layout.format {
                OutputFormat::Flv => Box::new(flv::Flv::new(*output, begin)?),
                OutputFormat::Ts => Box::new(ts::Ts::new(*output)),
                OutputFormat::Aac | OutputFormat::Mp3 | OutputFormat::Ac3 => {
                    Box::new(frames::Frames::new(*output, layout.format))
                }
                OutputFormat::Mp4 => {
                    let (sink, left_out) = mp4::Mp4::new(*output, begin, layout.faststart);
                    return Ok((Box::new(sink), left_out));
                }
                _ => Box::new(fmp4::Fmp4::new(*output)),
            },
        };
        let left_out = sink.tracks(begin.tracks)?;
        Ok((sink, left_out))
    }
}

/// What is known when the output begins.
#[derive(Clone, Debug)]
pub(super) struct Begin<'a> {
    pub(super) tracks: &'a Arc<TrackList>,
    /// The first time of all, in ticks of 90 kHz.
    pub(super) first: i64,
    /// Bytes of the input, when it is a file.
    pub(super) bytes_total: Option<u64>,
    /// `onMetaData` of the input.
    pub(super) metadata: Option<Arc<DataMessage>>,
}

/// Reasons of muxers speak of live outputs; of files they end with this advice.
fn advise(mut left_out: Vec<LeftOut>, advice: &str) -> Vec<LeftOut> {
    for left in &mut left_out {
        let what = left.reason.split(';').next().unwrap_or_default();
        left.reason = format!("{what}; {advice}");
    }
    left_out
}

/// A time of a track in ticks of 90 kHz.
pub(super) fn ninety_khz(track: &Track, ticks: i64) -> i64 {
    let to = Timescale::NINETY_KHZ;
    track.timescale.convert(ticks, to, Rounding::Floor)
}

/// The track at whose random access points output is cut: the first video, or the first of all
/// that are carried.
fn cutting(tracks: &TrackList, carries: impl Fn(&Track) -> bool) -> Option<Arc<Track>> {
    let carried: Vec<_> = tracks.iter().filter(|track| carries(track)).collect();
    let mut video = carried
        .iter()
        .filter(|track| track.kind() == media::TrackKind::Video);
    video
        .next()
        .or(carried.first())
        .map(|track| Arc::clone(track))
}

/// No output: what is left when a sink has ended.
pub(super) struct Nothing;

impl Sink for Nothing {
    fn tracks(&mut self, _tracks: &Arc<TrackList>) -> Result<Vec<LeftOut>, Error> {
        Ok(Vec::new())
    }

    fn unit(&mut self, _unit: AccessUnit) -> Result<(), Error> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Finished, Error> {
        Ok(Finished::default())
    }
}
