//! The list of keys: what the parser accepts, the environment may override and `--print` shows.

use std::path::PathBuf;

use super::setting::{Setting, Wrong};
use super::value::{Value, parse_value};
use super::{CallbackEndpoint, Config, DvrRule, HlsEncryption, LadderRule, Push, RecordRule};

/// A key of a table that fills a `T`.
pub(super) struct Key<T: 'static> {
    pub(super) name: &'static str,
    /// Reads a value of the file into its place.
    pub(super) set: fn(&mut T, &str, &Value) -> Result<(), Wrong>,
    /// Reads the text of an environment variable or a flag into its place.
    pub(super) set_plain: fn(&mut T, &str, &str) -> Result<(), String>,
    /// Shows what is there, as TOML, secrets as `****`.
    pub(super) show: fn(&T) -> String,
}

/// A table of the file.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) keys: &'static [Key<Config>],
}

macro_rules! keys {
    ($($name:literal => $($field:ident).+),+ $(,)?) => {
        &[$(Key {
            name: $name,
            set: |target, name, value| {
                target.$($field).+ = Setting::read(name, value)?;
                Ok(())
            },
            set_plain: |target, name, text| {
                target.$($field).+ = read_plain(name, text)?;
                Ok(())
            },
            show: |target| Setting::show(&target.$($field).+),
        }),+]
    };
}

/// Every section but `[[push]]`, `[[record.rule]]`, `[[callbacks.endpoint]]`, `[[hls.encryption]]` and
/// `[[hls.ladder]]`.
pub(super) static SECTIONS: &[Section] = &[
    Section {
        name: "rtmp",
        keys: keys![
            "listen" => rtmp.listen,
            "play_wait" => rtmp.play_wait,
            "chunk_size" => rtmp.chunk_size,
            "gather" => rtmp.gather,
        ],
    },
    Section {
        name: "rtmps",
        keys: keys![
            "listen" => rtmps.listen,
            "cert" => rtmps.cert,
            "key" => rtmps.key,
        ],
    },
    Section {
        name: "http",
        keys: keys![
            "listen" => http.listen,
            "public_url" => http.public_url,
            "cors" => http.cors,
            "embed_from" => http.embed_from,
        ],
    },
    Section {
        name: "https",
        keys: keys![
            "listen" => https.listen,
            "cert" => https.cert,
            "key" => https.key,
        ],
    },
    Section {
        name: "streams",
        keys: keys![
            "reconnect_window" => streams.reconnect_window,
            "on_conflict" => streams.on_conflict,
            "unknown_publish" => streams.unknown_publish,
            "gop_cache" => streams.gop_cache,
            "gop_cache_time" => streams.gop_cache_time,
            "viewer_end_grace" => streams.viewer_end_grace,
        ],
    },
    Section {
        name: "fanout",
        keys: keys![
            "workers" => fanout.workers,
            "batch" => fanout.batch,
            "max_lag" => fanout.max_lag,
            "max_lag_bytes" => fanout.max_lag_bytes,
            "stall_timeout" => fanout.stall_timeout,
        ],
    },
    Section {
        name: "hls",
        keys: keys![
            "enabled" => hls.enabled,
            "always" => hls.always,
            "segment" => hls.segment,
            "low_latency" => hls.low_latency,
            "part" => hls.part,
            "part_ranges" => hls.part_ranges,
            "segments" => hls.segments,
            "idle" => hls.idle,
            "timed_metadata" => hls.timed_metadata,
            "dvr" => hls.dvr,
            "dvr_dir" => hls.dvr_dir,
            "dvr_formats" => hls.dvr_formats,
            "dvr_min_free" => hls.dvr_min_free,
        ],
    },
    Section {
        name: "mirror",
        keys: keys![
            "to" => mirror.to,
            "match" => mirror.matches,
            "containers" => mirror.containers,
            "keep" => mirror.keep,
            "endpoint" => mirror.endpoint,
            "region" => mirror.region,
            "access_key_id" => mirror.access_key_id,
            "secret_access_key" => mirror.secret_access_key,
            "credentials_file" => mirror.credentials_file,
            "timeout" => mirror.timeout,
        ],
    },
    Section {
        name: "record",
        keys: keys![
            "dir" => record.dir,
            "name" => record.name,
            "min_free" => record.min_free,
            "queue" => record.queue,
            "resume" => record.resume,
            "keep" => record.keep,
            "keep_size" => record.keep_size,
        ],
    },
    Section {
        name: "auth",
        keys: keys![
            "publish" => auth.publish.mode,
            "publish_key" => auth.publish.key,
            "publish_key_file" => auth.publish.key_file,
            "publish_key_backup" => auth.publish.key_backup,
            "publish_key_backup_file" => auth.publish.key_backup_file,
            "publish_validity" => auth.publish.validity,
            "play" => auth.play.mode,
            "play_key" => auth.play.key,
            "play_key_file" => auth.play.key_file,
            "play_key_backup" => auth.play.key_backup,
            "play_key_backup_file" => auth.play.key_backup_file,
            "play_validity" => auth.play.validity,
            "webhook" => auth.webhook,
            "webhook_secret" => auth.webhook_secret,
            "webhook_secret_file" => auth.webhook_secret_file,
            "webhook_timeout" => auth.webhook_timeout,
            "webhook_cache" => auth.webhook_cache,
            "on_webhook_error" => auth.on_webhook_error,
            "keys" => auth.keys,
            "keys_file" => auth.keys_file,
        ],
    },
    Section {
        name: "control",
        keys: keys![
            "app_id" => control.app_id,
            "bizid" => control.bizid,
            "rtmp_app" => control.rtmp_app,
            "common_access_key" => control.common_access_key,
            "state" => control.state,
            "policy" => control.policy,
        ],
    },
    Section {
        name: "callbacks",
        keys: keys![
            "timeout" => callbacks.timeout,
            "allow_private" => callbacks.allow_private,
        ],
    },
    Section {
        name: "limits",
        keys: keys![
            "connections" => limits.connections,
            "publishers" => limits.publishers,
            "viewers_per_stream" => limits.viewers_per_stream,
            "per_ip" => limits.per_ip,
            "message" => limits.message,
            "publish_bitrate" => limits.publish_bitrate,
            "tracks" => limits.tracks,
        ],
    },
    Section {
        name: "log",
        keys: keys![
            "level" => log.level,
            "format" => log.format,
        ],
    },
    Section {
        name: "metrics",
        keys: keys![
            "enabled" => metrics.enabled,
            "per_stream" => metrics.per_stream,
        ],
    },
    Section {
        name: "storage",
        keys: keys!["data" => storage.data],
    },
];

/// Keys of each `[[push]]`.
pub(super) static PUSH_KEYS: &[Key<Push>] = keys![
    "match" => matches,
    "stream" => stream,
    "url" => url,
    "key_file" => key_file,
    "queue" => queue,
    "retry_max" => retry_max,
];

/// Keys of each `[[hls.encryption]]`.
pub(super) static HLS_ENCRYPTION_KEYS: &[Key<HlsEncryption>] = keys![
    "match" => matches,
    "stream" => stream,
    "method" => method,
    "rotate" => rotate,
    "rotate_segments" => rotate_segments,
    "key_url" => key_url,
    "key_timeout" => key_timeout,
];

/// Keys of each `[[hls.ladder]]`.
pub(super) static LADDER_KEYS: &[Key<LadderRule>] = keys![
    "name" => name,
    "rungs" => rungs,
];

/// Keys of each `[[record.rule]]`.
pub(super) static RECORD_RULE_KEYS: &[Key<RecordRule>] = keys![
    "match" => matches,
    "stream" => stream,
    "formats" => formats,
    "media" => media,
    "split" => split,
    "split_size" => split_size,
    "split_at" => split_at,
    "preroll" => preroll,
    "name" => name,
];

/// Keys of each `[[callbacks.endpoint]]`.
pub(super) static CALLBACK_ENDPOINT_KEYS: &[Key<CallbackEndpoint>] = keys![
    "url" => url,
    "events" => events,
    "secret_file" => secret_file,
    "profile" => profile,
    "max_age" => max_age,
];

/// Keys of each `[[hls.dvr_rule]]`.
pub(super) static DVR_RULE_KEYS: &[Key<DvrRule>] = keys![
    "match" => matches,
    "stream" => stream,
    "window" => window,
];

pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// Names of every table that a file may hold.
pub(super) fn section_names() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|section| section.name).chain(["push"])
}

/// The environment variable that overrides a key.
pub(super) fn variable(section: &str, key: &str) -> String {
    format!("SIDESTREAM_{section}__{key}").to_uppercase()
}

/// Reads a setting of plain text; lists, numbers and flags are TOML there.
fn read_plain<T: Setting>(name: &str, text: &str) -> Result<T, String> {
    let value = if T::PLAIN {
        Value::text(text)
    } else {
        parse_value(text).map_err(|error| format!(": {}", error.what))?
    };
    T::read(name, &value).map_err(|wrong| wrong.what)
}

/// Where a path of the file is meant from: the folder of the file.
pub(super) fn resolve(path: &mut Option<PathBuf>, base: &std::path::Path) {
    if let Some(path) = path
        && path.is_relative()
    {
        *path = base.join(&*path);
    }
}
