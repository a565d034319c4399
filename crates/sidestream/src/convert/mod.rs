//! Files from one container into another, without encoding.
//!
//! ```text
//! Source ─▶ prelude: until the tracks are known ─▶ cut ─▶ clock: breaks ─▶ sink ─▶ output: .part, renamed
//! ```
//!
//! [`Job`] says what is wanted and does it; [`Watch`] is told how far it is. [`Source`] alone reads a
//! file of any container as events. All of it blocks: one thread, no runtime. Reads are of 1 MiB,
//! writes of 256 KiB and more, payload is shared between them.
//!
//! ```no_run
//! use sidestream::convert::{Job, Silent};
//!
//! let summary = Job::new("lesson.flv", "lesson.mp4").run(&mut Silent)?;
//! println!("{} bytes, {:?}", summary.bytes_written, summary.media);
//! # Ok::<(), sidestream::convert::Error>(())
//! ```

mod buffers;
mod clock;
mod copy;
mod cut;
mod error;
mod format;
mod losses;
mod output;
mod sink;
mod source;
mod tracks;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

pub use error::Error;
pub use format::{InputFormat, NoTrackChoice, OutputFormat, TrackChoice};
pub use hls::WallTime;
pub use losses::Losses;
pub use source::Source;

/// What is to be done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Job {
    /// The file to read; `-` is standard input.
    pub input: PathBuf,
    /// The file to write; `-` is standard output.
    pub output: PathBuf,
    /// What the input is; found out from its first bytes when `None`.
    pub from: Option<InputFormat>,
    /// What the output shall be; as its name says when `None`.
    pub to: Option<OutputFormat>,
    /// The tracks that are kept; all of them when empty.
    pub tracks: Vec<TrackChoice>,
    /// Media before the random access point at or before this place is left out.
    pub start: Option<Duration>,
    /// Media from the first random access point at or after this place on is left out.
    pub end: Option<Duration>,
    /// MP4: the index in front of the media.
    pub faststart: bool,
    /// HLS: length that segments have at least.
    pub segment: Duration,
    /// HLS: when the first access unit of the output was; the playlist then has dates, and date ranges for the
    /// cues of the input.
    pub date: Option<WallTime>,
    /// An existing output is replaced.
    pub overwrite: bool,
}

impl Job {
    /// All of `input`, in the container that the name of `output` says.
    pub fn new(input: impl Into<PathBuf>, output: impl Into<PathBuf>) -> Self {
        Self {
            input: input.into(),
            output: output.into(),
            from: None,
            to: None,
            tracks: Vec::new(),
            start: None,
            end: None,
            faststart: false,
            segment: Duration::from_secs(6),
            date: None,
            overwrite: false,
        }
    }

    /// Does it. The output appears under its name when it is whole; without a `Ok` there is none.
    ///
    /// # Errors
    /// See [`Error`]. Damage of the input is none: what can be read is written, and
    /// [`Summary::losses`] tells what could not.
    pub fn run(&self, watch: &mut dyn Watch) -> Result<Summary, Error> {
        copy::run(self, self.layout()?, watch)
    }

    fn layout(&self) -> Result<sink::Layout, Error> {
        let format = self.to.or_else(|| OutputFormat::of_name(&self.output));
        let Some(mut format) = format else {
            let names = OutputFormat::ALL.map(OutputFormat::name).join(", ");
            let output = self.output.display();
            return Err(Error::Usage(format!(
                "{output}: its name does not say what it shall be; pass --to and one of {names}"
            )));
        };
        if format == OutputFormat::Mp4 && !output::is_replaceable(&self.output) {
            // An index behind the media cannot be reached in a pipe.
            format = OutputFormat::Fmp4;
        }
        if self.faststart && format != OutputFormat::Mp4 {
            return Err(Error::Usage(
                "--faststart: is for an ordinary MP4 file; write to a name that ends with .mp4"
                    .to_owned(),
            ));
        }
        if self.date.is_some() && !matches!(format, OutputFormat::Hls | OutputFormat::HlsTs) {
            return Err(Error::Usage(
                "--date: is for an HLS folder; write to a name that ends with .m3u8".to_owned(),
            ));
        }
        if self
            .end
            .is_some_and(|end| end <= self.start.unwrap_or_default())
        {
            return Err(Error::Usage(
                "--end: lies before --start; choose a later place".to_owned(),
            ));
        }
        Ok(sink::Layout {
            format,
            faststart: self.faststart,
            segment: self.segment,
            date: self.date,
            overwrite: self.overwrite,
        })
    }
}

/// Is told how a job goes.
pub trait Watch {
    /// So much is done; called every few units. A break ends the job with what it has so far.
    fn progress(&mut self, progress: Progress) -> ControlFlow<()>;

    /// Something is left out or wrong, and the job goes on; one sentence.
    fn warning(&mut self, what: &str);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Watch for Silent {
    fn progress(&mut self, _progress: Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn warning(&mut self, _what: &str) {}
}

/// How far a job is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of the input that were read.
    pub bytes_read: u64,
    /// Bytes of the input, when it is one file.
    pub bytes_total: Option<u64>,
    /// How much of the input was read, from 0 to 1, where that is known.
    pub share: Option<f64>,
    /// How much of the input's time has passed.
    pub media: Duration,
}

/// What was done.
#[derive(Debug)]
#[non_exhaustive]
pub struct Summary {
    /// Length of what was written.
    pub media: Duration,
    /// Bytes of the input that were read.
    pub bytes_read: u64,
    /// Bytes of the input, when it is one file.
    pub bytes_total: Option<u64>,
    /// Bytes of all files that were written.
    pub bytes_written: u64,
    /// Tracks in the output.
    pub tracks: usize,
    /// Warnings that were given.
    pub warnings: u64,
    /// What of the input could not be read.
    pub losses: Losses,
    /// Units that were left out because their NAL unit lengths do not add up.
    pub damaged_units: u64,
    /// Whether [`Watch::progress`] ended the job.
    pub interrupted: bool,
}

impl Summary {
    /// Whether part of the input could not be used.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged_units > 0 || !self.losses.is_empty()
    }
}
