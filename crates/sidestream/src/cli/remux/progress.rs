//! How far the work is: a line on a terminal, objects for machines, one line at the end.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use sidestream::convert::{Progress as At, Summary, Watch};
use sidestream::describe::{clock, traffic};

use super::super::args::{Global, Remux};
use super::super::report::Report;

/// Between two lines.
const EVERY: Duration = Duration::from_millis(100);
const JSON_EVERY: Duration = Duration::from_secs(1);
/// Characters of the bar.
const WIDTH: u64 = 25;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Nothing,
    Summary,
    Bar,
    Json,
}

/// Tells of the work.
pub(super) struct Progress<'a> {
    input: String,
    output: String,
    shows: Shows,
    report: &'a Report,
    stop: &'a AtomicBool,
    began: Instant,
    told: Instant,
    is_shown: bool,
}

impl Watch for Progress<'_> {
    fn progress(&mut self, at: At) -> ControlFlow<()> {
        self.show(&at);
        match self.stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn warning(&mut self, what: &str) {
        self.clear();
        self.report.warning(what);
    }
}

impl<'a> Progress<'a> {
    pub(super) fn new(
        args: &Remux,
        global: &Global,
        report: &'a Report,
        stop: &'a AtomicBool,
    ) -> Self {
        let to_stdout = args.output.as_os_str() == "-";
        let shows = if args.json && !to_stdout {
            Shows::Json
        } else if global.quiet {
            Shows::Nothing
        } else if global.no_progress || !std::io::stderr().is_terminal() {
            Shows::Summary
        } else {
            Shows::Bar
        };
        Self {
            input: args.input.display().to_string(),
            output: args.output.display().to_string(),
            shows,
            report,
            stop,
            began: Instant::now(),
            told: Instant::now(),
            is_shown: false,
        }
    }

    fn show(&mut self, at: &At) {
        let every = match self.shows {
            Shows::Bar => EVERY,
            Shows::Json => JSON_EVERY,
            Shows::Nothing | Shows::Summary => return,
        };
        if self.told.elapsed() < every {
            return;
        }
        self.told = Instant::now();
        let elapsed = self.began.elapsed();
        if self.shows == Shows::Json {
            let object = json!({
                "event": "progress",
                "input": self.input,
                "output": self.output,
                "media_s": at.media.as_secs_f64(),
                "elapsed_s": elapsed.as_secs_f64(),
                "bytes_read": at.bytes_read,
                "bytes_total": at.bytes_total,
                "share": at.share,
            });
            // A closed pipe ends quietly.
            let _ = writeln!(std::io::stdout().lock(), "{object}");
            return;
        }
        self.is_shown = true;
        let mut out = std::io::stderr().lock();
        let line = self.line(at.bytes_read, at.share, at.media, elapsed);
        let _ = write!(out, "\r\x1b[K{line}");
        let _ = out.flush();
    }

    /// `in -> out  ━━━━╺━━━  64%  460x  812 MB/s  3s left`
    fn line(&self, read: u64, share: Option<f64>, media: Duration, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(0.001);
        let speed = media.as_secs_f64() / seconds;
        let per_second = traffic((read as f64 / seconds) as u64);
        let names = format!("{} -> {}", self.input, self.output);
        // Nothing can be said of the time left before something was read.
        let Some(share) = share.filter(|&share| share > 0.0) else {
            return format!("{names}  {}  {speed:.0}x  {per_second}/s", clock(media));
        };
        let filled = (share * WIDTH as f64) as u64;
        let bar: String = (0..WIDTH)
            .map(|at| match at.cmp(&filled) {
                std::cmp::Ordering::Equal => '╺',
                _ => '━',
            })
            .collect();
        let left = (1.0 - share) * seconds / share;
        let percent = (share * 100.0) as u64;
        format!("{names}  {bar}  {percent}%  {speed:.0}x  {per_second}/s  {left:.0}s left")
    }

    /// Takes the line away, before something else is printed.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }

    /// Sums up.
    pub(super) fn finish(&self, done: &Summary) {
        let elapsed = self.began.elapsed();
        match self.shows {
            Shows::Nothing => {}
            Shows::Json => {
                let object = json!({
                    "event": "summary",
                    "input": self.input,
                    "output": self.output,
                    "media_s": done.media.as_secs_f64(),
                    "elapsed_s": elapsed.as_secs_f64(),
                    "bytes_read": done.bytes_read,
                    "bytes_written": done.bytes_written,
                    "tracks": done.tracks,
                    "warnings": Self::warnings(done),
                    "damages": done.losses.count(),
                    "bytes_lost": done.losses.bytes(),
                    "interrupted": done.interrupted,
                });
                let _ = writeln!(std::io::stdout().lock(), "{object}");
            }
            Shows::Summary | Shows::Bar => {
                let speed = done.media.as_secs_f64() / elapsed.as_secs_f64().max(0.001);
                let plural = if done.tracks == 1 { "" } else { "s" };
                let warnings = match Self::warnings(done) {
                    0 => "no warnings".to_owned(),
                    1 => "1 warning".to_owned(),
                    n => format!("{n} warnings"),
                };
                eprintln!(
                    "{} -> {}: {}, {}, {} track{plural} in {:.1}s ({speed:.0}x), {warnings}",
                    self.input,
                    self.output,
                    clock(done.media),
                    traffic(done.bytes_written),
                    done.tracks,
                    elapsed.as_secs_f64(),
                );
            }
        }
    }

    /// Damage is told by one more.
    fn warnings(done: &Summary) -> u64 {
        done.warnings + u64::from(!done.losses.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_bar_share_speed_and_time_left() {
        let global = Global::default();
        let (report, stop) = (Report::new(&global), AtomicBool::new(false));
        let progress = Progress {
            input: "a.flv".to_owned(),
            output: "b.mp4".to_owned(),
            shows: Shows::Bar,
            report: &report,
            stop: &stop,
            began: Instant::now(),
            told: Instant::now(),
            is_shown: false,
        };
        let (media, elapsed) = (Duration::from_secs(920), Duration::from_secs(2));
        let line = |read, share| progress.line(read, share, media, elapsed);
        assert_eq!(
            line(1_600_000_000, Some(0.64)),
            "a.flv -> b.mp4  ━━━━━━━━━━━━━━━━╺━━━━━━━━  64%  460x  800 MB/s  1s left"
        );
        assert_eq!(
            line(1_600_000_000, None),
            "a.flv -> b.mp4  0:15:20  460x  800 MB/s"
        );
        assert!(line(0, Some(0.0)).ends_with("  0 B/s"));
        assert!(line(9, Some(1.0)).contains("━━  100%  "));
    }
}
