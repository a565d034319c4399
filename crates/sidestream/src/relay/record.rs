//! Recordings: by the rules of the configuration, and by hand.

use std::time::Duration;

use ::record::{Clock, Format, Media, Recording, Spec};
use media::StreamName;

use super::Relay;
use super::error::Error;
use crate::config::{Config, Record, RecordRule};

/// A recording that is about to be started: made by [`Relay::record`].
#[derive(Debug)]
#[must_use = "nothing is recorded until it is started"]
pub struct RecordBuilder<'a> {
    relay: &'a Relay,
    name: String,
    spec: Spec,
    formats: Vec<Format>,
    path: Option<String>,
}

impl<'a> RecordBuilder<'a> {
    pub(super) fn new(relay: &'a Relay, name: &str) -> Self {
        Self {
            relay,
            name: name.to_owned(),
            spec: Spec::default(),
            formats: Vec::new(),
            path: None,
        }
    }

    /// Adds a container; without any it is MP4. All are written from one pass.
    pub fn format(mut self, format: Format) -> Self {
        self.formats.push(format);
        self
    }

    /// Which tracks; both picture and sound by default.
    pub fn media(mut self, media: Media) -> Self {
        self.spec.media = media;
        self
    }

    /// Goes on in the next file after this much media, at a random access point.
    pub fn split(mut self, every: Duration) -> Self {
        self.spec.split.every = every;
        self
    }

    /// Goes on in the next file when one has this many bytes.
    pub fn split_size(mut self, bytes: u64) -> Self {
        self.spec.split.bytes = bytes;
        self
    }

    /// Goes on in the next file at the full hour or day of local time.
    pub fn split_at(mut self, clock: Clock) -> Self {
        self.spec.split.at = Some(clock);
        self
    }

    /// Records this much of what came before, as far as the stream keeps it.
    pub fn preroll(mut self, time: Duration) -> Self {
        self.spec.preroll = time;
        self
    }

    /// Path of the files below the recording folder, see [`Template`](::record::Template).
    pub fn path(mut self, template: &str) -> Self {
        self.path = Some(template.to_owned());
        self
    }

    /// Starts it. A stream that nobody publishes yet is waited for.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Record`], [`Error::TooManyAwaited`].
    #[expect(
        clippy::unused_async,
        reason = "a control plane may be asked here one day"
    )]
    pub async fn start(mut self) -> Result<Recording, Error> {
        let name = super::parse_name(&self.name)?;
        if !self.formats.is_empty() {
            self.spec.formats = self.formats;
        }
        if let Some(path) = &self.path {
            self.spec.name = Some(path.parse()?);
        }
        self.spec.check()?;
        let inner = &self.relay.inner;
        let stream = inner.hub.await_stream(&name);
        let stream = stream.ok_or(Error::TooManyAwaited)?;
        Ok(inner.record.record(stream, self.spec)?)
    }
}

/// What holds for all recordings.
pub(super) fn config(config: &Config) -> Result<::record::Config, Error> {
    let mut record = ::record::Config::new(config.record.root(&config.storage));
    record.name = config.record.name.parse()?;
    record.min_free = config.record.min_free.0;
    record.queue_bytes = super::build::bytes(config.record.queue.0);
    record.resume = config.record.resume;
    record.keep = config.record.keep;
    record.keep_bytes = config.record.keep_size.0;
    Ok(record)
}

/// Whether nothing but the rules differs.
pub(super) fn same_but_rules(old: &Record, new: &Record) -> bool {
    let rule = old.rule.clone();
    *old == Record {
        rule,
        ..new.clone()
    }
}

/// Turns `[[record.rule]]` into the function that the manager asks.
pub(super) fn rules(
    rules: &[RecordRule],
) -> Result<impl Fn(&StreamName) -> Vec<Spec> + Send + Sync + 'static, Error> {
    let rules: Vec<(RecordRule, Spec)> = rules
        .iter()
        .map(|rule| Ok((rule.clone(), rule.spec()?)))
        .collect::<Result<_, Error>>()?;
    Ok(move |name: &StreamName| {
        let wanted = rules.iter().filter(|(rule, _)| rule.takes(name));
        wanted.map(|(_, spec)| spec.clone()).collect()
    })
}

/// Tells the API what is recorded.
pub(super) struct Recordings(pub(super) ::record::Manager);

impl server::Recordings for Recordings {
    fn of(&self, stream: &StreamName) -> Vec<server::Recording> {
        self.0.of(stream).iter().map(wire).collect()
    }

    fn states(&self) -> Vec<(&'static str, u64)> {
        let recordings = self.0.list();
        let words = recordings.iter().map(|one| one.status().state.as_str());
        let words: Vec<_> = words.collect();
        ["pending", "recording", "paused", "suspended", "finalizing"]
            .into_iter()
            .map(|word| {
                (
                    word,
                    words.iter().filter(|own| **own == word).count() as u64,
                )
            })
            .collect()
    }

    fn totals(&self) -> Vec<(&'static str, &'static str, u64)> {
        let totals = self.0.totals();
        vec![
            (
                "recorded_bytes",
                "Bytes of recordings written",
                totals.bytes,
            ),
            (
                "recording_files",
                "Files of recordings finished",
                totals.files,
            ),
            (
                "recording_recovered_files",
                "Files of recordings repaired after a crash",
                totals.recovered,
            ),
            (
                "recording_dropped_units",
                "Units that recordings lost because the disk was too slow",
                totals.dropped_units,
            ),
            (
                "recording_gaps",
                "Parts of streams that recordings lack",
                totals.gaps,
            ),
            (
                "recording_failures",
                "Times that a recording could not write",
                totals.failures,
            ),
        ]
    }
}

fn wire(recording: &Recording) -> server::Recording {
    let (status, spec) = (recording.status(), recording.spec());
    let mut wire = server::Recording::default();
    wire.id = recording.id().to_owned();
    wire.state = status.state.as_str().to_owned();
    wire.reason = status.reason.map(String::from);
    wire.formats = spec.formats.iter().map(ToString::to_string).collect();
    wire.media = spec.media.as_str().to_owned();
    wire.duration_s = Duration::from_millis(status.duration_ms.max(0).unsigned_abs()).as_secs_f64();
    wire.bytes = status.bytes;
    wire.queue_bytes = status.queue_bytes;
    wire.dropped_units = status.dropped_units;
    wire.gaps = status.gaps;
    wire.files_completed = status.files_completed;
    wire.open = status.open;
    wire
}
