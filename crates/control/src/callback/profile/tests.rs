#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::event::Subject;
use crate::id::{ChannelId, EventId};
use crate::model::Source;

const AT: UnixMs = UnixMs(1_473_125_627_400);
const NOW: UnixMs = UnixMs(1_473_125_633_900);

fn event(kind: EventKind, data: Value) -> Event {
    Event {
        seq: 42,
        id: EventId::of(AT, 42),
        kind,
        at: AT,
        subject: Subject {
            app_id: Some("1251659802".to_owned()),
            room_id: Some("8001".to_owned()),
            user_id: Some("anchor_7".to_owned()),
            source: Some(Source::Main),
            channel_id: Some(ChannelId(734_512_009_871)),
            stream: Some("live/8888_code".to_owned()),
        },
        data,
    }
}

fn lvb(event: &Event) -> Value {
    let key = Secret::parse("5d41402abc4b2a76b9719d911017c592").unwrap();
    let origin = Origin {
        push_domain: "push.example".to_owned(),
        node: "203.0.113.7".to_owned(),
        files_url: "http://media.example".to_owned(),
    };
    let rendered = Profile::TencentLvb.render(event, &[key], &origin, NOW);
    serde_json::from_slice(&rendered.body).unwrap()
}

const PARAM: &str = "txSecret=ab&txTime=5C27&from=interactive&client_business_type=0&sdkappid=1251659802&sdkapptype=1\
                     &groupid=8001&userid=YW5jaG9yXzc=&ts=57ce174b&cliRecoId=123456";

#[test]
fn c8_a_file_in_the_tencent_form_field_by_field() {
    let data = json!({
        "recording_id": "rec_01", "task_id": "90210", "origin": "start", "record_id": 123_456,
        "stream_param": "txSecret=ab&txTime=5C27", "push_started_at": "2016-09-06T01:09:31Z",
        "file_id": "fil_01", "file_number": "9192487266581821586", "format": "mp4", "size": 9_749_353,
        "duration_ms": 271_600, "start_time": "2016-09-06T01:29:15.000Z", "end_time": "2016-09-06T01:33:47.000Z",
        "segment_index": 0,
    });
    assert_eq!(
        lvb(&event(EventKind::RecordingFileCompleted, data)),
        json!({
            "event_type": 100, "appid": 1_251_659_802, "app": "push.example", "appname": "live",
            "stream_id": "8888_code", "channel_id": "8888_code",
            "file_id": "9192487266581821586", "record_file_id": "9192487266581821586",
            "video_id": "8888_code_0", "file_format": "mp4", "file_size": 9_749_353,
            "start_time": 1_473_125_355, "end_time": 1_473_125_627, "duration": 272, "task_id": "90210",
            "video_url": "http://media.example/v1/files/fil_01/content",
            "stream_param": PARAM, "t": 1_473_126_233, "sign": "58dd90d01ab325e7c96007a302f9c47d",
        })
    );
}

#[test]
fn a_push_that_ended_in_the_tencent_form_field_by_field() {
    let data = json!({
        "push_sequence": "2480768755672606517", "push_started_at": "2016-09-06T01:09:31Z", "push_duration_ms": 113_224,
        "peer": "198.51.100.9", "stream_param": "txSecret=ab&txTime=5C27", "record_id": 123_456,
        "width": 1280, "height": 720, "errcode": 3, "errmsg": "recv() return 0",
    });
    assert_eq!(
        lvb(&event(EventKind::ChannelInterrupted, data)),
        json!({
            "event_type": 0, "appid": 1_251_659_802, "app": "push.example", "appname": "live",
            "stream_id": "8888_code", "channel_id": "8888_code", "event_time": 1_473_125_627,
            "sequence": "2480768755672606517", "node": "203.0.113.7", "user_ip": "198.51.100.9",
            "errcode": 3, "errmsg": "recv() return 0", "push_duration": "113224", "width": 1280, "height": 720,
            "stream_param": PARAM, "t": 1_473_126_233, "sign": "58dd90d01ab325e7c96007a302f9c47d",
        })
    );
}

#[test]
fn each_kind_has_its_number_or_is_not_sent() {
    for (kind, data, number) in [
        (EventKind::ChannelStarted, json!({}), Some(1)),
        (EventKind::ChannelResumed, json!({}), Some(1)),
        (EventKind::ChannelInterrupted, json!({}), Some(0)),
        (
            EventKind::ChannelEnded,
            json!({"publishing": true}),
            Some(0),
        ),
        // The interruption before it was the 0 of that push.
        (EventKind::ChannelEnded, json!({"publishing": false}), None),
        (
            EventKind::TargetStateChanged,
            json!({"state": "running"}),
            Some(314),
        ),
        (EventKind::IngestAnomaly, json!({}), Some(321)),
        (EventKind::RecordingStarted, json!({}), Some(332)),
        (EventKind::RecordingEnded, json!({}), Some(332)),
        (
            EventKind::RecordingFailed,
            json!({"state": "failed"}),
            Some(332),
        ),
        (
            EventKind::RecordingFailed,
            json!({"state": "paused", "errmsg": "disk full"}),
            Some(341),
        ),
        (
            EventKind::RecordingFileCompleted,
            json!({"callback": false}),
            None,
        ),
        (EventKind::ChannelPending, json!({}), None),
        (EventKind::IngestStarted, json!({}), None),
        (EventKind::WebhookDeadLettered, json!({}), None),
    ] {
        let event = event(kind, data);
        assert_eq!(
            Profile::TencentLvb.covers(&event),
            number.is_some(),
            "{kind}"
        );
        if let Some(number) = number {
            assert_eq!(lvb(&event)["event_type"], number, "{kind}");
        }
    }
}

#[test]
fn recordings_are_told_by_their_words() {
    for (kind, data, word) in [
        (
            EventKind::RecordingStarted,
            json!({}),
            "record_start_succeeded",
        ),
        (EventKind::RecordingPaused, json!({}), "record_paused"),
        (EventKind::RecordingResumed, json!({}), "record_resumed"),
        (
            EventKind::RecordingFailed,
            json!({"started": false}),
            "record_start_failed",
        ),
        (
            EventKind::RecordingFailed,
            json!({"started": true}),
            "record_error",
        ),
        (EventKind::RecordingEnded, json!({}), "record_ended"),
    ] {
        assert_eq!(lvb(&event(kind, data))["record_event"], word, "{kind}");
    }
    let body = lvb(&event(
        EventKind::RecordingStarted,
        json!({"formats": ["flv"], "origin": "auto"}),
    ));
    assert_eq!(
        body["record_detail"],
        json!({"file_format": 1, "start_model": 1, "record_content": 1})
    );
}

#[test]
fn c8_t_lies_ahead_of_every_attempt() {
    for later in [0, 59_000, 86_400_000] {
        let now = UnixMs(NOW.0 + later);
        let origin = Origin {
            push_domain: String::new(),
            node: String::new(),
            files_url: String::new(),
        };
        let event = event(EventKind::ChannelStarted, json!({}));
        let body = Profile::TencentCss.render(&event, &[], &origin, now).body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["t"].as_i64().unwrap(), now.seconds() + 600);
    }
}

#[test]
fn a_file_in_the_native_form_has_its_url() {
    let data = json!({"file_id": "fil_01", "format": "mp4"});
    let origin = Origin {
        push_domain: String::new(),
        node: String::new(),
        files_url: "https://m.example".to_owned(),
    };
    let rendered = Profile::Native.render(
        &event(EventKind::RecordingFileCompleted, data),
        &[],
        &origin,
        NOW,
    );
    let body: Value = serde_json::from_slice(&rendered.body).unwrap();
    assert_eq!(
        body["data"]["url"],
        "https://m.example/v1/files/fil_01/content"
    );
    assert_eq!(
        (&body["source"], &body["channel_id"]),
        (&json!("main"), &json!("734512009871"))
    );
}
