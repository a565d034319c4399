//! Log lines on standard error: for people on a terminal, in a file, under journald, or as JSON.
//!
//! ```text
//! terminal  10:15:02.421 INFO  rtmp listening on 0.0.0.0:1935
//! piped     2026-11-20T10:15:02.421Z INFO  rtmp listening on 0.0.0.0:1935
//! journald  <6>rtmp listening on 0.0.0.0:1935
//! json      {"time":"2026-11-20T10:15:02.421Z","level":"info","message":"rtmp listening on …"}
//! ```

use std::fmt::{self, Write as _};
use std::io::IsTerminal;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, reload};

use super::args::{Global, LogFormat};
use super::report::wants_color;

/// Changes the level while the process runs.
pub(super) struct LevelHandle {
    handle: reload::Handle<EnvFilter, tracing_subscriber::Registry>,
    fixed: bool,
}

impl LevelHandle {
    /// Sets the level of the configuration, unless `-v` or `-q` decides.
    pub(super) fn set(&self, level: &str) {
        if !self.fixed
            && let Ok(filter) = EnvFilter::try_new(level)
        {
            let _ = self.handle.reload(filter);
        }
    }
}

/// Whether a level, or directives, can be used.
pub(super) fn check_level(level: &str) -> Result<(), String> {
    match EnvFilter::try_new(level) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Starts logging. `level` is what applies without `-v` and `-q`, `format` without `--log-format`.
pub(super) fn start(
    global: &Global,
    level: &str,
    format: sidestream::config::LogFormat,
) -> LevelHandle {
    let chosen = match (global.quiet, global.verbose) {
        (true, _) => Some("warn"),
        (_, 0) => None,
        // What other libraries say helps nobody but their authors.
        (_, 1) => Some("info,sidestream=debug"),
        (..) => Some("debug,sidestream=trace"),
    };
    let filter = EnvFilter::try_new(chosen.unwrap_or(level));
    let (filter, handle) = reload::Layer::new(filter.unwrap_or_else(|_| EnvFilter::new("info")));
    let is_json = match global.log_format {
        Some(format) => format == LogFormat::Json,
        None => format == sidestream::config::LogFormat::Json,
    };
    let is_terminal = std::io::stderr().is_terminal();
    let style = match (is_json, is_terminal) {
        (true, _) => Style::Json,
        (_, true) => Style::Terminal {
            zone: TimeZone::system(),
            color: wants_color(global.color, true),
        },
        (_, false) if std::env::var_os("JOURNAL_STREAM").is_some() => Style::Journald,
        _ => Style::Piped,
    };
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { style })
        .with_writer(std::io::stderr);
    // A second start in one process keeps the first; only tests do that.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
    LevelHandle {
        handle,
        fixed: chosen.is_some(),
    }
}

enum Style {
    Terminal { zone: TimeZone, color: bool },
    Piped,
    Journald,
    Json,
}

struct Lines {
    style: Style,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = line(
            &self.style,
            Timestamp::now(),
            *event.metadata().level(),
            &fields,
        );
        out.write_str(&line)?;
        out.write_char('\n')
    }
}

fn line(style: &Style, now: Timestamp, level: Level, fields: &Fields) -> String {
    let utc = || format!("{now:.3}");
    match style {
        Style::Json => {
            let mut object = Map::new();
            object.insert("time".to_owned(), utc().into());
            object.insert("level".to_owned(), level_name(level).to_lowercase().into());
            for (name, value) in &fields.others {
                object.insert((*name).to_owned(), value.clone());
            }
            object.insert("message".to_owned(), fields.message.clone().into());
            Value::Object(object).to_string()
        }
        Style::Journald => format!("<{}>{}", priority(level), text(fields)),
        Style::Piped => format!("{} {:<5} {}", utc(), level_name(level), text(fields)),
        Style::Terminal { zone, color } => {
            let local = now.to_zoned(zone.clone());
            let time = local.strftime("%H:%M:%S%.3f").to_string();
            let name = level_name(level);
            let text = text(fields);
            if *color {
                let code = color_code(level);
                format!("\x1b[2m{time}\x1b[0m \x1b[{code}m{name:<5}\x1b[0m {text}")
            } else {
                format!("{time} {name:<5} {text}")
            }
        }
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

/// `sd-daemon(3)`: syslog priorities.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

fn color_code(level: Level) -> &'static str {
    match level {
        Level::ERROR => "1;31",
        Level::WARN => "1;33",
        Level::INFO => "32",
        Level::DEBUG | Level::TRACE => "2",
    }
}

/// What an event carries, in order.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        // Empty texts say nothing.
        if value.as_str() == Some("") {
            return;
        }
        self.others.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.put(field, value.into());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

/// The message and `name=value` behind it. Values come from peers: nothing in them can end the
/// line or look like another field.
fn text(fields: &Fields) -> String {
    let mut text = escaped(&fields.message);
    for (name, value) in &fields.others {
        // The dotted name of the event is for machines; the message says it to people.
        if *name == "event" {
            continue;
        }
        let value = match value {
            Value::String(value) if is_plain(value) => value.clone(),
            Value::String(value) => format!("\"{}\"", escaped(&value.replace('"', "'"))),
            other => other.to_string(),
        };
        let _ = write!(text, " {name}={value}");
    }
    text
}

fn is_plain(value: &str) -> bool {
    value
        .chars()
        .all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=')
}

fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fields() -> Fields {
        Fields {
            message: "publish started".to_owned(),
            others: vec![
                ("event", "publish.started".into()),
                ("stream", "live/cam1".into()),
                ("client", "obs-output 32.0".into()),
                ("reason", "evil\n12:00:00 \"x\"".into()),
                ("skips", 4.into()),
            ],
        }
    }

    #[test]
    fn each_style_has_its_time_and_level() {
        let now: Timestamp = "2026-11-20T10:15:02.418999Z".parse().unwrap();
        let show = |style: &Style| line(style, now, Level::INFO, &fields());
        let tail = "publish started stream=live/cam1 client=\"obs-output 32.0\" \
                    reason=\"evil 12:00:00 'x'\" skips=4";
        let terminal = Style::Terminal {
            zone: TimeZone::fixed(jiff::tz::offset(8)),
            color: false,
        };
        assert_eq!(show(&terminal), format!("18:15:02.418 INFO  {tail}"));
        assert_eq!(
            show(&Style::Piped),
            format!("2026-11-20T10:15:02.418Z INFO  {tail}")
        );
        assert_eq!(show(&Style::Journald), format!("<6>{tail}"));
        let json: Value = serde_json::from_str(&show(&Style::Json)).unwrap();
        assert_eq!(json["time"], "2026-11-20T10:15:02.418Z");
        assert_eq!(json["level"], "info");
        assert_eq!(json["event"], "publish.started");
        assert_eq!(json["message"], "publish started");
        assert_eq!(json["skips"], 4);
        assert_eq!(json["reason"], "evil\n12:00:00 \"x\"");
    }
}
