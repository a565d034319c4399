//! One run: publishers, viewers, a warm-up, the window, the report.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Error;
use crate::address::Protocol;
use crate::budget::{check_open_files, check_ports, ports_per_source, raise_open_files};
use crate::clock::now_ns;
use crate::plan::{Mode, Plan};
use crate::process::{Memory, Server};
use crate::report::{Outcome, Report};
use crate::shared::{Count, Phase, Shared};
use crate::tally::Tally;
use crate::tls;
use crate::transport::Dialer;
use crate::watch::Window;
use crate::worker::Worker;

/// How often memory is looked at: its peak is reported.
const MEMORY_EVERY: Duration = Duration::from_millis(500);
/// How often counters are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Ahead of the window, so that every thread has seen it when it begins.
const WINDOW_AHEAD: Duration = Duration::from_millis(2);

/// What joins that are under way, and their connections' ends, are given at least.
const LEAVING: Duration = Duration::from_secs(1);
/// What a run that is cut short leaves to the frames that are on their way.
const CUT_GRACE: Duration = Duration::from_secs(1);

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Publishers start: how many are there, of how many.
    Publishers(u32, u32),
    /// Viewers start: how many have media, of how many.
    Viewers(u32, u32),
    /// All are there; the window has not begun.
    WarmUp,
    /// The window: how long it has been open.
    Window(Duration),
    /// The last frames of the window may still come.
    Grace,
}

/// Runs a plan. `stop` ends it early: what was measured until then is reported. `show` is told how far
/// it is, many times a second.
///
/// # Errors
/// When the plan makes no sense, the machine's limits are too low, no publisher or no viewer came
/// through, or a measured process is gone.
pub async fn run(
    plan: Plan,
    stop: impl Future<Output = ()>,
    mut show: impl FnMut(Stage),
) -> Result<Report, Error> {
    plan.check()?;
    let server = Server::new(&plan.server_pids)?;
    let dialer = prepare(&plan).await?;
    let (phase, phases) = watch::channel(Phase::Publishing);
    let shared = Shared::new(plan, dialer, phases);
    let mut run = Run {
        idle: server.memory(),
        server,
        workers: Vec::new(),
        shared,
        phase,
        outcome: Outcome::default(),
    };
    for index in 0..run.shared.plan.threads.max(1) {
        let worker = Worker::start(&run.shared, index).await?;
        run.workers.push(worker);
    }
    let measured = {
        let mut work = pin!(run.measure(&mut show));
        let mut stop = pin!(stop);
        // What was measured is kept in the run, so dropping the work loses nothing.
        tokio::select! {
            measured = &mut work => Some(measured),
            () = &mut stop => None,
        }
    };
    if measured.is_none() {
        run.cut().await;
    }
    run.finish(measured)
}

/// Looks at limits and addresses before anything starts.
async fn prepare(plan: &Plan) -> Result<Dialer, Error> {
    let connections = u64::from(plan.publishers()) + u64::from(plan.viewers());
    check_open_files(connections, plan.threads.into(), raise_open_files())?;
    let per_source = ports_per_source();
    let tls = tls::connector(plan.ca.as_deref())?;
    let mut dialer = Dialer::new(tls, per_source, plan.connect_timeout);
    let urls = plan.publish.iter().map(|publish| &publish.url);
    let urls = urls
        .chain(plan.view.iter().map(|view| &view.url))
        .chain(&plan.touch);
    for url in urls {
        for stream in 0..plan.streams {
            let address = url.address(stream)?;
            dialer.resolve(&address).await?;
            if !url.has_number() {
                break;
            }
        }
    }
    if let Some(view) = &plan.view {
        let is_loopback = dialer.is_loopback(&view.url.address(0)?);
        check_ports(view.viewers.into(), is_loopback, per_source)?;
    }
    Ok(dialer)
}

struct Run {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    server: Server,
    workers: Vec<Worker>,
    idle: Memory,
    outcome: Outcome,
}

impl Run {
    async fn measure(&mut self, show: &mut impl FnMut(Stage)) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let plan = &shared.plan;
        self.outcome.memory_idle = self.idle;
        if !plan.is_waiting() {
            self.publishers(show).await?;
            sleep(plan.settle).await;
        }
        if plan.touch.is_some() {
            self.phase.send_replace(Phase::Touching);
            self.wait(
                "streams asked for",
                plan.streams,
                f64::MAX,
                &shared.touches,
                &mut |_| {},
            )
            .await?;
        }
        self.outcome.memory_before_viewers = self.server.memory();
        self.outcome.open_files_before_viewers = self.server.open_files();
        self.phase.send_replace(Phase::Viewing);
        if let Some(view) = &plan.view {
            // A churning viewer is never all there: one join of anyone is enough to begin with.
            let (wanted, count) = match view.mode {
                Mode::Churn { .. } => (1, &shared.viewers),
                Mode::Stay { .. } => (view.viewers, &shared.viewers),
                Mode::Wait => (view.viewers, &shared.waiting),
            };
            self.wait("viewers", wanted, view.ramp, count, &mut |ready| {
                show(Stage::Viewers(ready.min(view.viewers), view.viewers));
            })
            .await?;
        }
        show(Stage::WarmUp);
        sleep(plan.warmup).await;
        self.outcome.memory_start = self.server.memory();
        self.window(show).await?;
        if plan.is_waiting() {
            self.serve(show).await?;
        }
        show(Stage::Grace);
        self.grace().await;
        if plan.is_churn() {
            self.phase.send_replace(Phase::Leaving);
            sleep(plan.settle.max(LEAVING)).await;
            self.outcome.after = Some((self.server.memory(), self.server.open_files()));
        }
        self.server.check("it ended during the run")
    }

    /// Waits for the publishers, if there are any.
    async fn publishers(&mut self, show: &mut impl FnMut(Stage)) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let Some(publish) = &shared.plan.publish else {
            return Ok(());
        };
        let count = shared.plan.publishers();
        self.wait(
            "publishers",
            count,
            publish.ramp,
            &shared.publishers,
            &mut |ready| {
                show(Stage::Publishers(ready, count));
            },
        )
        .await
    }

    /// Starts the publishers for whom the viewers have waited, until everyone has a picture.
    async fn serve(&mut self, show: &mut impl FnMut(Stage)) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let waiting = &shared.waiting;
        self.outcome.held = waiting.ready() - waiting.failed().min(waiting.ready());
        if shared.plan.publish.is_none() {
            return Ok(());
        }
        self.phase.send_replace(Phase::Serving);
        let (begun, viewers) = (Instant::now(), shared.plan.viewers());
        self.publishers(show).await?;
        self.wait(
            "viewers",
            viewers,
            f64::MAX,
            &shared.viewers,
            &mut |ready| {
                show(Stage::Viewers(ready, viewers));
            },
        )
        .await?;
        self.outcome.served_after = Some(begun.elapsed());
        Ok(())
    }

    /// Lets frames of the window come that are on their way: until all have, or the grace is over. Of
    /// streams that another process publishes nobody here knows when that is.
    async fn grace(&mut self) {
        self.phase.send_replace(Phase::Grace);
        let plan = &self.shared.plan;
        let deadline = Instant::now() + plan.grace;
        let is_known = plan.publish.is_some();
        while Instant::now() < deadline && !(is_known && self.shared.has_all()) {
            sleep_until(deadline.min(Instant::now() + LOOK_EVERY)).await;
        }
    }

    async fn window(&mut self, show: &mut impl FnMut(Stage)) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let length = shared.plan.window;
        let tids: Vec<i32> = self.workers.iter().map(|worker| worker.tid).collect();
        let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX / 4);
        self.outcome.cpu_before = self.server.cpu(&tids);
        self.outcome.cpu_after = self.outcome.cpu_before.clone();
        self.outcome.read_ns = (now_ns(), now_ns());
        let start_ns = now_ns() + u64::from(WINDOW_AHEAD.subsec_nanos());
        let begun = Instant::now() + WINDOW_AHEAD;
        let end = begun + length;
        shared.set_window(Window {
            start_ns,
            end_ns: start_ns + length_ns,
        });
        let mut next_memory = begun;
        loop {
            let now = Instant::now();
            if now >= next_memory || now >= end {
                next_memory = now + MEMORY_EVERY;
                self.outcome.memory_peak = self.outcome.memory_peak.max(self.server.memory());
            }
            show(Stage::Window(begun.elapsed()));
            if now >= end {
                self.read_cpu(&tids);
                return self.server.check("it ended during the run");
            }
            sleep_until(end.min(next_memory).min(now + Duration::from_millis(100))).await;
        }
    }

    fn read_cpu(&mut self, tids: &[i32]) {
        self.outcome.cpu_after = self.server.cpu(tids);
        self.outcome.read_ns.1 = now_ns();
    }

    /// Ends the window now, if it is open, and lets frames that are on their way come.
    async fn cut(&mut self) {
        let (window, now) = (self.shared.window(), now_ns());
        if window.contains(now) {
            self.shared.set_window(Window {
                end_ns: now,
                ..window
            });
            let tids: Vec<i32> = self.workers.iter().map(|worker| worker.tid).collect();
            self.read_cpu(&tids);
            sleep(self.shared.plan.grace.min(CUT_GRACE)).await;
        }
    }

    /// Waits until `wanted` have come through, or each missing one has failed.
    async fn wait(
        &self,
        what: &'static str,
        wanted: u32,
        ramp: f64,
        count: &Count,
        show: &mut impl FnMut(u32),
    ) -> Result<(), Error> {
        let ramp = Duration::try_from_secs_f64(f64::from(wanted) / ramp).unwrap_or_default();
        let deadline = Instant::now() + self.shared.plan.connect_timeout + ramp;
        loop {
            let (ready, failed) = (count.ready(), count.failed());
            show(ready);
            if ready + failed >= wanted || Instant::now() >= deadline {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        if count.ready() > 0 || wanted == 0 {
            return Ok(());
        }
        Err(Error::Nothing {
            count: wanted,
            what,
            reason: String::new(),
        })
    }

    /// Ends all threads and puts together what they counted. `None`: it was cut short.
    fn finish(mut self, measured: Option<Result<(), Error>>) -> Result<Report, Error> {
        self.phase.send_replace(Phase::Over);
        let mut tally = Tally::default();
        for worker in self.workers.drain(..) {
            match worker.join() {
                Some(counted) => tally.merge(&counted),
                None => {
                    return Err(Error::Settings(
                        "a thread of the generator panicked".to_owned(),
                    ));
                }
            }
        }
        let was_cut = measured.is_none();
        if let Some(Err(Error::Nothing { count, what, .. })) = measured {
            return Err(Error::Nothing {
                count,
                what,
                reason: most_frequent(&tally),
            });
        }
        if let Some(Err(error)) = measured {
            return Err(error);
        }
        self.outcome.was_cut_short = was_cut;
        self.outcome.publishers_failed = self.shared.publishers.failed();
        self.outcome.viewers_ready = self.shared.viewers.ready();
        self.outcome.viewers_failed = self.shared.viewers.failed();
        self.outcome.tally = tally;
        self.outcome.is_server_measured = self.server.is_measured();
        Ok(Report::new(&self.shared.plan, self.outcome))
    }
}

/// Why most of them failed, without who.
fn most_frequent(tally: &Tally) -> String {
    let most = tally.failures.iter().max_by_key(|(_, count)| **count);
    match most.map(|(what, _)| what.split_once(": ").unwrap_or(("", what))) {
        Some((_, why)) => why.to_owned(),
        None => "nothing came in time".to_owned(),
    }
}

/// How long HLS frames of the window may need to be seen: segment, playlist, and what players wait.
#[must_use]
pub fn usual_grace(protocol: Option<Protocol>) -> Duration {
    match protocol {
        Some(Protocol::Hls) => Duration::from_secs(10),
        _ => Duration::from_secs(2),
    }
}
