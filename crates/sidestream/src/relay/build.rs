//! From settings to a running relay.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use control::admission::Playables;
use deliver::Deliver;
use hub::{Ask, Authorizer, Hub, Verdict};
use ingest::Ingest;
use publish::Manager;
use rustls::sign::CertifiedKey;
use server::Server;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::Admission;
use super::error::Error;
use super::gatekeeper::{self, Gatekeeper};
use super::health::Health;
use super::keys::ApiKeys;
use super::players::{HttpPlayers, RtmpPlayers};
use super::push::{Targets, rules};
use super::reload::{ConfigSource, Reloader};
use super::tls::{Certificate, KeyPair};
use super::{Certificates, Counters, Inner, Listeners, Relay, lifecycle, tick};
use crate::config::{Batch, Config, OnConflict};

/// Connections that wait in the kernel to be accepted.
const BACKLOG: u32 = 4_096;

/// Collects what a [`Relay`] is made of.
#[derive(Default)]
#[must_use]
pub struct Builder {
    config: Config,
    authorizer: Option<Arc<dyn Authorizer>>,
    source: Option<Arc<dyn ConfigSource>>,
}

impl Builder {
    /// Sets the configuration; without it the defaults apply.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets where the configuration can be read again, for [`Relay::reload_source`] and
    /// `POST /v1/reload`; without it the latter says that it cannot. Does not read it now.
    pub fn source(mut self, source: impl ConfigSource) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Sets who is asked about each publish and each play; without it everybody may.
    pub fn authorizer<F, R>(self, authorizer: F) -> Self
    where
        F: Fn(Ask) -> R + Send + Sync + 'static,
        R: Future<Output = Verdict> + Send + 'static,
    {
        self.authorizer_object(Arc::new(authorizer))
    }

    /// As [`Builder::authorizer`], for types that implement [`Authorizer`].
    pub fn authorizer_object(mut self, authorizer: Arc<dyn Authorizer>) -> Self {
        self.authorizer = Some(authorizer);
        self
    }

    /// Starts the relay. When it returns, all listeners accept connections.
    ///
    /// # Errors
    /// [`Error::Bind`], [`Error::Tls`], [`Error::Start`], [`Error::Record`], [`Error::Store`], [`Error::Control`].
    pub async fn build(self) -> Result<Relay, Error> {
        let config = self.config;
        let hub = Hub::new(hub_config(&config));
        let certificates = Certificates {
            rtmps: certificate("rtmps", &config.rtmps.cert, &config.rtmps.key)?,
            https: certificate("https", &config.https.cert, &config.https.key)?,
        };
        // All addresses are taken before anything else is begun.
        let rtmp = bind("rtmp", config.rtmp.listen).await?;
        let rtmps = bind("rtmps", config.rtmps.listen).await?;
        let http = bind("http", config.http.listen).await?;
        let https = bind("https", config.https.listen).await?;
        let listeners = Listeners {
            rtmp: address("rtmp", rtmp.as_ref())?,
            rtmps: address("rtmps", rtmps.as_ref())?,
            http: address("http", http.as_ref())?,
            https: address("https", https.as_ref())?,
        };

        let deliver = Deliver::start(&deliver_config(&config)).map_err(|source| Error::Start {
            part: "viewer workers",
            source,
        })?;
        let hls_keys = super::hls_keys::rules(&config)?;
        let control = super::control::open(&config).await?;
        let is_open = config.mode() == "open";
        let playables = Arc::new(Playables::new(is_open));
        let registry = control.registry(Arc::clone(&playables));
        let admission = gatekeeper::admission(&config, registry, &control).await?;
        let gatekeeper = Gatekeeper::new(Arc::clone(&admission), self.authorizer);
        let authorizer: Arc<dyn Authorizer> = Arc::new(Admission {
            hub: hub.clone(),
            viewers_per_stream: config.limits.viewers_per_stream,
            per_ip: config.limits.per_ip,
            authorizer: Arc::new(gatekeeper),
        });
        let connections = Arc::new(Semaphore::new(
            config.limits.connections.min(Semaphore::MAX_PERMITS),
        ));
        let ingest = Ingest::new(
            hub.clone(),
            ingest_config(&config),
            Arc::clone(&authorizer),
            Arc::new(RtmpPlayers(deliver.clone())),
            Arc::clone(&connections),
        );
        let keys = Arc::new(ApiKeys::default());
        set_keys(&keys, &config)?;
        // Follows the hub before anything can be published.
        let push = Manager::start(hub.clone(), rules(&config.push, listeners.of_rtmp())?);
        let record = ::record::Manager::start(
            hub.clone(),
            super::record::config(&config)?,
            super::record::rules(&config.record.rule)?,
        )?;
        let media = super::control::Media::new(
            hub.clone(),
            push.clone(),
            record.clone(),
            listeners.of_rtmp(),
            config.record.root(&config.storage),
            playables,
        );
        let callbacks = super::callbacks::start(&config, control.store(), &listeners).await?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        super::control::start(&control, Arc::new(media), &tasks, &stop);
        let sampler =
            super::usage::Sampler::new(hub.clone(), push.clone(), record.clone(), control.clone());
        tasks.spawn(sampler.run(stop.clone()));
        let mut parts = server::Parts::new(hub.clone());
        parts.media = Some(Arc::new(HttpPlayers {
            hub: hub.clone(),
            deliver: deliver.clone(),
            authorizer: Arc::clone(&authorizer),
            tasks: tasks.clone(),
        }));
        parts.authorizer = Arc::clone(&authorizer);
        parts.callbacks = Some(callbacks.clone());
        parts.keys = Arc::<ApiKeys>::clone(&keys);
        parts.targets = Arc::new(Targets(push.clone()));
        parts.recordings = Arc::new(super::record::Recordings(record.clone()));
        let mirrors = super::mirror::start(&config.mirror)?;
        if let Some(mirrors) = &mirrors {
            parts.mirror = Arc::new(super::mirror::Copies::new(&config.mirror, mirrors.clone()));
        }
        parts.control = Some(control.clone());
        parts.recordings_root = Some(config.record.root(&config.storage));
        parts.play_tokens = Some(Arc::new(gatekeeper::Opener(Arc::clone(&admission))));
        let reloader = self.source.map(|source| Arc::new(Reloader::new(source)));
        parts.reload = reloader.clone().map(|reloader| reloader as _);
        parts.connections = Arc::clone(&connections);
        parts.health = Arc::new(Health {
            deliver: deliver.clone(),
        });
        let counters = Counters::new(
            Arc::clone(ingest.counters()),
            deliver.clone(),
            Arc::clone(&parts.counters),
        );
        tasks.spawn(tick(hub.clone(), counters, stop.clone()));
        let mut server_config = server_config(&config, &listeners);
        server_config.hls.encryption = hls_keys;
        let server = Server::new(server_config, parts);
        server.load_ladders().await?;
        tasks.spawn(lifecycle::log(hub.events()));
        if let Some(listener) = rtmp {
            ingest.listen(listener, None);
        }
        if let (Some(listener), Some(certificate)) = (rtmps, &certificates.rtmps) {
            ingest.listen(listener, Some(tls_config("rtmps", certificate, &[])?));
        }
        if let Some(listener) = http {
            server.serve(listener, None);
        }
        if let (Some(listener), Some(certificate)) = (https, &certificates.https) {
            let tls = tls_config("https", certificate, &server::ALPN)?;
            server.serve(listener, Some(Arc::new(ArcSwap::new(tls))));
        }
        let relay = Relay {
            inner: Arc::new(Inner {
                config: Arc::new(config),
                hub,
                ingest,
                deliver,
                server,
                push,
                record,
                mirrors,
                control,
                callbacks,
                keys,
                admission,
                reloader,
                listeners,
                certificates,
                tasks,
                stop,
                runtime: tokio::runtime::Handle::current(),
                started: Instant::now(),
            }),
        };
        if let Some(reloader) = &relay.inner.reloader {
            reloader.serve(&relay.inner);
        }
        Ok(relay)
    }
}

fn tls_config(
    section: &str,
    certificate: &Arc<Certificate>,
    protocols: &[&[u8]],
) -> Result<Arc<rustls::ServerConfig>, Error> {
    certificate.server_config(protocols).map_err(|error| {
        Error::Tls(super::TlsError {
            setting: format!("{section}.cert"),
            path: std::path::PathBuf::new(),
            what: error.to_string(),
        })
    })
}

fn certificate(
    section: &'static str,
    cert: &Option<PathBuf>,
    key: &Option<PathBuf>,
) -> Result<Option<Arc<Certificate>>, Error> {
    Ok(load_pair(section, cert, key)?.map(Certificate::new))
}

/// Loads the certificate of a section that has one.
pub(super) fn load_pair(
    section: &'static str,
    cert: &Option<PathBuf>,
    key: &Option<PathBuf>,
) -> Result<Option<CertifiedKey>, Error> {
    let (Some(cert), Some(key)) = (cert, key) else {
        return Ok(None);
    };
    Ok(Some(KeyPair { section, cert, key }.load()?))
}

async fn bind(
    listener: &'static str,
    addr: Option<SocketAddr>,
) -> Result<Option<TcpListener>, Error> {
    let Some(addr) = addr else { return Ok(None) };
    let open = || {
        let socket = match addr {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
        };
        // A restart must not wait for the last connections of its predecessor to time out.
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)
    };
    let bound = open();
    bound.map(Some).map_err(|source| Error::Bind {
        listener,
        addr,
        source,
    })
}

fn address(
    part: &'static str,
    listener: Option<&TcpListener>,
) -> Result<Option<SocketAddr>, Error> {
    let address = listener.map(TcpListener::local_addr).transpose();
    address.map_err(|source| Error::Start { part, source })
}

fn hub_config(config: &Config) -> hub::Config {
    let mut hub = hub::Config::default();
    hub.reconnect_window = config.streams.reconnect_window;
    hub.end_grace = config.streams.viewer_end_grace;
    hub.on_conflict = match config.streams.on_conflict {
        OnConflict::Refuse => hub::OnConflict::Refuse,
        OnConflict::Replace => hub::OnConflict::Replace,
    };
    hub.gop_cache_bytes = bytes(config.streams.gop_cache.0);
    hub.gop_cache_time = config.streams.gop_cache_time;
    // Who follows starts subscribes within milliseconds, on a busy machine later.
    hub.beginning = Duration::from_secs(1);
    hub.max_streams = config.limits.publishers;
    hub.max_tracks = config.limits.tracks;
    hub
}

pub(super) fn deliver_config(config: &Config) -> deliver::Config {
    let mut deliver = deliver::Config::default();
    deliver.workers = config.fanout.workers;
    deliver.batch = match config.fanout.batch {
        Batch::Auto => deliver::Batch::Auto,
        Batch::Frame => deliver::Batch::For(FRAME_BATCH),
        Batch::Time(time) => deliver::Batch::For(time),
    };
    deliver.max_lag = config.fanout.max_lag;
    deliver.max_lag_bytes = bytes(config.fanout.max_lag_bytes.0);
    deliver.stall_timeout = config.fanout.stall_timeout;
    deliver
}

/// A picture of 30 a second and the sound around it.
const FRAME_BATCH: std::time::Duration = std::time::Duration::from_millis(33);

fn ingest_config(config: &Config) -> ingest::Config {
    let message = u32::try_from(config.limits.message.0).unwrap_or(u32::MAX);
    let mut ingest = ingest::Config::default();
    ingest.session = Arc::new(rtmp::ServerConfig {
        chunk_size: config.rtmp.chunk_size,
        ..rtmp::ServerConfig::default()
    });
    ingest.limits = rtmp::Limits {
        video_bytes: message,
        // Room for the largest picture and for what comes between its chunks.
        unfinished_bytes: bytes(config.limits.message.0).saturating_add(1 << 20),
        ..rtmp::Limits::default()
    };
    ingest.flv.tracks = config.limits.tracks;
    ingest.play_wait = config.rtmp.play_wait;
    ingest.gather = config.rtmp.gather;
    ingest.publish_bitrate_bps = config.limits.publish_bitrate.0;
    ingest
}

fn server_config(config: &Config, listeners: &Listeners) -> server::Config {
    let mut server = server::Config::default();
    server.public_url = config.http.public_url.trim_end_matches('/').to_owned();
    server.rtmp_port = listeners.rtmp.map(|addr| addr.port());
    server.cors.clone_from(&config.http.cors);
    server.embed_from.clone_from(&config.http.embed_from);
    if let Some(key) = &config.control.common_access_key {
        key.reveal().clone_into(&mut server.common_access_key);
    }
    server.hls.enabled = config.hls.enabled;
    server.hls.always = config.hls.always;
    server.hls.segment = config.hls.segment;
    server.hls.low_latency = config.hls.low_latency;
    server.hls.part_ranges = config.hls.part_ranges;
    server.hls.part = config.hls.part;
    server.hls.segments = config.hls.segments;
    server.hls.idle = config.hls.idle;
    server.hls.timed_metadata = config.hls.timed_metadata;
    server.hls.dvr = dvr_config(config);
    // What is no rule was refused with the rest of the configuration.
    let ladders = config.hls.ladder.iter();
    server.hls.ladders = ladders
        .filter_map(|ladder| hls::LadderRule::new(&ladder.name, &ladder.rungs).ok())
        .collect();
    server.metrics.enabled = config.metrics.enabled;
    server.metrics.per_stream = config.metrics.per_stream;
    server.version = env!("CARGO_PKG_VERSION");
    server
}

/// What is kept of HLS; `None`: nothing of any stream.
fn dvr_config(config: &Config) -> Option<server::DvrConfig> {
    if !config.hls.has_dvr() {
        return None;
    }
    let hls = config.hls.clone();
    let window = server::DvrWindow::new(move |name| hls.dvr_window(name));
    let mut dvr = server::DvrConfig::new(config.hls.dvr_root(&config.storage), window);
    dvr.containers.clone_from(&config.hls.dvr_formats);
    dvr.min_free = config.hls.dvr_min_free.0;
    Some(dvr)
}

/// Puts the configured API keys in force.
pub(super) fn set_keys(keys: &ApiKeys, config: &Config) -> Result<(), Error> {
    if config.mode() == "open" {
        keys.clear();
    } else {
        // An empty file of keys opens nothing: nobody gets in.
        keys.set(&config.api_keys().map_err(Error::SecretFile)?);
    }
    Ok(())
}

pub(super) fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
