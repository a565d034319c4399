//! How long does it take to deliver a backlog of callbacks to a healthy endpoint?
//!
//! Writes events of many streams (or of one) into a database on the disk, queues them all by a replay, and
//! measures until the last is acknowledged and stored. The receiver is an HTTP server in the same process.
//!
//! ```sh
//! cargo run --release -p sidestream-control --example drain -- 10000 1000
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::callback::{
    Callbacks, DeliveryState, NewWebhook, Origin, Replay, Settings, SystemTimer,
};
use control::request::Page;
use control::{EventKind, NewEvent, Store, Subject, UnixMs};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let count = numbers.next().transpose()?.unwrap_or(10_000);
    let streams = numbers.next().transpose()?.unwrap_or(1_000).max(1);

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}/cb", listener.local_addr()?);
    let router = axum::Router::new().route(
        "/cb",
        axum::routing::post(|_: String| async { "{\"code\":0}" }),
    );
    tokio::spawn(async { axum::serve(listener, router).await });

    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn control::Clock> = Arc::new(UnixMs::now);
    let store = Store::open(&folder.path().join("control.db"), clock)?;
    let settings = Settings {
        allow_private: true,
        timeout: None,
        origin: Origin {
            push_domain: "localhost".to_owned(),
            node: String::new(),
            files_url: String::new(),
        },
    };
    let began = UnixMs::now();
    for start in (0..count).step_by(1_000) {
        let job = store.write(move |tx| {
            for n in start..count.min(start + 1_000) {
                let subject = Subject {
                    room_id: Some("8001".to_owned()),
                    stream: Some(format!("live/s{}", n % streams)),
                    ..Subject::default()
                };
                tx.event(NewEvent {
                    kind: EventKind::RecordingFileCompleted,
                    subject,
                    data: json!({"format": "mp4", "size": 9_749_353, "duration_ms": 272_000}),
                })?;
            }
            Ok(())
        });
        job.await?;
    }
    let callbacks = Callbacks::start(store.clone(), Arc::new(SystemTimer), settings)?;
    let (webhook, _) = callbacks.create(NewWebhook::new(url)).await?;
    let (from, to) = (began, UnixMs::now().plus(Duration::from_secs(1)));
    let start = Instant::now();
    let replay = Replay {
        from,
        to,
        types: Vec::new(),
    };
    let queued = callbacks.replay(webhook.id, replay).await?;
    let queueing = start.elapsed();
    let mut left = Duration::from_secs(300);
    while callbacks.stats().delays.iter().sum::<u64>() < queued as u64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        left = left
            .checked_sub(Duration::from_millis(5))
            .ok_or("not drained in 5 minutes")?;
    }
    let took = start.elapsed();
    let waiting = callbacks
        .deliveries(webhook.id, Some(DeliveryState::Waiting), Page::default())
        .await?;
    println!(
        "{queued} callbacks of {streams} streams: queued in {:.2} s, drained {:.2} s after the first was queued, {:.0}/s; {} left",
        queueing.as_secs_f64(),
        took.as_secs_f64(),
        queued as f64 / took.as_secs_f64(),
        waiting.items.len()
    );
    callbacks.shutdown().await;
    store.close().await;
    Ok(())
}
