//! `sidestream serve`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sidestream::config::{Config, ConfigError, Loaded};
use sidestream::{ConfigSource, Error, Relay};

use super::args::{Global, Serve, Settings};
use super::logging::{self, LevelHandle};
use super::report::Report;
use super::signals::{Asked, Signals};
use super::{Exit, limits, port_owner, runtime, settings};

/// How long viewers may take the rest after a signal to stop; less than the 10 s that supervisors
/// are promised.
const DRAIN: Duration = Duration::from_secs(8);

/// Serves until a signal.
pub(super) fn run(args: &Serve, global: &Global, report: &Report) -> Exit {
    let began = Instant::now();
    let loaded = match settings::load(&args.settings, report) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let log = &loaded.config.log;
    let level = logging::start(global, &log.level, log.format);
    let open_files = limits::raise_open_files();
    let runtime = match runtime(report) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    greet(&loaded, open_files);
    runtime.block_on(async {
        let source = Layers {
            settings: args.settings.clone(),
            level,
        };
        let relay = Relay::builder()
            .config(loaded.config.clone())
            .source(source);
        let relay = match relay.build().await {
            Ok(relay) => relay,
            Err(error) => return report.error(advice(&error)),
        };
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return report.error(format_args!("signals: {error}")),
        };
        announce(&relay, &loaded, began);
        loop {
            match signals.next().await {
                Asked::Reload => reload(&relay),
                Asked::Stop(name) => return drain(&relay, name, &mut signals).await,
            }
        }
    })
}

fn greet(loaded: &Loaded, open_files: Option<u64>) {
    let version = env!("CARGO_PKG_VERSION");
    let commit = option_env!("SIDESTREAM_COMMIT").map(|commit| format!("{commit}, "));
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tracing::info!(
        pid = std::process::id(),
        "sidestream {version} ({}{os} {arch}, {cores} cores)",
        commit.unwrap_or_default()
    );
    let data = std::path::absolute(&loaded.config.storage.data);
    let file = loaded.file.as_ref().map(|file| file.display().to_string());
    tracing::info!(
        file = file.as_deref().unwrap_or("none"),
        data = data
            .ok()
            .map(|data| tracing::field::display(data.display().to_string())),
        mode = loaded.config.mode(),
        open_files,
        "config"
    );
}

fn announce(relay: &Relay, loaded: &Loaded, began: Instant) {
    let listeners = relay.listeners();
    for (name, addr) in [
        ("rtmp", listeners.rtmp),
        ("rtmps", listeners.rtmps),
        ("http", listeners.http),
        ("https", listeners.https),
    ] {
        if let Some(addr) = addr {
            tracing::info!("{name} listening on {addr}");
        }
    }
    if loaded.config.mode() == "open" {
        tracing::warn!(
            "open mode: anyone may publish; /v1 answers this machine only; set [auth] keys to close"
        );
    }
    let ready = began.elapsed().as_millis();
    match base_url(relay, loaded) {
        Some(url) => tracing::info!("ready in {ready} ms: {url}/"),
        None => tracing::info!("ready in {ready} ms"),
    }
}

/// What a browser on this machine opens, or the public URL.
pub(super) fn base_url(relay: &Relay, loaded: &Loaded) -> Option<String> {
    let public = loaded.config.http.public_url.trim_end_matches('/');
    if !public.is_empty() {
        return Some(public.to_owned());
    }
    let listeners = relay.listeners();
    let url = |scheme: &str, addr: SocketAddr| format!("{scheme}://{}", local(addr, 0));
    let plain = listeners.http.map(|addr| url("http", addr));
    plain.or_else(|| listeners.https.map(|addr| url("https", addr)))
}

/// A listener as this machine reaches it; the port is left out where it is the usual one.
pub(super) fn local(addr: SocketAddr, usual_port: u16) -> String {
    let host = match addr.ip() {
        ip if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    match addr.port() {
        port if port == usual_port => host,
        port => format!("{host}:{port}"),
    }
}

/// What went wrong and what to do about it.
pub(super) fn advice(error: &Error) -> String {
    match error {
        Error::Bind {
            listener,
            addr,
            source,
        } if source.kind() == std::io::ErrorKind::AddrInUse => {
            let owner = port_owner::owner(*addr);
            let by = owner.map(|owner| format!(" by {} (pid {})", owner.name, owner.pid));
            let other = SocketAddr::new(addr.ip(), addr.port().saturating_add(10));
            let instead = match *listener {
                "rtmp" | "http" => format!("pass --{listener} {other}"),
                _ => format!("set {listener}.listen = \"{other}\""),
            };
            format!("{error}{}; stop it or {instead}", by.unwrap_or_default())
        }
        Error::Bind {
            listener,
            addr,
            source,
        } if source.kind() == std::io::ErrorKind::PermissionDenied && addr.port() < 1_024 => {
            format!("{error}; ports below 1024 need a privilege: choose another {listener} port")
        }
        _ => error.to_string(),
    }
}

/// The layers that the process was started with, read again.
struct Layers {
    settings: Settings,
    level: LevelHandle,
}

impl ConfigSource for Layers {
    fn read(&self) -> Result<Config, ConfigError> {
        let (loaded, problems) = settings::read(&self.settings);
        match problems.is_empty() {
            true => Ok(loaded.config),
            false => Err(ConfigError::new(problems)),
        }
    }

    fn applied(&self, config: &Config) {
        self.level.set(&config.log.level);
    }
}

fn reload(relay: &Relay) {
    match relay.reload_source() {
        Some(Ok(reloaded)) => tracing::info!(
            applied = reloaded.applied.join(","),
            kept_until_restart = reloaded.kept_until_restart.join(","),
            "SIGHUP: configuration reloaded"
        ),
        Some(Err(error)) => tracing::error!("SIGHUP: configuration kept as it was: {error}"),
        None => {}
    }
}

async fn drain(relay: &Relay, name: &str, signals: &mut Signals) -> Exit {
    let streams = relay.streams();
    let viewers: usize = streams.iter().map(|stream| stream.viewers().count()).sum();
    tracing::info!(
        "{name}: draining {}, {}, {}, at most 10s; a second signal stops at once",
        counted(streams.len(), "stream"),
        counted(viewers, "viewer"),
        counted(relay.recordings().len(), "recording"),
    );
    drop(streams);
    // A shutdown that is dropped stops waiting; the process ends then.
    tokio::select! {
        stopped = relay.shutdown(DRAIN) => {
            let took = stopped.took.as_secs_f64();
            if stopped.clean {
                let recordings = counted(stopped.recordings, "recording");
                tracing::info!("stopped cleanly in {took:.1}s: {recordings} closed");
            } else {
                tracing::warn!(
                    "stopped after {took:.1}s; some viewers had not taken everything, or a recording is finished by the next start"
                );
            }
        }
        second = signals.stop() => tracing::warn!("{second}: stopped at once"),
    }
    Exit::Done
}

/// `1 stream`, `12 streams`.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
