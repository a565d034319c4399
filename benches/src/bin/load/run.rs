//! One run: publishers, viewers, a warm-up, the window, the report.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, sleep_until};

use crate::args::Args;
use crate::clock::now_ns;
use crate::process::{Memory, Server};
use crate::report::Report;
use crate::samples::Samples;
use crate::source::Source;
use crate::{publisher, touch, viewer};

/// How often memory is looked at: its peak is reported.
const MEMORY_EVERY: Duration = Duration::from_millis(500);

/// What all tasks of a run share.
pub(crate) struct Run {
    pub(crate) args: Args,
    pub(crate) source: Source,
    /// Frames sent within `[start, end)` count, in nanoseconds of the clock; empty at first.
    window: Cell<(u64, u64)>,
    pub(crate) publishers_ready: Cell<u32>,
    pub(crate) viewers_ready: Cell<u32>,
    pub(crate) touched: Cell<u32>,
    /// Frames that each stream's publisher stamped in the window.
    pub(crate) sent: RefCell<Vec<u64>>,
    /// Frames of the window that each viewer received.
    pub(crate) received: RefCell<Vec<u64>>,
    /// Frame numbers that a viewer never saw between two that it saw, over the whole run.
    pub(crate) skipped: Cell<u64>,
    /// Video frames without a stamp: the server changed them.
    pub(crate) unstamped: Cell<u64>,
    pub(crate) bytes_received: Cell<u64>,
    pub(crate) latency: Samples,
    pub(crate) join: Samples,
    /// How late messages were sent.
    pub(crate) late: Samples,
    /// What went wrong, and how often.
    pub(crate) failures: RefCell<BTreeMap<String, u32>>,
}

impl Run {
    pub(crate) fn new(args: Args, source: Source) -> Self {
        Self {
            sent: RefCell::new(vec![0; args.publishers as usize]),
            received: RefCell::new(vec![0; args.viewers as usize]),
            args,
            source,
            window: Cell::default(),
            publishers_ready: Cell::default(),
            viewers_ready: Cell::default(),
            touched: Cell::default(),
            skipped: Cell::default(),
            unstamped: Cell::default(),
            bytes_received: Cell::default(),
            latency: Samples::default(),
            join: Samples::default(),
            late: Samples::default(),
            failures: RefCell::default(),
        }
    }

    pub(crate) fn in_window(&self, ns: u64) -> bool {
        let (start, end) = self.window.get();
        (start..end).contains(&ns)
    }

    /// The stream that a viewer plays.
    pub(crate) fn stream_of(&self, viewer: u32) -> u32 {
        viewer % self.args.publishers.max(1)
    }

    fn fail(&self, who: &str, error: &anyhow::Error) {
        let mut failures = self.failures.borrow_mut();
        *failures.entry(format!("{who}: {error:#}")).or_default() += 1;
    }

    fn failed(&self) -> u32 {
        self.failures.borrow().values().sum()
    }
}

/// Counts one up.
pub(crate) fn count(cell: &Cell<u32>) {
    cell.set(cell.get() + 1);
}

/// Runs it all.
pub(crate) async fn measure(run: &Rc<Run>) -> anyhow::Result<Report> {
    let args = &run.args;
    let server = Server::new(args.server_pid);
    ensure!(
        server.is_alive(),
        "there is no process {:?}",
        args.server_pid
    );
    let idle = server.memory();

    if args.publish.is_some() {
        let begun = Instant::now();
        for stream in 0..args.publishers {
            sleep_until(begun + nth(stream, args.pub_ramp)).await;
            let run = Rc::clone(run);
            spawn_local(async move {
                let Err(error) = publisher::publish(&run, stream).await;
                run.fail("publisher", &error);
            });
        }
        wait(run, "publishers", args.publishers, &run.publishers_ready).await?;
        sleep(seconds(args.settle)).await;
    }
    if args.touch.is_some() {
        for stream in 0..args.publishers {
            let run = Rc::clone(run);
            spawn_local(async move {
                match touch::touch(&run, stream).await {
                    Ok(()) => count(&run.touched),
                    Err(error) => run.fail("touch", &error),
                }
            });
        }
        wait(run, "answers", args.publishers, &run.touched).await?;
    }
    if args.play.is_some() {
        let begun = Instant::now();
        for viewer in 0..args.viewers {
            sleep_until(begun + nth(viewer, args.ramp)).await;
            let run = Rc::clone(run);
            spawn_local(async move {
                let Err(error) = viewer::view(&run, viewer).await;
                run.fail("viewer", &error);
            });
        }
        wait(run, "viewers", args.viewers, &run.viewers_ready).await?;
    }
    sleep(seconds(args.warmup)).await;

    let begun = Instant::now();
    let before = server.cpu();
    let start = now_ns();
    let length = seconds(args.window);
    let length_ns = u64::try_from(length.as_nanos()).context("window too long")?;
    run.window.set((start, start + length_ns));
    let mut peak = Memory::default();
    while begun.elapsed() < length {
        let memory = server.memory();
        peak.rss = peak.rss.max(memory.rss);
        peak.pss = peak.pss.max(memory.pss);
        sleep_until((begun + length).min(Instant::now() + MEMORY_EVERY)).await;
    }
    let after = server.cpu();
    let elapsed = begun.elapsed();
    ensure!(server.is_alive(), "the server is gone");
    sleep(seconds(args.grace)).await;
    Ok(Report::new(run, elapsed, before, after, idle, peak))
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// When the n-th of a ramp starts.
fn nth(n: u32, per_second: f64) -> Duration {
    seconds(f64::from(n) / per_second)
}

/// Waits until `cell` has come to `wanted`, or each missing one has failed.
async fn wait(run: &Run, what: &str, wanted: u32, cell: &Cell<u32>) -> anyhow::Result<()> {
    let deadline = Instant::now() + seconds(run.args.connect_timeout);
    while cell.get() < wanted && cell.get() + run.failed() < wanted {
        if Instant::now() >= deadline {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    let why = run.failures.borrow();
    let why = why.keys().next().map_or("no reason known", String::as_str);
    ensure!(
        cell.get() > 0 || wanted == 0,
        "none of {wanted} {what}: {why}"
    );
    Ok(())
}
