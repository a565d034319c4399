//! The whole engine inside somebody's process.

mod admission;
mod build;
mod callbacks;
pub(crate) mod control;
mod counters;
mod error;
mod gatekeeper;
mod health;
mod hls_keys;
mod keys;
mod lifecycle;
mod mirror;
mod players;
mod publisher;
mod push;
mod record;
mod reload;
mod subscriber;
mod tls;
mod usage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{Hub, PublisherInfo, ViewerInfo};
use media::StreamName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, ConfigError};

pub use build::Builder;
use counters::Counters;
pub use error::Error;
pub use publisher::{Publisher, Track};
pub use push::PushHandle;
pub use record::RecordBuilder;
pub use reload::ConfigSource;
pub use subscriber::{Item, Subscriber};
pub use tls::TlsError;
pub(crate) use tls::{KeyPair, provider};

/// How often streams are looked after.
const TICK: Duration = Duration::from_secs(1);

/// A running relay. Clones share it; it stops at once when the last is dropped, and
/// [`Relay::shutdown`] drains it first.
///
/// It runs on the tokio runtime that built it and on threads of its own named `sidestream-…`,
/// takes no signals and sets nothing up for the process.
#[derive(Clone)]
pub struct Relay {
    inner: Arc<Inner>,
}

struct Inner {
    /// As it was built: what only a restart changes is in force as it says.
    config: Arc<Config>,
    hub: Hub,
    ingest: ingest::Ingest,
    deliver: deliver::Deliver,
    server: server::Server,
    push: publish::Manager,
    record: ::record::Manager,
    mirrors: Option<storage::Mirrors>,
    control: ::control::Control,
    callbacks: ::control::callback::Callbacks,
    keys: Arc<keys::ApiKeys>,
    admission: Arc<::control::admission::Admission>,
    reloader: Option<Arc<reload::Reloader>>,
    listeners: Listeners,
    certificates: Certificates,
    tasks: TaskTracker,
    stop: CancellationToken,
    runtime: tokio::runtime::Handle,
    started: Instant,
}

/// Where the relay listens, with real ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listeners {
    /// RTMP.
    pub rtmp: Option<SocketAddr>,
    /// RTMP over TLS.
    pub rtmps: Option<SocketAddr>,
    /// HTTP.
    pub http: Option<SocketAddr>,
    /// HTTP over TLS.
    pub https: Option<SocketAddr>,
}

impl Listeners {
    /// Where RTMP comes in: a push target there may be a loop.
    fn of_rtmp(&self) -> Vec<SocketAddr> {
        self.rtmp.into_iter().chain(self.rtmps).collect()
    }
}

/// The certificates of the TLS listeners; swapped by reload.
#[derive(Default)]
struct Certificates {
    rtmps: Option<Arc<tls::Certificate>>,
    https: Option<Arc<tls::Certificate>>,
}

/// What was still there when a shutdown ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Whether everybody had left, and every recording was complete, before the deadline.
    pub clean: bool,
    /// Recordings that ran and were ended.
    pub recordings: usize,
    /// How long it took.
    pub took: Duration,
}

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Sections that are in force now.
    pub applied: Vec<&'static str>,
    /// Sections that differ and stay as they were until the next start.
    pub kept_until_restart: Vec<&'static str>,
}

impl Relay {
    /// A builder with the default configuration.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts publishing inside this process. `name` is `app/stream`. A second publisher on a live
    /// name is treated as `streams.on_conflict` says. Does not wait.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Publish`].
    #[expect(
        clippy::unused_async,
        reason = "an authorizer may be asked here one day"
    )]
    pub async fn publish(&self, name: &str) -> Result<Publisher, Error> {
        let name = parse_name(name)?;
        let info = PublisherInfo::library();
        let publisher = self.inner.hub.publish(&name, info, Instant::now())?;
        Ok(Publisher::new(publisher))
    }

    /// Reads a stream; one that nobody publishes yet is waited for.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::TooManyAwaited`].
    #[expect(
        clippy::unused_async,
        reason = "an authorizer may be asked here one day"
    )]
    pub async fn subscribe(&self, name: &str) -> Result<Subscriber, Error> {
        let name = parse_name(name)?;
        let stream = self.inner.hub.await_stream(&name);
        let stream = stream.ok_or(Error::TooManyAwaited)?;
        let viewer = stream.viewers().add(ViewerInfo {
            protocol: "library",
            peer: None,
            client: "".into(),
            since: Instant::now(),
        });
        Ok(Subscriber::new(stream, viewer))
    }

    /// Pushes a stream to an RTMP or RTMPS server, now and whenever it is live, until it ends or
    /// the target is stopped; connects again for ever. A stream that nobody publishes yet is
    /// waited for.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Url`], [`Error::TooManyAwaited`].
    #[expect(
        clippy::unused_async,
        reason = "an authorizer may be asked here one day"
    )]
    pub async fn push(&self, name: &str, url: &str) -> Result<PushHandle, Error> {
        let name = parse_name(name)?;
        let url = url.parse()?;
        let stream = self.inner.hub.await_stream(&name);
        let stream = stream.ok_or(Error::TooManyAwaited)?;
        let own = self.inner.listeners.of_rtmp();
        let config = push::target_config(&crate::config::Push::default(), &own);
        let spec = publish::TargetSpec { url, config };
        Ok(PushHandle(self.inner.push.push(stream, spec)))
    }

    /// All push targets that have not ended, those of the configuration included.
    #[must_use]
    pub fn push_targets(&self) -> Vec<PushHandle> {
        let targets = self.inner.push.list();
        targets.into_iter().map(PushHandle).collect()
    }

    /// Begins to say how a stream is to be recorded; [`RecordBuilder::start`] starts it. Each
    /// recording has its own files, whatever else records the stream.
    pub fn record(&self, name: &str) -> RecordBuilder<'_> {
        RecordBuilder::new(self, name)
    }

    /// All recordings that have not ended, those of the configuration included.
    #[must_use]
    pub fn recordings(&self) -> Vec<::record::Recording> {
        self.inner.record.list()
    }

    /// What happens to recordings, from now on: started, paused, file completed, failed.
    #[must_use]
    pub fn recording_events(&self) -> ::record::Events {
        self.inner.record.events()
    }

    /// Puts a new configuration in force as far as that goes without a restart: certificates,
    /// API keys, push targets, rules of recording, fan-out (but not its workers), callbacks. Nobody is disconnected. With an error nothing has changed.
    ///
    /// # Errors
    /// [`Error::Tls`], [`Error::SecretFile`], [`Error::Record`], [`Error::Control`].
    pub fn reload(&self, config: &Config) -> Result<Reloaded, Error> {
        let inner = &self.inner;
        let old = Arc::clone(&inner.config);
        // Everything that can fail comes first.
        let rtmps = build::load_pair("rtmps", &config.rtmps.cert, &config.rtmps.key)?;
        let https = build::load_pair("https", &config.https.cert, &config.https.key)?;
        let rules = push::rules(&config.push, inner.listeners.of_rtmp())?;
        let record_rules = record::rules(&config.record.rule)?;
        let admission = gatekeeper::settings(config)?;
        let endpoints = callbacks::endpoints(config)?;
        build::set_keys(&inner.keys, config)?;
        inner.admission.configure(admission)?;
        let settings = callbacks::settings(config, &inner.listeners);
        inner.callbacks.configure(settings)?;
        let mut applied = Vec::new();
        for (section, certificate, pair) in [
            ("rtmps", &inner.certificates.rtmps, rtmps),
            ("https", &inner.certificates.https, https),
        ] {
            if let (Some(certificate), Some(pair)) = (certificate, pair) {
                certificate.swap(pair);
                applied.push(section);
            }
        }
        applied.push("auth");
        inner.push.set_rules(rules);
        applied.push("push");
        inner.record.set_rules(record_rules);
        applied.push("record.rule");
        inner.deliver.configure(&build::deliver_config(config));
        applied.push("fanout");
        let callbacks = inner.callbacks.clone();
        // Read and checked above; what can fail now is the store, and then the old endpoints stay.
        inner.runtime.spawn(async move {
            if let Err(error) = callbacks.configure_endpoints(endpoints).await {
                tracing::error!(reason = %error, "callback endpoints not changed");
            }
        });
        applied.push("callbacks");
        let differs = |same: bool| !same;
        let kept = [
            ("rtmp", differs(old.rtmp == config.rtmp)),
            ("rtmps", differs(old.rtmps == config.rtmps)),
            ("http", differs(old.http == config.http)),
            ("https", differs(old.https == config.https)),
            ("streams", differs(old.streams == config.streams)),
            (
                "fanout.workers",
                differs(old.fanout.workers == config.fanout.workers),
            ),
            ("hls", differs(old.hls == config.hls)),
            ("mirror", differs(old.mirror == config.mirror)),
            ("limits", differs(old.limits == config.limits)),
            ("metrics", differs(old.metrics == config.metrics)),
            (
                "record",
                differs(record::same_but_rules(&old.record, &config.record)),
            ),
            ("storage", differs(old.storage == config.storage)),
            ("control", differs(old.control == config.control)),
        ];
        Ok(Reloaded {
            applied,
            kept_until_restart: kept
                .into_iter()
                .filter_map(|(section, kept)| kept.then_some(section))
                .collect(),
        })
    }

    /// Callbacks: endpoints, what is to be delivered to them, and what became of it.
    #[must_use]
    pub fn callbacks(&self) -> &::control::callback::Callbacks {
        &self.inner.callbacks
    }

    /// Reads the configuration again from where [`Builder::source`] said, and puts it in force as
    /// [`Relay::reload`] does. May block. `None`: there is no source.
    ///
    /// # Errors
    /// Every problem; then nothing has changed.
    #[must_use]
    pub fn reload_source(&self) -> Option<Result<Reloaded, ConfigError>> {
        let reloader = self.inner.reloader.as_ref()?;
        Some(reloader.run())
    }

    /// The control plane: rooms, channels, recordings, policy, events.
    #[must_use]
    pub fn control(&self) -> &::control::Control {
        &self.inner.control
    }

    /// Events from now on: streams that start, change, lose their publisher, end.
    #[must_use]
    pub fn events(&self) -> Events {
        Events(self.inner.hub.events())
    }

    /// Streams that are live or wait for their publisher, in order of their names.
    #[must_use]
    pub fn streams(&self) -> Vec<Arc<hub::Stream>> {
        self.inner.hub.list()
    }

    /// The stream of this name, when it is live or waits for its publisher.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<Arc<hub::Stream>> {
        let name = StreamName::from_path(name).ok()?;
        self.inner.hub.stream(&name)
    }

    /// Where it listens, with real ports where 0 was asked for.
    #[must_use]
    pub fn listeners(&self) -> &Listeners {
        &self.inner.listeners
    }

    /// When it was built.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.inner.started
    }

    /// Stops cleanly: takes nobody in from now on, ends every stream (HLS gets its ENDLIST, RTMP
    /// its goodbye), waits at most `deadline` for viewers to take the rest. Dropping the future
    /// stops waiting, not the end.
    pub async fn shutdown(&self, deadline: Duration) -> Stopped {
        let began = Instant::now();
        self.inner.server.drain();
        self.inner.hub.drain(began);
        let (ingest, deliver, push, record, ()) = tokio::join!(
            self.inner.ingest.shutdown(deadline),
            self.inner.deliver.shutdown(deadline),
            self.inner.push.shutdown(deadline),
            self.inner.record.shutdown(deadline),
            self.inner.server.shutdown(deadline),
        );
        if let Some(mirrors) = &self.inner.mirrors {
            // The playlists have ended by now: so shall their copies.
            let left = deadline.saturating_sub(began.elapsed());
            if !mirrors.drain(left.max(TICK)).await {
                tracing::warn!(to = %mirrors.store(), "the mirror does not show the end of every stream");
            }
            mirrors.stop().await;
        }
        self.inner.stop.cancel();
        self.inner.tasks.close();
        let left = deadline.saturating_sub(began.elapsed());
        let tasks = tokio::time::timeout(left.max(TICK), self.inner.tasks.wait());
        let tasks = tasks.await.is_ok();
        // Everything that happened is reported by now.
        self.inner.callbacks.shutdown().await;
        self.inner.control.close().await;
        Stopped {
            clean: ingest && deliver && push && record.clean && tasks,
            recordings: record.recordings,
            took: began.elapsed(),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.hub.drain(Instant::now());
        self.stop.cancel();
        // The listeners and workers end on the runtime, where they run; without a farewell.
        let (ingest, deliver) = (self.ingest.clone(), self.deliver.clone());
        let (server, push) = (self.server.clone(), self.push.clone());
        let record = self.record.clone();
        let mirrors = self.mirrors.clone();
        self.runtime.spawn(async move {
            if let Some(mirrors) = mirrors {
                mirrors.stop().await;
            }
            tokio::join!(
                ingest.shutdown(Duration::ZERO),
                deliver.shutdown(Duration::ZERO),
                push.shutdown(Duration::ZERO),
                record.shutdown(Duration::ZERO),
                server.shutdown(Duration::ZERO),
            );
        });
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relay({:?})", self.inner.listeners)
    }
}

fn parse_name(name: &str) -> Result<StreamName, Error> {
    StreamName::from_path(name).map_err(|source| Error::Name {
        name: name.to_owned(),
        source,
    })
}

/// What happens to streams, in order, from the moment of subscribing on.
pub struct Events(hub::Events);

impl Events {
    /// The next event; `None` when the relay has stopped. A reader more than 4096 events behind
    /// loses the oldest. Cancel safe.
    pub async fn next(&mut self) -> Option<hub::Event> {
        self.0.next().await
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

/// Looks after the streams until told to stop.
async fn tick(hub: Hub, mut counters: Counters, stop: CancellationToken) {
    let mut every = tokio::time::interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // Both branches are cancel safe.
        tokio::select! {
            _ = every.tick() => {
                hub.tick(Instant::now());
                counters.bring_over();
            }
            () = stop.cancelled() => return,
        }
    }
}
