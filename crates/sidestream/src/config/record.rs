//! Recordings: where they go, and which streams are recorded.

use std::path::PathBuf;
use std::time::Duration;

use media::StreamName;
use record::{Clock, Format, Media};

use super::quantity::Size;
use super::setting::{Setting, Wrong, read_text, read_word, read_words, show_words};
use super::value::Value;
use super::{Config, Storage, push};

/// `[record]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// Folder below the data folder, or an absolute one.
    pub dir: PathBuf,
    /// Path of files in it, see [`record::Template`].
    pub name: String,
    /// Space that recordings leave free.
    pub min_free: Size,
    /// Most bytes of a recording that wait for the disk.
    pub queue: Size,
    /// Whether a recording that had to stop goes on when it can.
    pub resume: bool,
    /// Finished files older than this are removed; zero keeps them.
    pub keep: Duration,
    /// Finished files beyond this sum are removed, the oldest first; zero keeps them.
    pub keep_size: Size,
    /// `[[record.rule]]`: which streams are recorded.
    pub rule: Vec<RecordRule>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("recordings"),
            name: record::NAME.to_owned(),
            min_free: Size(1 << 30),
            queue: Size(64 << 20),
            resume: true,
            keep: Duration::ZERO,
            keep_size: Size(0),
            rule: Vec::new(),
        }
    }
}

/// `[[record.rule]]`: streams that are recorded from their start to their end.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordRule {
    /// Pattern of stream names, `*` stands for anything: `live/*`. Empty when `stream` is set.
    pub matches: String,
    /// One stream's name. Empty when `matches` is set.
    pub stream: String,
    /// Containers, all at once.
    pub formats: Vec<Format>,
    /// Which tracks.
    pub media: Media,
    /// The next file begins after this much media; zero: never.
    pub split: Duration,
    /// The next file begins when one has this many bytes; zero: never.
    pub split_size: Size,
    /// The next file begins at the full hour or day.
    pub split_at: Option<Clock>,
    /// How much of what came before the rule is recorded, as far as the stream keeps it.
    pub preroll: Duration,
    /// Path of the files, instead of `record.name`; empty: that.
    pub name: String,
}

impl Default for RecordRule {
    fn default() -> Self {
        Self {
            matches: String::new(),
            stream: String::new(),
            formats: vec![Format::Mp4],
            media: Media::Av,
            split: Duration::from_secs(3_600),
            split_size: Size(0),
            split_at: None,
            preroll: Duration::ZERO,
            name: String::new(),
        }
    }
}

impl RecordRule {
    /// Whether this rule takes the stream.
    #[must_use]
    pub fn takes(&self, name: &StreamName) -> bool {
        push::takes(&self.matches, &self.stream, name)
    }

    /// What is to be recorded.
    ///
    /// # Errors
    /// What is wrong with formats or name, as one sentence.
    pub fn spec(&self) -> Result<record::Spec, record::Error> {
        let mut spec = record::Spec::default();
        spec.formats.clone_from(&self.formats);
        spec.media = self.media;
        spec.split.every = self.split;
        spec.split.bytes = self.split_size.0;
        spec.split.at = self.split_at;
        spec.preroll = self.preroll;
        spec.name = match self.name.as_str() {
            "" => None,
            name => Some(name.parse()?),
        };
        spec.check()?;
        Ok(spec)
    }
}

impl Record {
    /// Where recordings go.
    #[must_use]
    pub fn root(&self, storage: &Storage) -> PathBuf {
        storage.data.join(&self.dir)
    }
}

/// Which rules are broken.
pub(super) fn check(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    let record = &config.record;
    if let Err(error) = record.name.parse::<record::Template>() {
        complain("record.name", format!("record.{error}"));
    }
    if record
        .dir
        .components()
        .any(|part| part == std::path::Component::ParentDir)
    {
        complain(
            "record.dir",
            "record.dir: \"..\" leads out of the data folder; write an absolute path".to_owned(),
        );
    }
    if record.queue.0 < 1 << 20 {
        complain(
            "record.queue",
            format!("record.queue: {} is less than 1MiB", record.queue),
        );
    }
    for (index, rule) in record.rule.iter().enumerate() {
        let mut say =
            |key: &str, what: String| complain(&format!("record.rule.{index}.{key}"), what);
        match (rule.matches.is_empty(), rule.stream.is_empty()) {
            (true, true) => say(
                "match",
                "record.rule has neither match nor stream; write match = \"live/*\"".to_owned(),
            ),
            (false, false) => say(
                "match",
                "record.rule has match and stream; keep one".to_owned(),
            ),
            (true, false) => {
                if let Err(error) = StreamName::from_path(&rule.stream) {
                    say("stream", format!("record.rule.stream: {error}"));
                }
            }
            (false, true) => {}
        }
        match rule.spec() {
            Ok(_) => {}
            Err(error @ record::Error::Template { .. }) => {
                say("name", format!("record.rule.{error}"));
            }
            Err(error) => say("formats", format!("record.rule.{error}")),
        }
        let shortest = Duration::from_secs(1);
        if !rule.split.is_zero() && rule.split < shortest {
            say(
                "split",
                "record.rule.split: files of less than 1s; write split = \"1h\", or 0 for one file"
                    .to_owned(),
            );
        }
    }
}

impl Setting for Vec<Format> {
    const PLAIN: bool = false;

    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        read_words(
            name,
            value,
            "formats",
            &Format::ALL.map(|one| (one.as_str(), one)),
        )
    }

    fn show(&self) -> String {
        show_words(self.iter().map(|format| format.as_str()))
    }
}

impl Setting for Media {
    const PLAIN: bool = true;

    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let all = [Self::Av, Self::Audio, Self::Video];
        read_word(name, value, &all.map(|media| (media.as_str(), media)))
    }

    fn show(&self) -> String {
        format!("\"{}\"", self.as_str())
    }
}

/// A moment of the clock: the empty text is none.
impl Setting for Option<Clock> {
    const PLAIN: bool = true;

    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        match read_text(name, value)? {
            "" => Ok(None),
            _ => read_word(name, value, &[("hour", Clock::Hour), ("day", Clock::Day)]).map(Some),
        }
    }

    fn show(&self) -> String {
        match self {
            None => "\"\"",
            Some(Clock::Hour) => "\"hour\"",
            Some(Clock::Day) => "\"day\"",
        }
        .to_owned()
    }
}
