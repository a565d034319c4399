#![allow(clippy::unwrap_used)]
//! The control plane against a media side that does what it is told and remembers it.

mod admitting;
mod plane;
mod properties;
mod recording;
mod restart;
mod starting;
mod usage;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::event::EventKind;
use crate::model::*;
use crate::plane::{Observation, Publishing};
use crate::request::*;
use crate::{ChannelId, Reason};
use plane::Recorder;

/// A clock that stands still until it is told.
#[derive(Clone, Default)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn advance(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::Relaxed);
    }

    fn clock(&self) -> Arc<dyn Clock> {
        let hands = self.clone();
        Arc::new(move || UnixMs(1_700_000_000_000 + hands.0.load(Ordering::Relaxed)))
    }
}

struct Bench {
    control: Control,
    hands: Hands,
    plane: Arc<Recorder>,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A control plane without a file, keyed unless said otherwise.
async fn bench(change: impl FnOnce(&mut Settings)) -> Bench {
    let hands = Hands::default();
    let store = Store::in_memory(hands.clock()).unwrap();
    on(store, hands, change).await
}

async fn on(store: Store, hands: Hands, change: impl FnOnce(&mut Settings)) -> Bench {
    let mut settings = Settings::new(Mode::Keyed);
    change(&mut settings);
    let control = Control::open(store, settings, hands.clock()).await.unwrap();
    let plane = Arc::new(Recorder::default());
    let driver = tokio::spawn(control.clone().drive(Arc::<Recorder>::clone(&plane)));
    Bench {
        control,
        hands,
        plane,
        driver,
    }
}

impl Bench {
    async fn start(&self, user: &str) -> Result<Started, Error> {
        self.control.start(start(user)).await
    }

    /// The source of a user publishes; waits until its channel, if it has one, is live.
    async fn publish(&self, user: &str) -> String {
        self.publish_with(user, "").await
    }

    async fn publish_with(&self, user: &str, query: &str) -> String {
        let stream = format!("live/8888_{}", code(user));
        let query = format!("groupid=8001&userid={}&{query}", base64(user));
        let publishing = Publishing {
            stream: stream.clone(),
            protocol: "rtmp".to_owned(),
            user_ip: Some("198.51.100.9".to_owned()),
            query,
        };
        self.control
            .observe(Observation::Published(publishing))
            .await
            .unwrap();
        stream
    }

    async fn lose(&self, stream: &str, errcode: u32) {
        let cause = Cause {
            errcode,
            text: "gone".to_owned(),
        };
        let stream = stream.to_owned();
        self.control
            .observe(Observation::Lost { stream, cause })
            .await
            .unwrap();
    }

    async fn state(&self, id: ChannelId) -> ChannelState {
        self.control.channel(id).await.unwrap().state
    }

    /// Waits until a channel is in a state.
    async fn until(&self, id: ChannelId, state: ChannelState) {
        let mut news = self.control.news();
        let there = async {
            while self.state(id).await != state {
                let _ = tokio::time::timeout(Duration::from_millis(50), news.changed()).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), there)
            .await
            .expect("the state is reached");
    }

    async fn kinds(&self) -> Vec<EventKind> {
        self.events()
            .await
            .into_iter()
            .map(|event| event.kind)
            .collect()
    }

    async fn events(&self) -> Vec<Event> {
        self.control
            .events(EventFilter {
                limit: 1_000,
                ..EventFilter::default()
            })
            .await
            .unwrap()
    }

    async fn after(&self, time: Duration) {
        self.hands.advance(time);
        self.control.tick().await.unwrap();
    }
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
            protocols: vec![Protocol::Hls],
            audio_only: false,
            sdk_type: None,
            name: "c".to_owned(),
            description: String::new(),
            password: None,
            metadata: serde_json::Map::new(),
        },
        record: None,
        targets: vec![],
        start_when: StartWhen::OnPublish,
        if_exists: IfExists::Error,
        must_be_in_room: false,
        sequence: None,
    }
}

fn stop(ids: Vec<ChannelId>) -> Stop {
    Stop {
        place: Place {
            room_id: "8001".to_owned(),
            ..Place::default()
        },
        ids,
        ..Stop::default()
    }
}

fn base64(user: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(user)
}

/// What the classic rule makes of room 8001, this user, the camera.
fn code(user: &str) -> String {
    use crate::credential::{Identity, StreamCodeRule};
    let rule = StreamCodeRule::ClassicMd5 {
        bizid: "8888".to_owned(),
    };
    let member = Identity::new("8001", user, Source::Main).unwrap();
    rule.code(&member)
        .unwrap()
        .trim_start_matches("8888_")
        .to_owned()
}

fn field<'a>(event: &'a Event, name: &str) -> &'a Value {
    event.data.get(name).unwrap_or(&Value::Null)
}
