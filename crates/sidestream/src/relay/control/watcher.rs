//! Reports what happens on the media side to the control plane, in order, and nothing twice.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ::record::What;
use control::model::Cause;
use control::{Control, Observation, Publishing, Recorded};
use hub::{CloseCause, Event, PublisherInfo, Revoked};
use tokio_util::sync::CancellationToken;

use super::media::Media;

/// How often pushes are looked at, and what could not be stored is tried again.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two comparisons of who publishes here and there.
const COMPARE: u32 = 5;
/// Reports that wait for a database that takes none; beyond it the oldest are given up, and the
/// comparison finds what matters of them. Bounds: memory.
const WAITING: usize = 10_000;
/// Reports in one transaction.
const BATCH: usize = 64;

pub(super) struct Watcher {
    control: Control,
    media: Arc<Media>,
    hub: hub::Events,
    record: ::record::Events,
    waiting: VecDeque<Observation>,
    /// Streams that differed at the last comparison: what is on its way is no difference.
    suspects: BTreeSet<String>,
}

impl Watcher {
    pub(super) fn new(control: Control, media: Arc<Media>) -> Self {
        Self {
            hub: media.hub().events(),
            record: media.record().events(),
            control,
            media,
            waiting: VecDeque::new(),
            suspects: BTreeSet::new(),
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        self.find_files().await;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks = 0_u32;
        let (mut hub_open, mut record_open) = (true, true);
        loop {
            // All branches are cancel safe. What happened is reported before the stop is heard.
            tokio::select! {
                biased;
                event = self.hub.next(), if hub_open => match event {
                    Some(event) => self.waiting.extend(of_hub(event)),
                    None => hub_open = false,
                },
                event = self.record.next(), if record_open => match event {
                    Some(event) => self.waiting.extend(of_record(event)),
                    None => record_open = false,
                },
                _ = look.tick() => {
                    self.waiting.extend(self.media.push_news());
                    looks = looks.wrapping_add(1);
                    if looks.is_multiple_of(COMPARE) {
                        self.compare().await;
                    }
                }
                () = stop.cancelled() => return,
            }
            self.report().await;
        }
    }

    /// Stores what waits; what cannot be stored now stays.
    async fn report(&mut self) {
        while !self.waiting.is_empty() {
            let batch: Vec<_> = self.waiting.iter().take(BATCH).cloned().collect();
            let count = batch.len();
            match self.control.observe_all(batch).await {
                Ok(()) => drop(self.waiting.drain(..count)),
                Err(error)
                    if error.reason.is_retryable()
                        && error.reason != control::Reason::OperationInternal =>
                {
                    let excess = self.waiting.len().saturating_sub(WAITING);
                    self.waiting.drain(..excess);
                    return;
                }
                Err(_) => self.report_first().await,
            }
        }
    }

    /// One of a batch is not taken: each alone.
    async fn report_first(&mut self) {
        if let Some(first) = self.waiting.pop_front()
            && let Err(error) = self.control.observe(first).await
        {
            tracing::error!("not taken by the control plane: {error}");
        }
    }

    /// Finds what was missed: who publishes here and not there, and the reverse.
    async fn compare(&mut self) {
        let Ok(there) = self.control.publishing().await else {
            return;
        };
        let there: BTreeSet<String> = there.into_iter().collect();
        let streams = self.media.hub().list();
        let here = streams.iter().filter_map(|stream| {
            let (info, _) = stream.publisher()?;
            Some((stream.name().as_str().to_owned(), info))
        });
        let here: std::collections::BTreeMap<_, _> = here.collect();
        let mut suspects = BTreeSet::new();
        for (stream, info) in here.iter().filter(|(stream, _)| !there.contains(*stream)) {
            if self.suspects.contains(stream) {
                self.waiting
                    .push_back(Observation::Published(publishing(stream, info)));
            }
            suspects.insert(stream.clone());
        }
        for stream in there.iter().filter(|stream| !here.contains_key(*stream)) {
            if self.suspects.contains(stream) {
                let cause = Cause {
                    errcode: 4,
                    text: "its publisher is gone".to_owned(),
                };
                self.waiting.push_back(Observation::Lost {
                    stream: stream.clone(),
                    cause,
                });
            }
            suspects.insert(stream.clone());
        }
        self.suspects = suspects;
    }

    /// Files that were finished while nobody listened: before a crash, or by the repair after it.
    async fn find_files(&mut self) {
        let root = self.media.root().to_owned();
        let found = tokio::task::spawn_blocking(move || super::files::all(&root)).await;
        let found = found.unwrap_or_default();
        match self.control.unknown_files(found).await {
            Ok(files) => self.waiting.extend(
                files
                    .into_iter()
                    .map(|file| Observation::File(Box::new(file))),
            ),
            Err(error) => tracing::warn!("recorded files not compared: {error}"),
        }
        self.report().await;
    }
}

fn publishing(stream: &str, info: &PublisherInfo) -> Publishing {
    Publishing {
        stream: stream.to_owned(),
        protocol: info.protocol.to_owned(),
        user_ip: info.peer.map(|peer| peer.ip().to_canonical().to_string()),
        query: info.query.to_string(),
    }
}

fn of_hub(event: Event) -> Option<Observation> {
    match event {
        Event::PublishStarted { name, publisher }
        | Event::PublisherBack {
            name, publisher, ..
        } => Some(Observation::Published(publishing(
            name.as_str(),
            &publisher,
        ))),
        Event::PublisherLost { name, cause, .. } => Some(Observation::Lost {
            stream: name.as_str().to_owned(),
            cause: of_cause(&cause),
        }),
        Event::Tracks { name, tracks, .. } => {
            let video = tracks
                .iter()
                .find_map(|track| track.config.as_ref().ok()?.video())?;
            Some(Observation::Size {
                stream: name.as_str().to_owned(),
                width: video.width,
                height: video.height,
            })
        }
        _ => None,
    }
}

/// The public number of an interruption.
fn of_cause(cause: &CloseCause) -> Cause {
    let errcode = match cause {
        CloseCause::Finished => 1,
        CloseCause::Revoked(Revoked::Dropped(_) | Revoked::Replaced) => 21,
        CloseCause::Lost(why) if why.contains("silent") || why.contains("nothing") => 8,
        CloseCause::Lost(why) if why.contains("closed") => 3,
        _ => 4,
    };
    Cause {
        errcode,
        text: cause.to_string(),
    }
}

fn of_record(event: ::record::Event) -> Option<Observation> {
    let what = match event.what {
        What::Started | What::Resumed => Recorded::Writes,
        What::Paused => Recorded::Pauses,
        What::Failed { reason, resumes } => Recorded::Fails {
            reason: reason.to_string(),
            resumes,
        },
        What::Ended => Recorded::Over,
        What::FileCompleted(manifest) => {
            return super::files::finished(&manifest).map(|file| Observation::File(Box::new(file)));
        }
        _ => return None,
    };
    Some(Observation::Recording {
        recording: event.recording.to_string(),
        what,
    })
}
