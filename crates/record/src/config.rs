//! How recordings are made.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::format::{Format, Media};
use crate::name::Template;

/// What holds for all recordings of a process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The recording root. Made when the first file is.
    pub root: PathBuf,
    /// Name of files, see [`Template`].
    pub name: Template,
    /// Space that is left to others: with less free nothing is written.
    pub min_free: u64,
    /// Most bytes that wait for the disk, per recording; beyond it the recording gets a gap.
    pub queue_bytes: usize,
    /// Whether a recording that had to stop for lack of space, or an error, goes on when it can.
    pub resume: bool,
    /// Finished files older than this are removed; zero keeps all.
    pub keep: Duration,
    /// Finished files beyond this sum are removed, the oldest first; zero keeps all.
    pub keep_bytes: u64,
    /// Whether files below the root that a crash left are finished at the start. Without it nothing
    /// below the root is looked at but what this process writes: for a root that is not ours alone.
    pub recover: bool,
}

impl Config {
    /// The usual settings below a root.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            name: NAME.parse().expect("a good template"),
            min_free: 1 << 30,
            queue_bytes: 64 << 20,
            resume: true,
            keep: Duration::ZERO,
            keep_bytes: 0,
            recover: true,
        }
    }
}

/// The usual name of files.
pub const NAME: &str = "{app}/{stream}/{start:%Y%m%d-%H%M%S}-{index}";

/// What one recording is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spec {
    /// Its id, in events and manifests; one is made up when absent. Whoever gives one answers for
    /// it that no two recordings run under it.
    pub id: Option<Arc<str>>,
    /// Containers, all written from one pass.
    pub formats: Vec<Format>,
    /// Which tracks.
    pub media: Media,
    /// When the next file begins.
    pub split: Split,
    /// How much of what was there before the start is recorded too, as far as the stream's ring
    /// holds it.
    pub preroll: Duration,
    /// Name of its files, instead of [`Config::name`].
    pub name: Option<Template>,
    /// What the names of its files end with, instead of the format's word and its dot; empty:
    /// nothing. For a recording of one format.
    pub extension: Option<String>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            id: None,
            formats: vec![Format::Mp4],
            media: Media::Av,
            split: Split::default(),
            preroll: Duration::ZERO,
            name: None,
            extension: None,
        }
    }
}

impl Spec {
    /// Checks that the formats can be written at once, and hold what is to be recorded.
    ///
    /// # Errors
    /// [`Error::Formats`].
    pub fn check(&self) -> Result<(), Error> {
        if self.formats.is_empty() {
            return Err(Error::Formats("none; write formats = [\"mp4\"]"));
        }
        let mut seen = Vec::new();
        for format in &self.formats {
            if seen.contains(format) {
                return Err(Error::Formats("one stands there twice"));
            }
            seen.push(*format);
        }
        if self.formats.contains(&Format::Aac) && self.media != Media::Audio {
            return Err(Error::Formats(
                "aac holds sound only; write media = \"audio\"",
            ));
        }
        if self.extension.is_some() && self.formats.len() > 1 {
            return Err(Error::Formats(
                "several with one extension; leave the extension to them",
            ));
        }
        Ok(())
    }

    /// What follows the name of a file.
    pub(crate) fn ending(&self, format: Format) -> String {
        match &self.extension {
            None => format!(".{}", format.extension(self.media)),
            Some(none) if none.is_empty() => String::new(),
            Some(own) => format!(".{own}"),
        }
    }
}

/// When a recording goes on in the next file: whatever comes first, always at a random access
/// point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Split {
    /// After this much media time; zero never.
    pub every: Duration,
    /// When a file has this many bytes; zero never.
    pub bytes: u64,
    /// At the full hour or day of local time.
    pub at: Option<Clock>,
}

impl Split {
    /// After this much media time.
    #[must_use]
    pub fn every(time: Duration) -> Self {
        Self {
            every: time,
            ..Self::default()
        }
    }
}

/// A moment of local time at which files begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Every full hour.
    Hour,
    /// Midnight.
    Day,
}

impl Clock {
    /// The first such moment after `wall_ms` (milliseconds of the Unix epoch).
    pub(crate) fn next(self, wall_ms: i64) -> i64 {
        let hour = wall_ms - wall_ms.rem_euclid(3_600_000) + 3_600_000;
        let now = jiff::Timestamp::from_millisecond(wall_ms).unwrap_or_default();
        let now = now.to_zoned(jiff::tz::TimeZone::system());
        let next = match self {
            // Time zones of half an hour have their hours in between.
            Self::Hour => now
                .round(
                    jiff::ZonedRound::new()
                        .smallest(jiff::Unit::Hour)
                        .mode(jiff::RoundMode::Trunc),
                )
                .and_then(|hour| hour.checked_add(jiff::Span::new().hours(1))),
            Self::Day => now.tomorrow().and_then(|day| day.start_of_day()),
        };
        next.map_or(hour, |next| next.timestamp().as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_hour_is_ahead_and_at_most_one_away() {
        let hour = 3_600_000;
        for wall in [0, 1, hour - 1, hour, 1_763_716_502_120] {
            let next = Clock::Hour.next(wall);
            assert!(next > wall && next <= wall + hour, "{wall} -> {next}");
            let day = Clock::Day.next(wall);
            assert!(day > wall && day <= wall + 25 * hour, "{wall} -> {day}");
        }
    }

    #[test]
    fn aac_is_for_sound_only() {
        let spec = |formats: &[Format], media| Spec {
            formats: formats.to_vec(),
            media,
            ..Spec::default()
        };
        assert!(spec(&[Format::Mp4, Format::Flv], Media::Av).check().is_ok());
        assert!(spec(&[Format::Aac], Media::Audio).check().is_ok());
        assert!(spec(&[Format::Aac], Media::Av).check().is_err());
        assert!(spec(&[], Media::Av).check().is_err());
        assert!(
            spec(&[Format::Mp4, Format::Mp4], Media::Av)
                .check()
                .is_err()
        );
    }
}
