//! Reads what the media side counts and hands it to the control plane's meter.
//!
//! Counters of streams and recordings only grow. Each is read every ten seconds, and once more when
//! what it belongs to is gone, so that what is counted between is counted too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ::record::{Recording, State, What};
use control::Control;
use control::usage::{Direction, Line, Meter, Reading, SAMPLE_EVERY};
use hub::{Event, Hub, Stream};
use media::StreamName;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Reads all counters.
pub(super) struct Sampler {
    hub: Hub,
    push: publish::Manager,
    record: ::record::Manager,
    control: Control,
    meter: Meter,
    streams: Vec<Watched>,
    recordings: HashMap<String, (Recording, u64)>,
}

/// A stream and what was read of it.
struct Watched {
    stream: Arc<Stream>,
    bytes_in: u64,
    out: BTreeMap<&'static str, u64>,
    pushed: BTreeMap<String, u64>,
}

/// What one look finds, each line once.
#[derive(Default)]
struct Look(BTreeMap<Line, Reading>);

impl Look {
    fn add(
        &mut self,
        stream: &StreamName,
        protocol: &str,
        direction: Direction,
        bytes: u64,
        count: u64,
    ) {
        if bytes == 0 && count == 0 {
            return;
        }
        let line = Line {
            stream: stream.as_str().to_owned(),
            protocol: protocol.to_owned(),
            direction,
        };
        let reading = self.0.entry(line).or_default();
        reading.bytes += bytes;
        reading.count += count;
    }
}

impl Sampler {
    pub(super) fn new(
        hub: Hub,
        push: publish::Manager,
        record: ::record::Manager,
        control: Control,
    ) -> Self {
        Self {
            hub,
            push,
            record,
            control,
            meter: Meter::new(),
            streams: Vec::new(),
            recordings: HashMap::new(),
        }
    }

    /// Reads until it is stopped, and a last time then.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let (mut started, mut recorded) = (self.hub.events(), self.record.events());
        let (mut hub_open, mut record_open) = (true, true);
        let mut tick = tokio::time::interval(SAMPLE_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // All branches are cancel safe. What begins is noted before it is looked at.
            tokio::select! {
                biased;
                event = started.next(), if hub_open => match event {
                    Some(Event::PublishStarted { name, .. }) => self.note_stream(&name),
                    Some(_) => {}
                    None => hub_open = false,
                },
                event = recorded.next(), if record_open => match event {
                    Some(event) if matches!(event.what, What::Started) => {
                        if let Some(recording) = self.record.get(&event.recording) {
                            self.note_recording(recording);
                        }
                    }
                    Some(_) => {}
                    None => record_open = false,
                },
                _ = tick.tick() => self.sample().await,
                () = stop.cancelled() => break,
            }
        }
        self.sample().await;
    }

    async fn sample(&mut self) {
        let look = self.look();
        self.meter.add(self.control.now(), look.0);
        if let Err(error) = self.control.store_usage(&self.meter).await {
            tracing::warn!("usage is kept in memory, it cannot be stored: {error}");
        }
    }

    fn look(&mut self) -> Look {
        for stream in self.hub.list() {
            self.note(stream);
        }
        for recording in self.record.list() {
            self.note_recording(recording);
        }
        let mut look = Look::default();
        for watched in &mut self.streams {
            watched.read(&self.push, &mut look);
        }
        let hub = &self.hub;
        self.streams.retain(|watched| {
            let present = hub.stream(watched.stream.name());
            present.is_some_and(|stream| Arc::ptr_eq(&stream, &watched.stream))
        });
        self.recordings.retain(|_, (recording, seen)| {
            read_recording(recording, seen, &mut look);
            !recording.status().state.is_over()
        });
        look
    }

    fn note_stream(&mut self, name: &StreamName) {
        if let Some(stream) = self.hub.stream(name) {
            self.note(stream);
        }
    }

    fn note(&mut self, stream: Arc<Stream>) {
        let is_known = |watched: &Watched| Arc::ptr_eq(&watched.stream, &stream);
        if !self.streams.iter().any(is_known) {
            self.streams.push(Watched {
                stream,
                bytes_in: 0,
                out: BTreeMap::new(),
                pushed: BTreeMap::new(),
            });
        }
    }

    fn note_recording(&mut self, recording: Recording) {
        let id = recording.id().to_owned();
        self.recordings.entry(id).or_insert((recording, 0));
    }
}

impl Watched {
    fn read(&mut self, push: &publish::Manager, look: &mut Look) {
        let name = self.stream.name().clone();
        let publisher = self.stream.publisher().map(|(info, _)| info.protocol);
        let bytes_in = self.stream.stats().bytes_in;
        let new = bytes_in.saturating_sub(self.bytes_in);
        self.bytes_in = bytes_in;
        let count = u64::from(publisher.is_some());
        // Of a publisher that has gone by now only its bytes are left.
        let protocol = publisher.unwrap_or("rtmp");
        look.add(&name, protocol, Direction::In, new, count);
        for (protocol, viewers) in self.stream.viewers().by_protocol() {
            let seen = self.out.insert(protocol, viewers.bytes_out);
            if protocol == "library" {
                continue;
            }
            let new = viewers.bytes_out.saturating_sub(seen.unwrap_or(0));
            let count = viewers.count as u64;
            look.add(&name, protocol, Direction::Out, new, count);
        }
        let mut pushed: BTreeMap<String, u64> = BTreeMap::new();
        for target in push.of(&name) {
            let status = target.status();
            *pushed.entry(target.url().to_string()).or_default() += status.bytes_out;
            let runs = matches!(status.state, publish::State::Publishing { .. });
            look.add(&name, "rtmp", Direction::Push, 0, u64::from(runs));
        }
        for (url, bytes) in &pushed {
            let new = bytes.saturating_sub(self.pushed.get(url).copied().unwrap_or(0));
            look.add(&name, "rtmp", Direction::Push, new, 0);
        }
        self.pushed = pushed;
    }
}

fn read_recording(recording: &Recording, seen: &mut u64, look: &mut Look) {
    let (name, status) = (recording.stream().name(), recording.status());
    // Bytes are counted over all formats at once.
    let new = status.bytes.saturating_sub(*seen);
    *seen = status.bytes;
    look.add(name, "file", Direction::Record, new, 0);
    if status.state == State::Recording {
        for format in &recording.spec().formats {
            look.add(name, format.as_str(), Direction::Record, 0, 1);
        }
    }
}
