//! `sidestream record`: a stream of another server to a file that plays at every moment.
//!
//! ```text
//!  pull::Source ──▶ Feed ──▶ a hub of its own ──▶ record::Recording ──▶ OUT, OUT.json
//! ```
//!
//! The remote stream is published to a hub of this process, and recorded there as `serve` does:
//! the same files, the same behaviour when the disk is slow or full.

mod feed;
mod show;
mod target;

use std::cell::Cell;
use std::pin::pin;
use std::time::{Duration, Instant};

use hub::Hub;
use media::StreamName;
use record::{Manager, Recording, State, What};
use sidestream::pull::{Input, PullError, Source};

use super::args::{Global, Record};
use super::push::is_transient;
use super::report::Report;
use super::signals::Signals;
use super::{Exit, logging, runtime};
use feed::Feed;
use show::{Figures, Show};
use target::Target;

/// Before the first attempt to connect again: soon enough for the server's cache of the current
/// group of pictures.
const RETRY_FIRST: Duration = Duration::from_millis(200);
/// Longest pause between two attempts.
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How much later than its own clock a stream may be, at the end of `--duration`.
const LATE: Duration = Duration::from_secs(1);
/// How long the end may take: the last writes, and the sum for the manifest.
const CLOSING: Duration = Duration::from_secs(600);
/// Between two looks at the figures.
const TICK: Duration = Duration::from_millis(200);
/// Most that the hub keeps for the recording: what a server sends at once at the start.
const RING_BYTES: usize = 64 << 20;

/// Records until the end of the stream, `--duration`, or Ctrl-C.
pub(super) fn run(args: Record, global: &Global, report: &Report) -> Exit {
    logging::start(global, "error", sidestream::config::LogFormat::Text);
    let target = match Target::of(&args) {
        Ok(target) => target,
        Err(error) => {
            report.error(error);
            return Exit::Usage;
        }
    };
    if let Err(error) = target.check(args.overwrite) {
        return report.error(error);
    }
    let runtime = match runtime(report) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    runtime.block_on(async {
        let signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return report.error(format_args!("signals: {error}")),
        };
        let show = Show::new(&args, global, &target);
        let job = Job {
            args: &args,
            target: &target,
            report,
            show,
            connections: Cell::new(0),
            began: Instant::now(),
        };
        match job.run(signals).await {
            Ok(exit) => exit,
            Err(error) => report.error(error),
        }
    })
}

/// How the stream's side ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The stream is over, or `--duration` is.
    Done,
    /// A signal.
    Interrupted,
    /// The recording cannot go on; it says why.
    Recording,
}

struct Job<'a> {
    args: &'a Record,
    target: &'a Target,
    report: &'a Report,
    show: Show,
    connections: Cell<u64>,
    began: Instant,
}

impl Job<'_> {
    async fn run(self, mut signals: Signals) -> Result<Exit, String> {
        // Nothing is made, and nothing replaced, for a stream that is not there.
        let opened = tokio::select! {
            opened = Source::open(&self.args.input, self.args.wait) => opened,
            _ = signals.stop() => return Ok(Exit::Interrupted),
        };
        let source = opened.map_err(|error| error.to_string())?;
        if self.args.overwrite {
            self.target.clear()?;
        }
        let (hub, name) = (own_hub(), stream_name(&self.args.input));
        let mut config = record::Config::new(self.target.root.clone());
        // The folder is the user's: its space, its other files.
        config.min_free = 0;
        config.recover = false;
        config.resume = false;
        let manager = Manager::start(hub.clone(), config, |_| Vec::new());
        let manager = manager.map_err(|error| error.to_string())?;
        let mut events = manager.events();
        let stream = hub.await_stream(&name).ok_or("the hub is full")?;
        let recording = manager.record(stream, self.target.spec.clone());
        let recording = recording.map_err(|error| error.to_string())?;
        let mut feed = Feed::new(hub, name);
        let mut failure = None;
        let mut files = 0;
        let ended = {
            let mut work = pin!(follow(
                (self.args, self.report, self.show.clone()),
                source,
                &mut feed,
                &self.connections
            ));
            let mut tick = tokio::time::interval(TICK);
            loop {
                // Dropping the work at the end closes the connection; nothing of it is needed then.
                tokio::select! {
                    ended = &mut work => break ended.map(|()| Ended::Done),
                    _ = signals.stop() => break Ok(Ended::Interrupted),
                    () = recording.finished() => break Ok(Ended::Recording),
                    Some(event) = events.next() => {
                        self.event(event.what, &mut failure, &mut files);
                    }
                    _ = tick.tick() => self.show.progress(&self.figures(&recording, files)),
                }
            }
        };
        recording.stop();
        let mut closing = pin!(async {
            recording.finished().await;
            manager.shutdown(CLOSING).await
        });
        // A second signal stops at once: what is there plays, and is finished by a later start.
        let closed = tokio::select! {
            closed = &mut closing => Some(closed),
            _ = signals.stop() => None,
        };
        while let Some(event) = events.try_next() {
            self.event(event.what, &mut failure, &mut files);
        }
        self.show.summary(&self.figures(&recording, files));
        let ended = ended?;
        let status = recording.status();
        if status.state == State::Failed || ended == Ended::Recording {
            let why = failure.or(status.reason).unwrap_or_default();
            return Err(format!("{}: {why}", self.target));
        }
        match closed {
            Some(closed) if closed.clean => {}
            _ => self.report.warning(format_args!(
                "{}: not finished; it plays, its marker {}{} stays",
                self.target,
                self.target,
                record::MARKER
            )),
        }
        match ended {
            Ended::Interrupted => Ok(Exit::Interrupted),
            _ if status.bytes == 0 => Err(format!("{}: no media came", self.args.input)),
            _ => Ok(Exit::Done),
        }
    }

    fn event(&self, what: What, failure: &mut Option<Box<str>>, files: &mut u64) {
        match what {
            What::FileCompleted(manifest) => {
                *files += 1;
                self.show.file(&self.target.root, &manifest);
            }
            What::Failed { reason, .. } => *failure = Some((*reason).into()),
            _ => {}
        }
    }

    fn figures(&self, recording: &Recording, files: u64) -> Figures {
        Figures {
            status: recording.status(),
            elapsed: self.began.elapsed(),
            connections: self.connections.get(),
            files,
        }
    }
}

/// Feeds the stream to the hub until it is over; a connection that breaks is made again.
async fn follow(
    (args, report, show): (&Record, &Report, Show),
    first: Source,
    feed: &mut Feed,
    connections: &Cell<u64>,
) -> Result<(), String> {
    let mut source = first;
    loop {
        connections.set(connections.get() + 1);
        feed.connected();
        let why = loop {
            let next = match deadline(args, feed) {
                None => source.next().await,
                Some(at) => match tokio::time::timeout_at(at.into(), source.next()).await {
                    Ok(next) => next,
                    Err(_) => return Ok(()),
                },
            };
            match next {
                Ok(Some(tag)) => {
                    if !feed.tag(tag, args.duration)? {
                        return Ok(());
                    }
                }
                Ok(None) if source.is_cut_off() => break "the connection ended".to_owned(),
                Ok(None) => return Ok(()),
                Err(error) if is_transient(&error) => break without_input(&error, &args.input),
                Err(error) => return Err(error.to_string()),
            }
        };
        match connect_again(args, report, &show, why).await? {
            Some(again) => source = again,
            None => return Ok(()),
        }
    }
}

/// By when the stream must have come to the end of `--duration`, also when it sends nothing more.
fn deadline(args: &Record, feed: &Feed) -> Option<Instant> {
    let left = args.duration?.saturating_sub(feed.elapsed());
    feed.last_at().map(|last| last + left + LATE)
}

/// Connects until the window is over; `None` when it is.
async fn connect_again(
    args: &Record,
    report: &Report,
    show: &Show,
    mut why: String,
) -> Result<Option<Source>, String> {
    let until = Instant::now() + args.reconnect;
    let (mut wait, mut attempt) = (RETRY_FIRST, 0);
    loop {
        attempt += 1;
        let left = until.saturating_duration_since(Instant::now());
        show.clear_line();
        if left.is_zero() {
            let window = sidestream::config::quantity::show_duration(args.reconnect);
            report.warning(match args.reconnect.is_zero() {
                true => format!("{}: {why}; the recording ends here", args.input),
                false => format!(
                    "{}: {why}; not back within {window}, the recording ends here",
                    args.input
                ),
            });
            return Ok(None);
        }
        let wait_now = wait.min(left);
        report.warning(format_args!(
            "{}: {why}, try {attempt}, next in {:.1}s",
            args.input,
            wait_now.as_secs_f64()
        ));
        tokio::time::sleep(wait_now).await;
        wait = (wait * 2).min(RETRY_MAX);
        let left = until.saturating_duration_since(Instant::now());
        match Source::open(&args.input, left).await {
            Ok(source) => return Ok(Some(source)),
            Err(error) if is_transient(&error) => why = without_input(&error, &args.input),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// The reason without the input in front, which the caller says.
fn without_input(error: &PullError, input: &Input) -> String {
    let text = error.to_string();
    let why = text.strip_prefix(&format!("{input}: "));
    why.unwrap_or(&text).to_owned()
}

fn own_hub() -> Hub {
    let mut config = hub::Config::default();
    config.gop_cache_bytes = RING_BYTES;
    config.gop_cache_time = Duration::from_secs(60);
    Hub::new(config)
}

/// `app/stream` as the URL has them.
fn stream_name(input: &Input) -> StreamName {
    let path = match input {
        Input::Rtmp(url) => {
            let stream = url.stream_key().split('?').next().unwrap_or_default();
            format!("{}/{stream}", url.app())
        }
        Input::Http(uri) => uri
            .path()
            .trim_matches('/')
            .trim_end_matches(".flv")
            .to_owned(),
        _ => String::new(),
    };
    let name = StreamName::from_path(&path);
    name.unwrap_or_else(|_| StreamName::from_path("live/stream").expect("a good name"))
}
