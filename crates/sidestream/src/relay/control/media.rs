//! The media side as the control plane sees it: hub, push targets, recordings.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::record::{Format, Media as Tracks, Recording, Spec, Split};
use control::admission::{Playable, Playables};
use control::{
    Answers, Applied, Desired, DesiredRecording, DesiredTarget, Observation, Plane, PlaneError,
    PushState, RecordingId, TargetId, model,
};
use hub::{Hub, Stream};
use media::StreamName;
use publish::{TargetHandle, TargetSpec};

use crate::config::Push;

/// Hub, pushes and recordings that the control plane asked for.
pub(crate) struct Media {
    hub: Hub,
    push: publish::Manager,
    record: ::record::Manager,
    own_listeners: Vec<SocketAddr>,
    root: std::path::PathBuf,
    playables: Arc<Playables>,
    // Guards what runs because it was asked for.
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    targets: HashMap<TargetId, Pushed>,
    recordings: HashMap<RecordingId, Recorded>,
}

struct Pushed {
    stream: String,
    url: String,
    handle: TargetHandle,
    /// What was told last.
    told: Option<(PushState, Option<Box<str>>)>,
}

struct Recorded {
    recording: Recording,
    paused: bool,
}

impl Media {
    pub(crate) fn new(
        hub: Hub,
        push: publish::Manager,
        record: ::record::Manager,
        own_listeners: Vec<SocketAddr>,
        root: std::path::PathBuf,
        playables: Arc<Playables>,
    ) -> Self {
        Self {
            hub,
            push,
            record,
            own_listeners,
            root,
            playables,
            asked: Mutex::default(),
        }
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(super) fn record(&self) -> &::record::Manager {
        &self.record
    }

    pub(super) fn root(&self) -> &std::path::Path {
        &self.root
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_so(&self, desired: &Desired) -> Result<Applied, PlaneError> {
        let name = StreamName::from_path(&desired.stream);
        let name = name.map_err(|error| PlaneError(error.to_string()))?;
        // Before the first player may ask, and before those that are there are sent away.
        let playable = Playable {
            served: desired.serve,
            password: desired.password.clone(),
        };
        self.playables.set(&desired.stream, playable);
        let stream = self.hub.stream(&name);
        if let Some(stream) = &stream {
            if let Some(why) = &desired.forbidden {
                stream.drop_publisher(why);
            }
            if !desired.serve {
                send_viewers_away(stream);
            }
        }
        let mut asked = self.asked();
        self.pushes(&mut asked, desired, stream.as_ref())?;
        let trouble = self.recordings(&mut asked, desired, stream.as_ref());
        let mut applied = Applied::default();
        applied.live = stream.is_some();
        let of_stream = asked.recordings.iter();
        let of_stream = of_stream.filter(|(_, one)| *one.recording.stream().name() == name);
        applied.recording = of_stream.map(|(id, _)| *id).collect();
        trouble.map(|()| applied)
    }

    fn pushes(
        &self,
        asked: &mut Asked,
        desired: &Desired,
        stream: Option<&Arc<Stream>>,
    ) -> Result<(), PlaneError> {
        let wanted: BTreeMap<TargetId, &DesiredTarget> =
            desired.targets.iter().map(|one| (one.id, one)).collect();
        asked.targets.retain(|id, pushed| {
            let stays = wanted.get(id).is_some_and(|one| one.url == pushed.url);
            let ours = pushed.stream == desired.stream;
            if ours && !stays {
                pushed.handle.stop();
            }
            stays || !ours
        });
        let Some(stream) = stream else { return Ok(()) };
        for (id, target) in wanted {
            let runs = asked.targets.get(&id).is_some_and(|pushed| {
                let state = pushed.handle.status().state;
                Arc::ptr_eq(pushed.handle.stream(), stream) && state != publish::State::Stopped
            });
            if runs {
                continue;
            }
            let url = target.url.parse().map_err(|error| {
                let id = target.id;
                PlaneError(format!("target {id}: {error}"))
            })?;
            let config = crate::relay::push::target_config(&Push::default(), &self.own_listeners);
            let handle = self
                .push
                .push(Arc::clone(stream), TargetSpec { url, config });
            let pushed = Pushed {
                stream: desired.stream.clone(),
                url: target.url.clone(),
                handle,
                told: None,
            };
            asked.targets.insert(id, pushed);
        }
        Ok(())
    }

    fn recordings(
        &self,
        asked: &mut Asked,
        desired: &Desired,
        stream: Option<&Arc<Stream>>,
    ) -> Result<(), PlaneError> {
        asked
            .recordings
            .retain(|_, one| !one.recording.status().state.is_over());
        for (id, one) in &asked.recordings {
            let ours = one.recording.stream().name().as_str() == desired.stream;
            if ours && !desired.recordings.iter().any(|wanted| wanted.id == *id) {
                one.recording.stop();
            }
        }
        let Some(stream) = stream else { return Ok(()) };
        for wanted in &desired.recordings {
            match asked.recordings.get_mut(&wanted.id) {
                Some(one) => one.pause(wanted.paused),
                None if stream.has_media() || stream.publisher().is_some() => {
                    let recording = self.record.record(Arc::clone(stream), spec(wanted)?);
                    let recording = recording.map_err(|error| PlaneError(error.to_string()))?;
                    let mut one = Recorded {
                        recording,
                        paused: false,
                    };
                    one.pause(wanted.paused);
                    asked.recordings.insert(wanted.id, one);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// What pushes do that was not told yet.
    pub(super) fn push_news(&self) -> Vec<Observation> {
        let mut news = Vec::new();
        for (id, pushed) in &mut self.asked().targets {
            let status = pushed.handle.status();
            let state = match status.state {
                publish::State::Publishing { .. } => PushState::Publishing,
                publish::State::Connecting | publish::State::Backoff { .. } => PushState::Trying,
                _ => PushState::Idle,
            };
            let now = (state, status.last_error);
            // A try that takes long becomes a failure by the time it takes.
            if state == PushState::Trying || pushed.told.as_ref() != Some(&now) {
                news.push(Observation::Push {
                    target: *id,
                    state,
                    error: now.1.as_deref().map(str::to_owned),
                });
                pushed.told = Some(now);
            }
        }
        news
    }
}

impl Recorded {
    fn pause(&mut self, paused: bool) {
        if paused == self.paused {
            return;
        }
        self.paused = paused;
        if paused {
            self.recording.pause();
        } else {
            self.recording.resume();
        }
    }
}

impl Plane for Media {
    fn apply(&self, desired: Desired) -> Answers<'_, Result<Applied, PlaneError>> {
        // On the runtime, where tasks can be started; nothing in it waits.
        Box::pin(async move { self.make_so(&desired) })
    }

    fn drop_publisher(&self, stream: &str, why: &str) -> bool {
        let stream = StreamName::from_path(stream).ok();
        let stream = stream.and_then(|name| self.hub.stream(&name));
        stream.is_some_and(|stream| stream.drop_publisher(why))
    }

    fn remove_file(&self, path: &str) -> Answers<'_, Result<(), PlaneError>> {
        let (root, path) = (self.root.clone(), path.to_owned());
        Box::pin(async move {
            let removed = tokio::task::spawn_blocking(move || super::files::remove(&root, &path));
            match removed.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(PlaneError(error.to_string())),
                Err(_) => Err(PlaneError("the removal broke off".to_owned())),
            }
        })
    }
}

/// Nobody watches what is not served. Library subscribers and push targets are no players.
fn send_viewers_away(stream: &Stream) {
    for viewer in stream.viewers().list() {
        if !matches!(viewer.info.protocol, "library" | "push") {
            viewer.drop_with("the stream is not served");
        }
    }
}

fn spec(wanted: &DesiredRecording) -> Result<Spec, PlaneError> {
    let mut spec = Spec::default();
    spec.id = Some(wanted.id.to_string().into());
    spec.formats = wanted
        .spec
        .formats
        .iter()
        .map(|format| format_of(*format))
        .collect();
    spec.media = match wanted.spec.media {
        model::Media::Av => Tracks::Av,
        model::Media::Audio => Tracks::Audio,
        model::Media::Video => Tracks::Video,
    };
    spec.split = Split::every(Duration::from_secs(wanted.spec.segment_s.into()));
    if let Some(name) = &wanted.spec.file_name {
        let name = name.replace(' ', "_");
        let template = format!("{{app}}/{{stream}}/{name}_{{start:%Y%m%d-%H%M%S}}-{{index}}");
        let template = template.parse();
        spec.name = Some(template.map_err(|error: ::record::Error| PlaneError(error.to_string()))?);
    }
    Ok(spec)
}

fn format_of(format: model::Format) -> Format {
    match format {
        model::Format::Flv => Format::Flv,
        model::Format::Hls => Format::Hls,
        model::Format::Mp4 => Format::Mp4,
        model::Format::Aac => Format::Aac,
        model::Format::Ts => Format::Ts,
        model::Format::HlsTs => Format::HlsTs,
    }
}
