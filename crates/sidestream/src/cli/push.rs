//! `sidestream push`: a file at the speed of its timestamps, or a live stream passed on.

mod clock;
mod headers;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use publish::{Config, Publication};
use remux::flv::Tag;
use serde_json::json;
use sidestream::describe::{bitrate, clock, traffic};
use sidestream::pull::{Input, PullError, Source};

pub(super) use clock::Clock;
pub(super) use headers::{Headers, is_end, is_header, is_key_frame};

use super::args::{Global, Push};
use super::report::Report;
use super::signals::Signals;
use super::{Exit, logging, runtime};

/// Longest pause between two attempts to connect.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(1);
/// How far a file may be sent ahead of its timestamps, so that a network that stutters does not
/// make the viewers wait.
const AHEAD: Duration = Duration::from_millis(200);

/// Publishes until the end of the input, `--duration`, or Ctrl-C.
pub(super) fn run(args: Push, global: &Global, report: &Report) -> Exit {
    logging::start(global, "warn", sidestream::config::LogFormat::Text);
    if args.repeat && (!matches!(args.input, Input::File(_)) || args.input.to_string() == "stdin") {
        report.error("--loop: only a file can be begun again; leave it out");
        return Exit::Usage;
    }
    let runtime = match runtime(report) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    runtime.block_on(async {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return report.error(format_args!("signals: {error}")),
        };
        let mut sending = Sending::new(args, global);
        let ended = {
            let limit = sending.args.duration;
            let work = sending.work(report);
            // Dropping the work closes the connections; all figures are kept outside of it.
            tokio::select! {
                ended = work => ended,
                _ = signals.stop() => Ok(Ended::Interrupted),
                () = sleep_for(limit) => Ok(Ended::Done),
            }
        };
        sending.finish().await;
        match ended {
            Ok(Ended::Done) => Exit::Done,
            Ok(Ended::Interrupted) => Exit::Interrupted,
            Err(error) => report.error(error),
        }
    })
}

async fn sleep_for(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

enum Ended {
    Done,
    Interrupted,
}

/// A publish and its figures.
struct Sending {
    args: Push,
    /// How the target is shown: without the key.
    target: String,
    publication: Option<Publication>,
    /// Sent on connections that are gone.
    bytes_before: u64,
    connections: u64,
    /// A connection was made anew: media begins at a random access point.
    joining: bool,
    media: Duration,
    began: Instant,
    shown: Option<Instant>,
    shows: Shows,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Nothing,
    Summary,
    Progress,
    Json,
}

impl Sending {
    fn new(args: Push, global: &Global) -> Self {
        let shows = if args.json {
            Shows::Json
        } else if global.quiet {
            Shows::Nothing
        } else if global.no_progress || !std::io::stderr().is_terminal() {
            Shows::Summary
        } else {
            Shows::Progress
        };
        Self {
            target: args.url.to_string(),
            args,
            publication: None,
            bytes_before: 0,
            connections: 0,
            joining: false,
            media: Duration::ZERO,
            began: Instant::now(),
            shown: None,
            shows,
        }
    }

    /// Publishes all of it; connections that break are made again.
    async fn work(&mut self, report: &Report) -> Result<Ended, String> {
        let mut clock = Clock::default();
        let mut retry = Retry::default();
        // What a server needs before media; sent again on each connection.
        let mut headers = Headers::default();
        loop {
            let source = Source::open(&self.args.input, self.args.wait).await;
            let mut source = match source {
                Ok(source) => source,
                Err(error) if self.connections > 0 && is_transient(&error) => {
                    self.pause(&mut retry, &error, report).await;
                    continue;
                }
                Err(error) => return Err(error.to_string()),
            };
            clock.turn(source.is_live());
            let broken = loop {
                let tag = match source.next().await {
                    Ok(Some(tag)) => tag,
                    Ok(None) => break None,
                    Err(error) if source.is_live() => break Some(error),
                    Err(error) => return Err(error.to_string()),
                };
                // The end comes with the goodbye, not between two turns.
                if is_end(&tag) || headers.is_known(&tag) {
                    continue;
                }
                let timestamp = clock.place(&tag);
                self.wait_for(&clock).await;
                self.send(&tag, timestamp, &headers, &mut retry, report)
                    .await?;
                self.media = clock.media;
                self.show();
            };
            match broken {
                Some(error) => self.pause(&mut retry, &error, report).await,
                None if !self.args.repeat => return Ok(Ended::Done),
                None if self.media.is_zero() => {
                    return Err(format!("{}: holds no media to send", self.args.input));
                }
                None => {}
            }
        }
    }

    /// Waits until the clock's time has come; live inputs wait by themselves.
    async fn wait_for(&mut self, clock: &Clock) {
        let Some(due) = clock.due() else { return };
        if due.saturating_duration_since(Instant::now()) <= AHEAD {
            return;
        }
        let sleep = tokio::time::sleep_until((due - AHEAD).into());
        match &mut self.publication {
            None => sleep.await,
            // Cancel safe: what the server says meanwhile is kept in the session.
            Some(publication) => tokio::select! {
                () = sleep => {}
                // Found again, and answered, by the next write.
                _ = publication.closed() => tokio::time::sleep_until((due - AHEAD).into()).await,
            },
        }
    }

    async fn send(
        &mut self,
        tag: &Tag,
        timestamp: u32,
        headers: &Headers,
        retry: &mut Retry,
        report: &Report,
    ) -> Result<(), String> {
        if self.publication.is_none() && !self.connect(headers, timestamp, retry, report).await? {
            return Ok(());
        }
        let Some(publication) = &mut self.publication else {
            return Ok(());
        };
        if self.joining && headers.has_video() {
            if !is_key_frame(tag) {
                return Ok(());
            }
            self.joining = false;
        }
        publication.push(tag.kind, timestamp, tag.body.clone());
        if let Err(error) = publication.flush().await {
            self.drop_publication();
            self.pause(retry, &error, report).await;
        }
        Ok(())
    }

    /// One attempt; false when it failed and another may follow.
    async fn connect(
        &mut self,
        headers: &Headers,
        timestamp: u32,
        retry: &mut Retry,
        report: &Report,
    ) -> Result<bool, String> {
        match Publication::connect(&self.args.url, &Config::default()).await {
            Ok(mut publication) => {
                if self.connections > 0 {
                    headers.send(&mut publication, timestamp);
                    self.joining = true;
                }
                self.connections += 1;
                self.publication = Some(publication);
                retry.reset();
                Ok(true)
            }
            // The first answer tells whether the command makes sense at all.
            Err(error) if self.connections == 0 => {
                Err(format!("{}: {}", self.target, refusal(&error)))
            }
            Err(error) => {
                self.pause(retry, &error, report).await;
                Ok(false)
            }
        }
    }

    fn drop_publication(&mut self) {
        if let Some(publication) = self.publication.take() {
            self.bytes_before += publication.bytes_out();
        }
    }

    async fn pause(&self, retry: &mut Retry, error: &dyn std::fmt::Display, report: &Report) {
        let wait = retry.next();
        if self.shows == Shows::Progress {
            eprint!("\r\x1b[K");
        }
        let seconds = wait.as_secs().max(1);
        report.warning(format_args!(
            "{}: {error}, try {}, next in {seconds}s",
            self.target, retry.attempts
        ));
        tokio::time::sleep(wait).await;
    }

    fn bytes(&self) -> u64 {
        self.bytes_before + self.publication.as_ref().map_or(0, Publication::bytes_out)
    }

    fn bitrate_bps(&self) -> u64 {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.bytes().saturating_mul(8_000) / millis.max(1)
    }

    fn show(&mut self) {
        if self.shown.is_some_and(|shown| shown.elapsed() < PROGRESS) {
            return;
        }
        self.shown = Some(Instant::now());
        match self.shows {
            Shows::Progress => {
                let mut out = std::io::stderr().lock();
                let _ = write!(
                    out,
                    "\r\x1b[K{} -> {}   {}   {}   {}   Ctrl-C ends",
                    self.args.input,
                    self.target,
                    clock(self.media),
                    bitrate(self.bitrate_bps()),
                    traffic(self.bytes()),
                );
                let _ = out.flush();
            }
            Shows::Json => self.json("progress"),
            Shows::Nothing | Shows::Summary => {}
        }
    }

    fn json(&self, event: &str) {
        let object = json!({
            "event": event,
            "input": self.args.input.to_string(),
            "target": self.target,
            "media_s": self.media.as_secs_f64(),
            "elapsed_s": self.began.elapsed().as_secs_f64(),
            "bytes": self.bytes(),
            "bitrate_bps": self.bitrate_bps(),
            "connections": self.connections,
        });
        // A closed pipe ends quietly.
        let _ = writeln!(std::io::stdout().lock(), "{object}");
    }

    /// Says goodbye to the server and sums up.
    async fn finish(&mut self) {
        let bytes = self.bytes();
        if let Some(publication) = self.publication.take() {
            publication.finish().await;
        }
        self.bytes_before = bytes;
        match self.shows {
            Shows::Json => return self.json("summary"),
            Shows::Nothing => return,
            Shows::Progress => eprint!("\r\x1b[K"),
            Shows::Summary => {}
        }
        if self.connections == 0 {
            return;
        }
        let again = match self.connections {
            1 => String::new(),
            more => format!(", {} reconnects", more - 1),
        };
        eprintln!(
            "{} -> {}: {}, {} in {:.1}s{again}",
            self.args.input,
            self.target,
            clock(self.media),
            traffic(bytes),
            self.began.elapsed().as_secs_f64(),
        );
    }
}

/// Why a publish was refused, and what to do.
fn refusal(error: &publish::Error) -> String {
    match error {
        publish::Error::Rejected(reason) => {
            format!("publish refused ({reason:?}); check the key")
        }
        publish::Error::Connect { source, .. }
            if source.kind() == std::io::ErrorKind::ConnectionRefused =>
        {
            format!("{error}; start the server or check the port")
        }
        other => other.to_string(),
    }
}

/// Whether a live input may come back.
pub(super) fn is_transient(error: &PullError) -> bool {
    !matches!(
        error,
        PullError::Url { .. } | PullError::Refused { .. } | PullError::Tls { .. }
    )
}

/// Exponential pauses.
#[derive(Default)]
struct Retry {
    attempts: u32,
}

impl Retry {
    fn next(&mut self) -> Duration {
        self.attempts += 1;
        let doubled = Duration::from_secs(1) * 2_u32.saturating_pow(self.attempts.min(7) - 1);
        doubled.min(RETRY_MAX)
    }

    fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut retry = Retry::default();
        let pauses: Vec<u64> = (0..9).map(|_| retry.next().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
