//! The map of streams.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use media::StreamName;

use crate::config::{Config, OnConflict};
use crate::error::{PublishError, Revoked};
use crate::event::{Ended, Event, EventLog, Events};
use crate::notice::Notice;
use crate::publisher::Publisher;
use crate::session::{CloseCause, Owner, PublisherInfo};
use crate::stream::{Phase, Stream};

/// All streams of this process. Clones share them.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    // Guards the map; first in the lock order.
    streams: Mutex<HashMap<StreamName, Arc<Stream>>>,
    events: EventLog,
    viewer_ids: Arc<AtomicU64>,
    publisher_ids: AtomicU64,
    draining: AtomicBool,
}

impl Hub {
    /// A hub without streams.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                streams: Mutex::default(),
                events: EventLog::default(),
                viewer_ids: Arc::new(AtomicU64::new(1)),
                publisher_ids: AtomicU64::new(1),
                draining: AtomicBool::new(false),
            }),
        }
    }

    /// Lets a publisher in. A silent owner gives way at once; a healthy one as the configuration
    /// says.
    ///
    /// # Errors
    /// [`PublishError`] says whom the stream belongs to, or which limit is reached.
    pub fn publish(
        &self,
        name: &StreamName,
        info: PublisherInfo,
        now: Instant,
    ) -> Result<Publisher, PublishError> {
        let mut streams = self.streams();
        if self.inner.draining.load(Ordering::Relaxed) {
            return Err(PublishError::Draining);
        }
        let stream = match streams.get(name) {
            Some(stream) => Arc::clone(stream),
            None => self.create(&mut streams, name),
        };
        let mut writer = stream.writer();
        if let Some(owner) = &writer.owner {
            let silent = now.saturating_duration_since(owner.last_received);
            let gives_way = silent >= self.inner.config.owner_silence
                || self.inner.config.on_conflict == OnConflict::Replace
                || owner.notice.peek().is_some();
            if !gives_way {
                let owner = owner.info.peer;
                return Err(PublishError::Busy {
                    name: name.clone(),
                    owner,
                    silent,
                });
            }
        }
        if writer.phase == Phase::Awaited {
            let max = self.inner.config.max_streams;
            let active = streams
                .values()
                .filter(|other| !Arc::ptr_eq(other, &stream));
            if active.filter(|other| other.is_active()).count() >= max {
                return Err(PublishError::TooManyStreams { max });
            }
        }
        let replaced = writer.owner.take();
        let id = self.inner.publisher_ids.fetch_add(1, Ordering::Relaxed);
        let notice = Arc::new(Notice::default());
        let event = match &writer.phase {
            Phase::Interrupted { since, .. } => Event::PublisherBack {
                name: name.clone(),
                publisher: info.clone(),
                away: since
                    .map(|since| now.saturating_duration_since(since))
                    .unwrap_or_default(),
            },
            _ if replaced.is_some() => Event::PublisherBack {
                name: name.clone(),
                publisher: info.clone(),
                away: std::time::Duration::ZERO,
            },
            _ => Event::PublishStarted {
                name: name.clone(),
                publisher: info.clone(),
            },
        };
        writer.begin_session(Owner {
            id,
            info,
            since: now,
            last_received: now,
            notice: Arc::clone(&notice),
        });
        drop(writer);
        drop(streams);
        if let Some(owner) = replaced {
            owner.notice.give(Revoked::Replaced);
        }
        self.emit(event);
        Ok(Publisher::new(self.clone(), stream, id, notice))
    }

    /// The stream of this name, when it is live or waits for its publisher to come back.
    #[must_use]
    pub fn stream(&self, name: &StreamName) -> Option<Arc<Stream>> {
        self.streams()
            .get(name)
            .filter(|stream| stream.is_active())
            .cloned()
    }

    /// The stream of this name, live or not: who subscribes to it gets the media when it comes.
    /// `None` when too many names are awaited, and while shutting down. An awaited stream is forgotten at the first tick
    /// after its last holder has gone.
    #[must_use]
    pub fn await_stream(&self, name: &StreamName) -> Option<Arc<Stream>> {
        let mut streams = self.streams();
        if self.inner.draining.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(stream) = streams.get(name) {
            return Some(Arc::clone(stream));
        }
        let awaited = streams
            .values()
            .filter(|stream| stream.phase() == Phase::Awaited)
            .count();
        if awaited >= self.inner.config.max_awaited {
            return None;
        }
        Some(self.create(&mut streams, name))
    }

    /// All streams that are live or wait for their publisher, in order of their names.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Stream>> {
        let mut list: Vec<_> = self
            .streams()
            .values()
            .filter(|stream| stream.is_active())
            .cloned()
            .collect();
        list.sort_by(|a, b| a.name().cmp(b.name()));
        list
    }

    /// Events from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.inner.events.reader()
    }

    /// Ends streams whose window is over, forgets awaited streams that nobody holds, computes
    /// rates. To be called about once a second.
    pub fn tick(&self, now: Instant) {
        let mut over = Vec::new();
        self.streams().retain(|_, stream| {
            let mut writer = stream.writer();
            writer.counters.tick(now);
            match &mut writer.phase {
                // The map holds one count; nobody can take another while the map is locked.
                Phase::Awaited => Arc::strong_count(stream) > 1,
                Phase::Interrupted {
                    since,
                    until,
                    cause,
                } => {
                    since.get_or_insert(now);
                    let until =
                        *until.get_or_insert_with(|| now + window(&self.inner.config, cause));
                    if now < until {
                        return true;
                    }
                    drop(writer);
                    over.push(Arc::clone(stream));
                    false
                }
                Phase::Live | Phase::Ended => true,
            }
        });
        for stream in over {
            self.end(&stream, now);
        }
    }

    /// Sends all publishers away and ends all streams; no publisher is let in from now on.
    pub fn drain(&self, now: Instant) {
        let streams: Vec<_> = {
            // Under the map's lock: nobody adds a stream after it was emptied.
            let mut map = self.streams();
            self.inner.draining.store(true, Ordering::Relaxed);
            map.drain().map(|(_, stream)| stream).collect()
        };
        for stream in streams {
            stream.revoke(Revoked::Draining);
            self.end(&stream, now);
        }
        self.inner.events.close();
    }

    pub(crate) fn release(
        &self,
        stream: &Arc<Stream>,
        id: u64,
        now: Option<Instant>,
        cause: CloseCause,
    ) {
        let window = window(&self.inner.config, &cause);
        let mut writer = stream.writer();
        let Some(owner) = writer.owner.take_if(|owner| owner.id == id) else {
            return;
        };
        if writer.phase == Phase::Ended {
            return;
        }
        let after = now
            .map(|now| now.saturating_duration_since(owner.since))
            .unwrap_or_default();
        writer.phase = Phase::Interrupted {
            since: now,
            until: now.map(|now| now + window),
            cause: cause.clone(),
        };
        drop(writer);
        self.emit(Event::PublisherLost {
            name: stream.name().clone(),
            cause,
            after,
            window,
        });
        if let Some(now) = now
            && window.is_zero()
        {
            self.tick(now);
        }
    }

    pub(crate) fn emit(&self, event: Event) {
        self.inner.events.push(event);
    }

    fn end(&self, stream: &Arc<Stream>, now: Instant) {
        let mut writer = stream.writer();
        let was = std::mem::replace(&mut writer.phase, Phase::Ended);
        writer.owner = None;
        let started = writer.started;
        drop(writer);
        stream.ring().close();
        if matches!(was, Phase::Awaited | Phase::Ended) {
            return;
        }
        let stats = stream.stats();
        let viewers = stream.viewers();
        self.emit(Event::StreamEnded(Ended {
            name: stream.name().clone(),
            duration: started
                .map(|started| now.saturating_duration_since(started))
                .unwrap_or_default(),
            bytes_in: stats.bytes_in,
            bytes_out: viewers.bytes_out(),
            viewers_most: viewers.most(),
            gaps: stats.timing.gaps + stats.timing.restarts + stats.sessions.saturating_sub(1),
            skips: viewers.skips(),
        }));
    }

    fn create(
        &self,
        streams: &mut HashMap<StreamName, Arc<Stream>>,
        name: &StreamName,
    ) -> Arc<Stream> {
        let ids = Arc::clone(&self.inner.viewer_ids);
        let stream = Arc::new(Stream::new(name.clone(), &self.inner.config, ids));
        streams.insert(name.clone(), Arc::clone(&stream));
        stream
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Stream>>> {
        self.inner
            .streams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a stream waits after its publisher left for this cause.
fn window(config: &Config, cause: &CloseCause) -> std::time::Duration {
    match cause {
        CloseCause::Lost(_) | CloseCause::Revoked(Revoked::Replaced) => config.reconnect_window,
        CloseCause::Finished | CloseCause::Revoked(_) => {
            config.end_grace.min(config.reconnect_window)
        }
    }
}
