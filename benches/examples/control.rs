//! How fast is the control plane, and what does it cost when it does nothing?
//!
//! `cargo run --release -p sidestream-benches --example control [FOLDER]`. The folder's disk decides: every call is
//! durable. Prints start + stop pairs a second, the delay of a start with 1000 channels live, the delay of a page of
//! events in a log of a million, and the share of a core that an idle control plane takes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::model::{ChannelSpec, IfExists, Protocol, Source, StartWhen};
use control::request::{Place, Start};
use control::{Answers, Applied, Clock, Control, Desired, EventFilter, EventKind, Mode, NewEvent};
use control::{Observation, Plane, PlaneError, Publishing, Settings, Store, Subject, UnixMs};

/// Callers at once.
const CALLERS: usize = 64;
const LIVE: usize = 1_000;
const EVENTS: usize = 1_000_000;

/// Takes whatever it is told.
struct Nothing;

impl Plane for Nothing {
    fn apply(&self, _: Desired) -> Answers<'_, Result<Applied, PlaneError>> {
        Box::pin(async { Ok(Applied::default()) })
    }
    fn drop_publisher(&self, _: &str, _: &str) -> bool {
        false
    }
    fn remove_file(&self, _: &str) -> Answers<'_, Result<(), PlaneError>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("sidestream-control-{}", std::process::id()));
    let path = folder.join("control.db");
    let clock: Arc<dyn Clock> = Arc::new(UnixMs::now);
    let store = Store::open(&path, Arc::clone(&clock))?;
    let mut settings = Settings::new(Mode::Keyed);
    settings.policy.start_min_interval_s = 0;
    settings.policy.max_channels = 1_000_000;
    let control = Control::open(store, settings, clock).await?;
    let driver = tokio::spawn(control.clone().drive(Arc::new(Nothing)));

    for user in 0..LIVE {
        let channel = control.start(start(&format!("live_{user}"))).await?.channel;
        let publishing = Publishing {
            stream: channel.stream,
            protocol: "rtmp".to_owned(),
            user_ip: None,
            query: String::new(),
        };
        control.observe(Observation::Published(publishing)).await?;
    }
    let (cpu, began) = (cpu_time(), Instant::now());
    let delays = pairs(&control, Duration::from_secs(5)).await;
    let (took, cpu) = (began.elapsed(), cpu_time() - cpu);
    let rate = delays.len() as f64 / took.as_secs_f64();
    println!(
        "{rate:.0} start + stop pairs a second with {LIVE} channels live, {CALLERS} callers, {:.2} cores: {:.0} pairs a CPU second",
        cpu.as_secs_f64() / took.as_secs_f64(),
        delays.len() as f64 / cpu.as_secs_f64(),
    );
    println!(
        "a start: p50 {:.1?}, p99 {:.1?}, most {:.1?}",
        at(&delays, 0.5),
        at(&delays, 0.99),
        at(&delays, 1.0)
    );

    fill(&control).await?;
    let newest = *control.news().borrow();
    let page = |after| EventFilter {
        after,
        limit: 100,
        ..EventFilter::default()
    };
    let mut lists = Vec::new();
    for step in 0..200 {
        let (began, after) = (Instant::now(), newest / 200 * step);
        assert_eq!(control.events(page(after)).await?.len(), 100);
        lists.push(began.elapsed());
        let filter = EventFilter {
            kinds: vec![EventKind::ChannelEnded],
            ..page(after)
        };
        let began = Instant::now();
        control.events(filter).await?;
        lists.push(began.elapsed());
    }
    lists.sort();
    println!(
        "100 of {newest} events after a place, all or of one kind: p50 {:.1?}, most {:.1?}",
        at(&lists, 0.5),
        at(&lists, 1.0)
    );

    let (cpu, began) = (cpu_time(), Instant::now());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let idle = (cpu_time() - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("idle: {:.2} % of a core", idle * 100.0);
    driver.abort();
    control.close().await;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Starts and stops from all callers for so long; the delays of the starts, in order.
async fn pairs(control: &Control, time: Duration) -> Vec<Duration> {
    let until = Instant::now() + time;
    let callers = (0..CALLERS).map(|caller| {
        let control = control.clone();
        tokio::spawn(async move {
            let mut delays = Vec::new();
            while Instant::now() < until {
                let began = Instant::now();
                let started = control.start(start(&format!("caller_{caller}"))).await;
                delays.push(began.elapsed());
                let id = started.expect("nothing is in the way").channel.id;
                control.stop_channel(id).await.expect("it was started");
            }
            delays
        })
    });
    let mut all = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        all.extend(caller.await.expect("no caller panics"));
    }
    all.sort();
    all
}

/// Fills the log up to a million events.
async fn fill(control: &Control) -> Result<(), control::Error> {
    for _ in 0..EVENTS / 10_000 {
        let job = |tx: &mut control::Tx<'_>| {
            for number in 0..10_000 {
                tx.event(NewEvent {
                    kind: if number % 2 == 0 { EventKind::ChannelEnded } else { EventKind::ChannelPending },
                    subject: Subject {
                        room_id: Some(format!("room_{}", number % 100)),
                        channel_id: Some(control::ChannelId(number)),
                        ..Subject::default()
                    },
                    data: serde_json::json!({"state": "ended", "name": "an event as long as most of them are", "errcode": 1}),
                })?;
            }
            Ok(())
        };
        control.store().write(job).await?;
    }
    Ok(())
}

fn start(user: &str) -> Start {
    Start {
        place: Place {
            room_id: "8001".to_owned(),
            ..Place::default()
        },
        user_id: user.to_owned(),
        source: Source::Main,
        spec: ChannelSpec {
            protocols: vec![Protocol::Hls, Protocol::Rtmp, Protocol::Flv],
            audio_only: false,
            sdk_type: None,
            name: "a channel".to_owned(),
            description: String::new(),
            password: None,
            metadata: serde_json::Map::new(),
        },
        record: None,
        targets: Vec::new(),
        start_when: StartWhen::OnPublish,
        if_exists: IfExists::Error,
        must_be_in_room: false,
        sequence: None,
    }
}

fn at(sorted: &[Duration], share: f64) -> Duration {
    let place = (sorted.len() as f64 * share) as usize;
    sorted[place.min(sorted.len() - 1)]
}

/// CPU time of this process, all threads.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.cast_unsigned(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
