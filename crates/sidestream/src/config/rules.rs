//! What a value must be beyond its type, and which settings exclude or need each other.
//!
//! Pure: nothing is opened here. [`super::Loaded::problem`] places what is found later.

use std::time::Duration;

use super::quantity::show_duration;
use super::{Batch, Config};

/// Calls `complain` with `section.key` and one sentence for each rule that is broken.
pub(super) fn check(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    listeners(config, complain);
    http(config, complain);
    streams(config, complain);
    push(config, complain);
    super::hls_encryption::check(config, complain);
    ladders(config, complain);
    super::record::check(config, complain);
    super::mirror::check(config, complain);
    super::callbacks::check(config, complain);
    super::dvr::check(config, complain);
    config.auth.check(complain);
    if let Err(what) = check_level(&config.log.level) {
        complain("log.level", format!("log.level: {what}"));
    }
}

fn listeners(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    let chunk_size = config.rtmp.chunk_size;
    if !(128..=16_777_215).contains(&chunk_size) {
        complain(
            "rtmp.chunk_size",
            format!("rtmp.chunk_size: {chunk_size} is not between 128 and 16777215"),
        );
    }
    let secured = [
        (
            "rtmps",
            config.rtmps.listen,
            &config.rtmps.cert,
            &config.rtmps.key,
        ),
        (
            "https",
            config.https.listen,
            &config.https.cert,
            &config.https.key,
        ),
    ];
    for (section, listen, cert, key) in secured {
        let missing = match (cert, key) {
            (Some(_), Some(_)) if listen.is_none() => Some(("listen", "cert")),
            (Some(_), None) => Some(("key", "cert")),
            (None, Some(_)) => Some(("cert", "key")),
            (None, None) if listen.is_some() => Some(("cert", "listen")),
            _ => None,
        };
        if let Some((missing, present)) = missing {
            complain(
                &format!("{section}.{present}"),
                format!(
                    "{section}.{present} is set, {section}.{missing} is not; set it or remove [{section}]"
                ),
            );
        }
    }
    let listens = [
        ("rtmp", config.rtmp.listen),
        ("rtmps", config.rtmps.listen),
        ("http", config.http.listen),
        ("https", config.https.listen),
    ];
    for (index, (section, listen)) in listens.iter().enumerate() {
        for (other, taken) in &listens[..index] {
            if let (Some(a), Some(b)) = (listen, taken)
                && a.port() == b.port()
                && a.port() != 0
                && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
            {
                complain(
                    &format!("{section}.listen"),
                    format!("{section}.listen: {a} is also {other}.listen; choose another port"),
                );
            }
        }
    }
    if listens.iter().all(|(_, listen)| listen.is_none()) {
        complain(
            "rtmp.listen",
            "rtmp.listen, http.listen and their TLS kin are all \"\": nothing to serve; set one"
                .to_owned(),
        );
    }
}

fn http(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    let url = &config.http.public_url;
    let has_host = ["http://", "https://"]
        .iter()
        .filter_map(|scheme| url.strip_prefix(scheme))
        .any(|host| !host.is_empty() && !host.starts_with('/') && !host.contains([' ', '?', '#']));
    if !url.is_empty() && !has_host {
        complain(
            "http.public_url",
            format!(
                "http.public_url: {url:?} is not a URL; write public_url = \"https://live.example.com\""
            ),
        );
    }
    for (key, origins) in [
        ("cors", &config.http.cors),
        ("embed_from", &config.http.embed_from),
    ] {
        for origin in origins {
            let is_origin = origin == "*"
                || (origin.starts_with("http://") || origin.starts_with("https://"))
                    && !origin.ends_with('/')
                    && origin
                        .chars()
                        .all(|c| c.is_ascii_graphic() && !matches!(c, ';' | ',' | '\'' | '"'));
            if !is_origin {
                complain(
                    &format!("http.{key}"),
                    format!(
                        "http.{key}: {origin:?} is not an origin; write \"https://example.com\" or \"*\""
                    ),
                );
            }
        }
    }
}

fn streams(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    let mut between = |path: &str, value: Duration, low: Duration, high: Duration| {
        if value < low || value > high {
            let (value, low, high) = (
                show_duration(value),
                show_duration(low),
                show_duration(high),
            );
            complain(
                path,
                format!("{path}: {value} is not between {low} and {high}"),
            );
        }
    };
    let seconds = Duration::from_secs;
    between(
        "rtmp.play_wait",
        config.rtmp.play_wait,
        Duration::ZERO,
        seconds(3_600),
    );
    between(
        "rtmp.gather",
        config.rtmp.gather,
        Duration::ZERO,
        Duration::from_millis(500),
    );
    between(
        "streams.reconnect_window",
        config.streams.reconnect_window,
        Duration::ZERO,
        seconds(86_400),
    );
    between(
        "streams.viewer_end_grace",
        config.streams.viewer_end_grace,
        Duration::ZERO,
        seconds(3_600),
    );
    between(
        "streams.gop_cache_time",
        config.streams.gop_cache_time,
        seconds(1),
        seconds(120),
    );
    between(
        "fanout.max_lag",
        config.fanout.max_lag,
        Duration::from_millis(100),
        seconds(120),
    );
    between(
        "fanout.stall_timeout",
        config.fanout.stall_timeout,
        seconds(1),
        seconds(3_600),
    );
    between(
        "hls.segment",
        config.hls.segment,
        Duration::from_millis(500),
        seconds(60),
    );
    between(
        "hls.part",
        config.hls.part,
        Duration::from_millis(200),
        seconds(1),
    );
    between("hls.idle", config.hls.idle, seconds(5), seconds(86_400));
    if let Batch::Time(time) = config.fanout.batch {
        between("fanout.batch", time, Duration::ZERO, seconds(2));
    }
    let mut at_least = |path: &str, value: u64, low: u64, unit: &str| {
        if value < low {
            complain(
                path,
                format!("{path}: {value}{unit} is less than {low}{unit}"),
            );
        }
    };
    let limits = &config.limits;
    at_least("streams.gop_cache", config.streams.gop_cache.0, 65_536, "B");
    at_least(
        "fanout.max_lag_bytes",
        config.fanout.max_lag_bytes.0,
        65_536,
        "B",
    );
    at_least("limits.message", limits.message.0, 65_536, "B");
    at_least(
        "limits.publish_bitrate",
        limits.publish_bitrate.0,
        1_000,
        "bit/s",
    );
    at_least("limits.connections", limits.connections as u64, 1, "");
    at_least("limits.publishers", limits.publishers as u64, 1, "");
    at_least("limits.tracks", limits.tracks as u64, 1, "");
    let segments = config.hls.segments;
    if !(3..=1_000).contains(&segments) {
        // RFC 8216 §6.2.2: a live playlist holds at least three target durations.
        complain(
            "hls.segments",
            format!("hls.segments: {segments} is not between 3 and 1000"),
        );
    }
    if limits.message.0 > 16_777_215 {
        let what = format!(
            "limits.message: {} is more than the 16777215B an RTMP length can say",
            limits.message
        );
        complain("limits.message", what);
    }
}

fn ladders(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    let mut rules = Vec::new();
    for (index, ladder) in config.hls.ladder.iter().enumerate() {
        let error = match hls::LadderRule::new(&ladder.name, &ladder.rungs) {
            Ok(rule) => {
                rules.push(rule);
                hls::LadderRule::check_all(&rules).err()
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            complain(
                &format!("hls.ladder.{index}"),
                format!("hls.ladder: {error}"),
            );
            rules.truncate(index);
        }
    }
}

fn push(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    for (index, push) in config.push.iter().enumerate() {
        let mut say = |key: &str, what: String| complain(&format!("push.{index}.{key}"), what);
        match (push.matches.is_empty(), push.stream.is_empty()) {
            (true, true) => say(
                "url",
                "push has neither match nor stream; write match = \"live/*\"".to_owned(),
            ),
            (false, false) => say("match", "push has match and stream; keep one".to_owned()),
            (true, false) => {
                if let Err(error) = media::StreamName::from_path(&push.stream) {
                    say("stream", format!("push.stream: {error}"));
                }
            }
            (false, true) => {}
        }
        if push.url.is_empty() {
            say(
                "url",
                "push has no url; write url = \"rtmp://HOST/APP/KEY\"".to_owned(),
            );
        } else if let Err(error) =
            push.target_url("app", "stream", push.key_file.as_ref().map(|_| "key"))
        {
            say("url", format!("push.url: {error}"));
        }
        if push.queue < Duration::from_secs(1) || push.queue > Duration::from_secs(120) {
            say(
                "queue",
                format!(
                    "push.queue: {} is not between 1s and 2m",
                    show_duration(push.queue)
                ),
            );
        }
        if push.retry_max < Duration::from_secs(1) || push.retry_max > Duration::from_secs(3_600) {
            say(
                "retry_max",
                format!(
                    "push.retry_max: {} is not between 1s and 1h",
                    show_duration(push.retry_max)
                ),
            );
        }
    }
}

/// Levels as a user writes them; directives are checked by the binary that has their parser.
fn check_level(text: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    if text.contains(['=', ',']) || LEVELS.contains(&text) {
        return Ok(());
    }
    match crate::nearest::nearest(text, LEVELS) {
        Some(near) => Err(format!("unknown level {text:?}; did you mean {near:?}?")),
        None => Err(format!(
            "unknown level {text:?}; there are {}",
            LEVELS.join(", ")
        )),
    }
}
