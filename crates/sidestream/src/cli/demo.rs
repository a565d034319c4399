//! `sidestream demo`: a relay with something to see, in one command.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use publish::Publication;
use sidestream::config::{Loaded, Origin};
use sidestream::describe::{bitrate, clock, short_size};
use sidestream::pull::Source;
use sidestream::{Relay, Stream};

use super::args::{Demo, Global};
use super::push::{Clock, Headers, is_end};
use super::report::{Report, wants_color};
use super::serve::{advice, counted, local};
use super::signals::Signals;
use super::{Exit, limits, logging, runtime, settings};

/// 8 s of moving picture, running clock and a beep per second, made to be looped.
pub(super) static CLIP: &[u8] = include_bytes!("../../../../testdata/demo.flv");

const TEMPORARY: &str = "a temporary folder";

/// The stream it is published as.
const STREAM: &str = "live/demo";
/// How long the end may take.
const DRAIN: Duration = Duration::from_secs(3);
/// How long the clip may take to be seen by the relay.
const START: Duration = Duration::from_secs(10);

/// Serves and publishes until Ctrl-C.
pub(super) fn run(args: &Demo, global: &Global, report: &Report) -> Exit {
    let began = Instant::now();
    let mut loaded = match settings::load(&args.settings, report) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    // Logs must not disturb what is read here; -v shows them.
    let level = if global.verbose > 0 { "info" } else { "warn" };
    logging::start(global, level, loaded.config.log.format);
    limits::raise_open_files();
    let folder = match temporary_folder(&mut loaded) {
        Ok(folder) => folder,
        Err(error) => {
            return report.error(format_args!("temporary folder: {error}; pass --data DIR"));
        }
    };
    let replaced = replace_busy_ports(&mut loaded);
    let runtime = match runtime(report) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let exit = runtime.block_on(async {
        let relay = match Relay::builder().config(loaded.config.clone()).build().await {
            Ok(relay) => relay,
            Err(error) => return report.error(advice(&error)),
        };
        let exit = show(&relay, &loaded, &replaced, args.json, global, began, report).await;
        relay.shutdown(DRAIN).await;
        exit
    });
    if let Some(folder) = folder {
        let _ = std::fs::remove_dir_all(folder);
    }
    exit
}

/// A folder of its own for state, unless one was asked for; to be removed at the end.
fn temporary_folder(loaded: &mut Loaded) -> std::io::Result<Option<PathBuf>> {
    let is_set = |origin: &Origin| *origin != Origin::Default;
    let asked = loaded
        .settings()
        .any(|(section, key, _, origin)| (section, key) == ("storage", "data") && is_set(&origin));
    if asked {
        return Ok(None);
    }
    let folder = std::env::temp_dir().join(format!("sidestream-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    loaded.config.storage.data.clone_from(&folder);
    Ok(Some(folder))
}

/// A default port that was busy, and what it was for.
struct Replaced {
    name: &'static str,
    busy: u16,
}

/// Takes a free port where a default one is in use; what was asked for is kept.
fn replace_busy_ports(loaded: &mut Loaded) -> Vec<Replaced> {
    let mut replaced = Vec::new();
    let defaults: Vec<&'static str> = loaded
        .settings()
        .filter(|(_, key, _, origin)| *key == "listen" && *origin == Origin::Default)
        .map(|(section, ..)| section)
        .collect();
    let config = &mut loaded.config;
    for (section, name, listen) in [
        ("rtmp", "RTMP", &mut config.rtmp.listen),
        ("http", "HTTP", &mut config.http.listen),
    ] {
        if let Some(addr) = listen
            && defaults.contains(&section)
            && TcpListener::bind(*addr).is_err()
        {
            let busy = addr.port();
            replaced.push(Replaced { name, busy });
            addr.set_port(0);
        }
    }
    replaced
}

async fn show(
    relay: &Relay,
    loaded: &Loaded,
    replaced: &[Replaced],
    json: bool,
    global: &Global,
    began: Instant,
    report: &Report,
) -> Exit {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return report.error(format_args!("signals: {error}")),
    };
    let Some(rtmp) = relay.listeners().rtmp else {
        return report.error("demo: the clip is published through RTMP; leave --rtmp \"\" out");
    };
    let publishing = tokio::spawn(publish_clip(loopback(rtmp)));
    let live = tokio::select! {
        live = tokio::time::timeout(START, is_live(relay)) => live,
        _ = signals.stop() => return Exit::Done,
    };
    if live.is_err() {
        return report.error(format_args!(
            "demo: the clip did not arrive on {rtmp}; try --rtmp 127.0.0.1:0"
        ));
    }
    let urls = Urls::new(relay, loaded);
    let color = wants_color(global.color, std::io::stdout().is_terminal());
    let ready = began.elapsed();
    let text = match json {
        true => format!("{:#}\n", urls.json(ready)),
        false => urls.text(ready, replaced, local_address(), color),
    };
    // A closed pipe ends quietly.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
    let redraws = !json && !global.quiet && !global.no_progress && std::io::stdout().is_terminal();
    tokio::select! {
        _ = signals.stop() => {}
        () = status_line(relay, redraws) => {}
    }
    publishing.abort();
    if redraws {
        println!();
    }
    Exit::Done
}

/// Waits until the clip can be watched.
async fn is_live(relay: &Relay) {
    while !relay
        .stream(STREAM)
        .is_some_and(|stream| stream.has_media())
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The address by which this process reaches its own listener.
fn loopback(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// Publishes the clip as an encoder would, again and again.
async fn publish_clip(to: SocketAddr) {
    let mut clock = Clock::default();
    loop {
        if let Err(error) = publish_once(to, &mut clock).await {
            tracing::warn!(stream = STREAM, %error, "demo clip interrupted");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn publish_once(
    to: SocketAddr,
    clock: &mut Clock,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let url = format!("rtmp://{to}/{STREAM}").parse()?;
    let mut publication = Publication::connect(&url, &publish::Config::default()).await?;
    let mut headers = Headers::default();
    loop {
        clock.turn(false);
        let mut clip = Source::from_bytes("demo.flv", Bytes::from_static(CLIP));
        while let Some(tag) = clip.next().await? {
            if is_end(&tag) || headers.is_known(&tag) {
                continue;
            }
            let timestamp = clock.place(&tag);
            if let Some(due) = clock.due() {
                tokio::time::sleep_until(due.into()).await;
            }
            publication.push(tag.kind, timestamp, tag.body);
            publication.flush().await?;
        }
    }
}

/// Redraws the last line once a second; for ever.
async fn status_line(relay: &Relay, redraws: bool) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        if redraws && let Some(stream) = relay.stream(STREAM) {
            let mut out = std::io::stdout().lock();
            let _ = write!(out, "\r\x1b[K{}", status(&stream));
            let _ = out.flush();
        }
    }
}

/// `live/demo   720p30 H.264 + AAC   2.1 Mbit/s   3 viewers   0:01:07`
fn status(stream: &Stream) -> String {
    let (tracks, stats) = (stream.tracks(), stream.stats());
    let rate = tracks.video().and_then(|video| {
        let stats = stats.tracks.iter().find(|stats| stats.track == video.id)?;
        Some(stats.rate_milli)
    });
    let size = tracks.video().and_then(|video| short_size(video, rate));
    let codecs: Vec<&str> = [tracks.video(), tracks.audio()]
        .into_iter()
        .flatten()
        .map(|track| track.codec.name())
        .collect();
    let size = size.map(|size| size + " ").unwrap_or_default();
    format!(
        "  {}   {size}{}   {}   {}   {}",
        stream.name(),
        codecs.join(" + "),
        bitrate(stats.bitrate_bps),
        counted(stream.viewers().count(), "viewer"),
        clock(
            stream
                .started()
                .map_or(Duration::ZERO, |began| began.elapsed())
        ),
    )
}

/// This machine's address on its network: that of the route to the outside; nothing is sent.
fn local_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address for documentation (RFC 5737): nobody is there.
    socket.connect(("192.0.2.1", 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

/// Where everything is.
struct Urls {
    /// `http://localhost:8080`; `None` when HTTP is off.
    web: Option<String>,
    /// `localhost` or `localhost:1945`.
    rtmp: String,
    is_keyed: bool,
    /// Where state goes: the text of a sentence.
    state: String,
    listens: Vec<(&'static str, u16)>,
}

impl Urls {
    fn new(relay: &Relay, loaded: &Loaded) -> Self {
        let listeners = relay.listeners();
        let ports = [("RTMP", listeners.rtmp), ("HTTP", listeners.http)];
        Self {
            web: super::serve::base_url(relay, loaded),
            rtmp: listeners
                .rtmp
                .map_or_else(String::new, |addr| local(addr, 1_935)),
            is_keyed: loaded.config.mode() == "keyed",
            state: match loaded.config.storage.data.starts_with(std::env::temp_dir()) {
                true => TEMPORARY.to_owned(),
                false => loaded.config.storage.data.display().to_string(),
            },
            listens: ports
                .into_iter()
                .filter_map(|(name, addr)| Some((name, addr?.port())))
                .collect(),
        }
    }

    /// RTMP URLs carry the port in the table, where they are copied from.
    fn rtmp_with_port(&self) -> String {
        match self.rtmp.contains(':') {
            true => self.rtmp.clone(),
            false => format!("{}:1935", self.rtmp),
        }
    }

    fn text(
        &self,
        ready: Duration,
        replaced: &[Replaced],
        address: Option<IpAddr>,
        color: bool,
    ) -> String {
        let paint = |code: &str, text: &str| match color {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let title = concat!("sidestream ", env!("CARGO_PKG_VERSION"), "  demo");
        let ready = format!("ready in {} ms", ready.as_millis());
        let gap = 76_usize.saturating_sub(title.len() + ready.len());
        let mut text = format!("  {}{:gap$}{ready}\n\n", paint("1", title), "");
        for Replaced { name, busy } in replaced {
            let now = self.listens.iter().find(|(listener, _)| listener == name);
            if let Some((_, port)) = now {
                let _ = writeln!(
                    text,
                    "  Port {busy} is in use: {name} is on {port} instead."
                );
            }
        }
        if !replaced.is_empty() {
            text.push('\n');
        }
        for (label, url) in self.table() {
            let _ = writeln!(text, "  {label:<10}  {}", paint("36", &url));
        }
        let server = format!("rtmp://{}/live", self.rtmp);
        if let Some(web) = &self.web {
            let _ = write!(
                text,
                "\n  Publish your own, then open {web}/watch/live/me\n"
            );
        }
        let _ = write!(
            text,
            "    ffmpeg    ffmpeg -re -i FILE -c copy -f flv {server}/me\n    \
                 OBS       Server {server}    Stream key me\n\n"
        );
        if let Some(address) = address {
            let _ = writeln!(
                text,
                "  Other devices on this network: use {address} instead of localhost."
            );
        }
        text.push_str(match self.is_keyed {
            true => "  Keys are set for the API: anyone who reaches this machine can publish and watch.\n",
            false => "  No keys are set: anyone who reaches this machine can publish and watch.\n",
        });
        let _ = write!(text, "  State goes to {}. Ctrl-C stops.\n\n", self.state);
        text
    }

    fn table(&self) -> Vec<(&'static str, String)> {
        let mut table = Vec::new();
        if let Some(web) = &self.web {
            table.push(("Watch", format!("{web}/watch/{STREAM}")));
            table.push(("HLS", format!("{web}/{STREAM}.m3u8")));
            table.push(("HTTP-FLV", format!("{web}/{STREAM}.flv")));
        }
        table.push(("RTMP", format!("rtmp://{}/{STREAM}", self.rtmp_with_port())));
        table
    }

    fn json(&self, ready: Duration) -> serde_json::Value {
        let table = self.table();
        let url = |label| table.iter().find(|(l, _)| *l == label).map(|(_, url)| url);
        serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "ready_s": ready.as_secs_f64(),
            "stream": STREAM,
            "watch": url("Watch"),
            "hls": url("HLS"),
            "http_flv": url("HTTP-FLV"),
            "rtmp": url("RTMP"),
            "publish": {
                "server": format!("rtmp://{}/live", self.rtmp_with_port()),
                "stream_key": "me",
                "watch": self.web.as_ref().map(|web| format!("{web}/watch/live/me")),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls() -> Urls {
        Urls {
            web: Some("http://localhost:8080".to_owned()),
            rtmp: "localhost".to_owned(),
            is_keyed: false,
            state: TEMPORARY.to_owned(),
            listens: vec![("RTMP", 1_935), ("HTTP", 8_080)],
        }
    }

    #[test]
    fn the_text_is_the_one_promised() {
        let address = Some(IpAddr::from([192, 168, 1, 20]));
        let text = urls().text(Duration::from_millis(41), &[], address, false);
        let expected = "  \
  sidestream 0.1.0  demo                                        ready in 41 ms

  Watch       http://localhost:8080/watch/live/demo
  HLS         http://localhost:8080/live/demo.m3u8
  HTTP-FLV    http://localhost:8080/live/demo.flv
  RTMP        rtmp://localhost:1935/live/demo

  Publish your own, then open http://localhost:8080/watch/live/me
    ffmpeg    ffmpeg -re -i FILE -c copy -f flv rtmp://localhost/live/me
    OBS       Server rtmp://localhost/live    Stream key me

  Other devices on this network: use 192.168.1.20 instead of localhost.
  No keys are set: anyone who reaches this machine can publish and watch.
  State goes to a temporary folder. Ctrl-C stops.

";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_replaced_port_is_said_and_used_everywhere() {
        let urls = Urls {
            web: Some("http://localhost:40123".to_owned()),
            rtmp: "localhost:40124".to_owned(),
            is_keyed: false,
            state: TEMPORARY.to_owned(),
            listens: vec![("RTMP", 40_124), ("HTTP", 40_123)],
        };
        let replaced = [
            Replaced {
                name: "RTMP",
                busy: 1_935,
            },
            Replaced {
                name: "HTTP",
                busy: 8_080,
            },
        ];
        let text = urls.text(Duration::ZERO, &replaced, None, false);
        assert!(text.contains("  Port 1935 is in use: RTMP is on 40124 instead.\n"));
        assert!(text.contains("  Port 8080 is in use: HTTP is on 40123 instead.\n"));
        assert!(text.contains("-f flv rtmp://localhost:40124/live/me\n"));
        assert!(!text.contains(":8080") && !text.contains("Other devices"));
    }

    #[test]
    fn json_names_the_same_urls() {
        let json = urls().json(Duration::from_millis(41));
        assert_eq!(json["watch"], "http://localhost:8080/watch/live/demo");
        assert_eq!(json["rtmp"], "rtmp://localhost:1935/live/demo");
        assert_eq!(json["publish"]["stream_key"], "me");
        assert_eq!(json["ready_s"], 0.041);
    }

    #[test]
    fn colour_is_only_added() {
        let plain = urls().text(Duration::ZERO, &[], None, false);
        let mut colored = urls().text(Duration::ZERO, &[], None, true);
        assert!(colored.contains("\x1b["));
        for code in ["\x1b[1m", "\x1b[36m", "\x1b[0m"] {
            colored = colored.replace(code, "");
        }
        assert_eq!(colored, plain);
    }
}
