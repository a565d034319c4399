//! What people and scripts see of a recording while it runs, and at its end.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use record::{Manifest, Status};
use serde_json::{Value, json};
use sidestream::describe::{bitrate, clock, traffic};

use super::Target;
use crate::cli::args::{Global, Record};

/// Between two objects of `--json`, and two lines of progress.
const EVERY: Duration = Duration::from_secs(1);

/// A recording's figures at one moment.
pub(super) struct Figures {
    pub(super) status: Status,
    pub(super) elapsed: Duration,
    pub(super) connections: u64,
    pub(super) files: u64,
}

impl Figures {
    fn media(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.status.duration_ms).unwrap_or(0))
    }

    fn bitrate_bps(&self) -> u64 {
        let millis = u64::try_from(self.media().as_millis()).unwrap_or(u64::MAX);
        self.status.bytes.saturating_mul(8_000) / millis.max(1)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Summary,
    Progress,
    Json,
}

/// Prints.
#[derive(Clone)]
pub(super) struct Show {
    kind: Kind,
    input: String,
    output: String,
    shown: Cell<Option<Instant>>,
}

impl Show {
    pub(super) fn new(args: &Record, global: &Global, target: &Target) -> Self {
        let kind = if args.json {
            Kind::Json
        } else if global.quiet {
            Kind::Nothing
        } else if global.no_progress || !std::io::stderr().is_terminal() {
            Kind::Summary
        } else {
            Kind::Progress
        };
        Self {
            kind,
            input: args.input.to_string(),
            output: target.to_string(),
            shown: Cell::new(None),
        }
    }

    /// How far it is; at most once a second.
    pub(super) fn progress(&self, figures: &Figures) {
        if self.shown.get().is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.shown.set(Some(Instant::now()));
        match self.kind {
            Kind::Progress => {
                let mut out = std::io::stderr().lock();
                let _ = write!(
                    out,
                    "\r\x1b[K{} -> {}   {}   {}   {}   gaps {}   Ctrl-C ends",
                    self.input,
                    self.output,
                    clock(figures.media()),
                    bitrate(figures.bitrate_bps()),
                    traffic(figures.status.bytes),
                    figures.status.gaps,
                );
                let _ = out.flush();
            }
            Kind::Json => self.json(&self.object("progress", figures)),
            Kind::Nothing | Kind::Summary => {}
        }
    }

    /// A file is finished.
    pub(super) fn file(&self, root: &Path, manifest: &Manifest) {
        if self.kind != Kind::Json {
            return;
        }
        let gaps: Vec<Value> = manifest
            .gaps
            .iter()
            .map(|gap| {
                json!({
                    "at_s": seconds(gap.at_ms),
                    "missing_s": seconds(gap.missing_ms),
                    "in_time": gap.in_time,
                    "cause": gap.cause.as_str(),
                })
            })
            .collect();
        self.json(&json!({
            "event": "file",
            "path": root.join(&manifest.path).display().to_string(),
            "format": manifest.format,
            "bytes": manifest.size,
            "duration_s": seconds(manifest.duration_ms),
            "start_time": manifest.start_time,
            "end_time": manifest.end_time,
            "sha256": manifest.sha256,
            "gaps": gaps,
        }));
    }

    /// Sums up.
    pub(super) fn summary(&self, figures: &Figures) {
        match self.kind {
            Kind::Json => return self.json(&self.object("summary", figures)),
            Kind::Nothing => return,
            Kind::Progress => self.clear_line(),
            Kind::Summary => {}
        }
        if figures.status.bytes == 0 {
            return;
        }
        let mut more = String::new();
        let parts = [
            (figures.files.saturating_sub(1), "files"),
            (figures.status.gaps, "gaps"),
            (figures.connections.saturating_sub(1), "reconnects"),
        ];
        for (count, what) in parts {
            match (what, count) {
                (_, 0) => {}
                ("files", _) => more += &format!(", {} files", count + 1),
                (what, 1) => more += &format!(", 1 {}", what.trim_end_matches('s')),
                (what, _) => more += &format!(", {count} {what}"),
            }
        }
        eprintln!(
            "{} -> {}: {}, {} in {:.1}s{more}",
            self.input,
            self.output,
            clock(figures.media()),
            traffic(figures.status.bytes),
            figures.elapsed.as_secs_f64(),
        );
    }

    /// Makes room for another line.
    pub(super) fn clear_line(&self) {
        if self.kind == Kind::Progress {
            eprint!("\r\x1b[K");
        }
    }

    fn object(&self, event: &str, figures: &Figures) -> Value {
        json!({
            "event": event,
            "input": self.input,
            "output": self.output,
            "media_s": figures.media().as_secs_f64(),
            "elapsed_s": figures.elapsed.as_secs_f64(),
            "bytes": figures.status.bytes,
            "bitrate_bps": figures.bitrate_bps(),
            "gaps": figures.status.gaps,
            "files": figures.files,
            "connections": figures.connections,
        })
    }

    fn json(&self, object: &Value) {
        // A closed pipe ends quietly.
        let _ = writeln!(std::io::stdout().lock(), "{object}");
    }
}

fn seconds(ms: i64) -> f64 {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0)).as_secs_f64()
}
