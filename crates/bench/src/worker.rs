//! A thread of the generator: its share of the publishers and viewers, on a runtime of its own.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, Builder};
use std::time::Duration;

use nix::unistd::gettid;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Error;
use crate::clock::now_ns;
use crate::http::Client;
use crate::plan::Plan;
use crate::shared::{Phase, Shared};
use crate::tally::Tally;
use crate::{publisher, viewer};

/// What all goodbyes of a thread together may take.
const GOODBYES: Duration = Duration::from_secs(3);
/// How often frames that arrived are counted while the grace lasts.
const TELL_EVERY: Duration = Duration::from_millis(20);

/// A running thread.
pub(crate) struct Worker {
    /// Its kernel thread id.
    pub(crate) tid: i32,
    handle: thread::JoinHandle<Tally>,
}

impl Worker {
    /// Starts thread `index` of the plan's threads.
    pub(crate) async fn start(shared: &Arc<Shared>, index: u32) -> Result<Self, Error> {
        let (tell, told) = oneshot::channel();
        let shared = Arc::clone(shared);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = Builder::new()
            .name(format!("bench-{index}"))
            .spawn(move || {
                let _ = tell.send(gettid().as_raw());
                let tally = Rc::new(RefCell::new(Tally::default()));
                let local = LocalSet::new();
                local.block_on(&runtime, work(&shared, &tally, index));
                // All tasks end here, and with them their connections.
                drop(local);
                drop(runtime);
                tally.take()
            })?;
        let tid = told.await.unwrap_or(0);
        Ok(Self { tid, handle })
    }

    /// Waits for its end; `None` when it panicked.
    pub(crate) fn join(self) -> Option<Tally> {
        self.handle.join().ok()
    }
}

async fn work(shared: &Arc<Shared>, tally: &Rc<RefCell<Tally>>, index: u32) {
    let plan = &shared.plan;
    spawn_local(tell_arrivals(
        Arc::clone(shared),
        Rc::clone(tally),
        index as usize,
    ));
    let mut publishers = Vec::new();
    if !plan.is_waiting() {
        publishers = start_publishers(shared, tally, index).await;
    }
    if plan.touch.is_some() {
        shared.reached(Phase::Touching).await;
        for stream in share(plan, index, plan.streams) {
            let (shared, tally) = (Arc::clone(shared), Rc::clone(tally));
            spawn_local(async move {
                match touch(&shared, stream).await {
                    Ok(()) => shared.touches.one_ready(),
                    Err(error) => {
                        shared.touches.one_failed();
                        tally.borrow_mut().fail("touch", &error);
                    }
                }
            });
        }
    }
    shared.reached(Phase::Viewing).await;
    if let Some(view) = &plan.view {
        let ramp = Ramp::new(view.ramp);
        for number in share(plan, index, view.viewers) {
            ramp.turn(number).await;
            if shared.is_over() {
                break;
            }
            let (shared, tally, view) = (Arc::clone(shared), Rc::clone(tally), view.clone());
            spawn_local(async move { viewer::view(&shared, &tally, &view, number).await });
        }
    }
    if plan.is_waiting() {
        shared.reached(Phase::Serving).await;
        publishers = start_publishers(shared, tally, index).await;
    }
    shared.reached(Phase::Over).await;
    let goodbyes = async {
        for publisher in publishers {
            let _ = publisher.await;
        }
    };
    // What does not end by itself is cut off.
    let _ = timeout(GOODBYES, goodbyes).await;
}

async fn start_publishers(
    shared: &Arc<Shared>,
    tally: &Rc<RefCell<Tally>>,
    index: u32,
) -> Vec<JoinHandle<()>> {
    let mut started = Vec::new();
    let plan = &shared.plan;
    let Some(publish) = &plan.publish else {
        return started;
    };
    let ramp = Ramp::new(publish.ramp);
    for stream in share(plan, index, plan.streams) {
        ramp.turn(stream).await;
        if shared.is_over() {
            break;
        }
        let (shared, tally, publish) = (Arc::clone(shared), Rc::clone(tally), publish.clone());
        started.push(spawn_local(async move {
            if let Err(error) = publisher::publish(&shared, &tally, &publish, stream).await {
                shared.publishers.one_failed();
                tally.borrow_mut().fail("publisher", &error);
            }
        }));
    }
    started
}

/// Tells again and again, once the window is over, how many of its frames this thread knows of.
async fn tell_arrivals(shared: Arc<Shared>, tally: Rc<RefCell<Tally>>, index: usize) {
    shared.reached(Phase::Grace).await;
    loop {
        let (expected, received) = {
            let tally = tally.borrow();
            let sent = tally.streams.iter();
            let expected =
                sent.map(|(stream, sent)| sent.video_sent * shared.plan.readers_of(*stream));
            (expected.sum(), tally.received())
        };
        if let Some(place) = shared.arrivals.get(index) {
            place.tell(expected, received);
        }
        sleep(TELL_EVERY).await;
    }
}

/// The numbers of thread `index`.
fn share(plan: &Plan, index: u32, count: u32) -> impl Iterator<Item = u32> {
    (index..count).step_by(plan.threads.max(1) as usize)
}

/// When the n-th of many starts.
struct Ramp {
    begun: Instant,
    per_second: f64,
}

impl Ramp {
    fn new(per_second: f64) -> Self {
        Self {
            begun: Instant::now(),
            per_second,
        }
    }

    fn turn(&self, n: u32) -> impl Future<Output = ()> + use<> {
        let after = Duration::try_from_secs_f64(f64::from(n) / self.per_second);
        sleep_until(self.begun + after.unwrap_or_default())
    }
}

/// Asks once for the address of a stream and waits for the head of a good answer.
async fn touch(shared: &Shared, stream: u32) -> Result<(), Error> {
    let Some(template) = &shared.plan.touch else {
        return Ok(());
    };
    let address = template.address(stream)?;
    let began = now_ns();
    let limit_ns = u64::try_from(shared.plan.connect_timeout.as_nanos()).unwrap_or(u64::MAX);
    loop {
        let mut client = Client::new(stream);
        let mut ignore = |_: &[u8], _| Ok(());
        let fetch = client.fetch(&shared.dialer, &address, &mut ignore);
        let fetched = timeout(shared.plan.connect_timeout, fetch)
            .await
            .map_err(|_| Error::Timeout("an answer"))??;
        match fetched.answer.expect(200) {
            Ok(()) => return Ok(()),
            // The server may still be finding out what the stream holds.
            Err(error) if now_ns().saturating_sub(began) > limit_ns => return Err(error),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}
