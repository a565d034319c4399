use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::UnixMs;
use crate::event::EventKind as Kind;
use crate::id::{ChannelId, RecordingId, TargetId};
use crate::model::{
    Cause, Channel, ChannelSpec, ChannelState, Format, Media, OnFail, Origin, RecordOrigin,
    RecordSpec, RecordState, Recording, Source, Target, TargetState,
};

const RETENTION: Duration = Duration::from_secs(3_600);

fn channel() -> Channel {
    Channel {
        id: ChannelId(1),
        stream: "live/a".to_owned(),
        app_id: "1".to_owned(),
        room_id: "8001".to_owned(),
        user_id: "anchor_7".to_owned(),
        source: Source::Main,
        origin: Origin::Manual,
        state: ChannelState::Pending,
        spec: ChannelSpec {
            protocols: vec![],
            audio_only: false,
            sdk_type: None,
            name: String::new(),
            description: String::new(),
            password: None,
            metadata: serde_json::Map::new(),
        },
        created_at: UnixMs(0),
        started_at: None,
        due_at: None,
        ended_at: None,
        reserved_until: None,
        cause: None,
        sequence: None,
        version: 1,
    }
}

fn recording() -> Recording {
    Recording {
        id: RecordingId::fresh(UnixMs(1)),
        task_id: 1,
        channel_id: None,
        stream: "live/a".to_owned(),
        app_id: "1".to_owned(),
        room_id: "8001".to_owned(),
        user_id: "anchor_7".to_owned(),
        source: Source::Main,
        origin: RecordOrigin::Manual,
        state: RecordState::Pending,
        spec: RecordSpec {
            formats: vec![Format::Mp4],
            media: Media::Av,
            segment_s: 5_400,
            file_name: None,
            tags: vec![],
            class_id: 0,
            record_id: None,
            callback: true,
        },
        created_at: UnixMs(0),
        start_at: None,
        end_at: None,
        started_at: None,
        ended_at: None,
        cause: None,
    }
}

fn target(on_fail: OnFail) -> Target {
    Target {
        id: TargetId::fresh(UnixMs(1)),
        channel_id: ChannelId(1),
        url: "rtmp://h/a/k".to_owned(),
        name: String::new(),
        on_fail,
        state: TargetState::Idle,
        since: UnixMs(0),
        last_error: None,
        version: 1,
    }
}

fn channel_input() -> impl Strategy<Value = ChannelInput> {
    let cause = Cause {
        errcode: 3,
        text: "closed".to_owned(),
    };
    prop_oneof![
        Just(ChannelInput::Start),
        (0_i64..200).prop_map(|due| ChannelInput::Publishing {
            due: UnixMs(due * 1_000)
        }),
        Just(ChannelInput::Served),
        (0_i64..200).prop_map(move |until| ChannelInput::Lost {
            cause: cause.clone(),
            until: UnixMs(until * 1_000),
        }),
        Just(ChannelInput::Overdue),
        Just(ChannelInput::Stop {
            cause: Cause::ours("stopped")
        }),
    ]
}

proptest! {
    #[test]
    fn any_sequence_keeps_a_channel_whole(
        steps in proptest::collection::vec((channel_input(), 0_i64..30_000), 0..60),
    ) {
        let mut channel = channel();
        let mut now = UnixMs(0);
        // What a receiver of events believes.
        let mut believed = Kind::ChannelPending;
        for (input, later) in steps {
            now = UnixMs(now.0 + later);
            let before = channel.clone();
            let event = channel.apply(input, now, RETENTION);
            prop_assert_eq!(channel.state.is_over(), channel.ended_at.is_some());
            prop_assert_eq!(channel.state.is_over(), channel.reserved_until.is_some());
            let waits = matches!(channel.state, ChannelState::Starting | ChannelState::Interrupted);
            prop_assert_eq!(waits, channel.due_at.is_some());
            prop_assert_eq!(channel.version > before.version, channel != before);
            prop_assert!(event.is_none() || channel.version > before.version);
            prop_assert_eq!(channel.id, before.id);
            let Some(event) = event else { continue };
            let may_follow: &[Kind] = match believed {
                Kind::ChannelPending => &[Kind::ChannelStarted, Kind::ChannelEnded, Kind::ChannelFailed],
                Kind::ChannelStarted | Kind::ChannelResumed => &[Kind::ChannelInterrupted, Kind::ChannelEnded],
                Kind::ChannelInterrupted => &[Kind::ChannelResumed, Kind::ChannelEnded],
                _ => &[Kind::ChannelPending],
            };
            prop_assert!(may_follow.contains(&event), "{:?} after {:?}", event, believed);
            believed = event;
        }
    }

    #[test]
    fn any_sequence_keeps_a_recording_whole(steps in proptest::collection::vec(0_usize..6, 0..40)) {
        let mut recording = recording();
        let mut ends = 0;
        for (now, step) in steps.into_iter().enumerate() {
            let input = match step {
                0 => RecordInput::Writes,
                1 => RecordInput::Pauses,
                2 => RecordInput::Fails { reason: "full".to_owned(), resumes: true },
                3 => RecordInput::Fails { reason: "broken".to_owned(), resumes: false },
                4 => RecordInput::Stop { cause: Cause::ours("stopped") },
                _ => RecordInput::Over,
            };
            let was_over = recording.state.is_over();
            let event = recording.apply(input, UnixMs(now as i64));
            prop_assert_eq!(recording.state.is_over(), recording.ended_at.is_some());
            prop_assert!(!was_over || event.is_none());
            ends += usize::from(recording.state.is_over() && !was_over);
            let wrote = matches!(recording.state, RecordState::Recording | RecordState::Completed);
            prop_assert!(!wrote || recording.started_at.is_some() || recording.cause.is_some());
        }
        prop_assert!(ends <= 1);
    }
}

#[test]
fn a_target_fails_after_a_minute_of_recovery_and_runs_again_when_it_may() {
    let mut one = target(OnFail::Retry);
    let at = |seconds: i64| UnixMs(seconds * 1_000);
    assert!(one.observe(PushState::Trying, None, at(0)));
    assert!(one.observe(PushState::Publishing, None, at(1)));
    assert!(!one.observe(PushState::Publishing, None, at(2)));
    assert!(one.observe(PushState::Trying, Some("refused".to_owned()), at(10)));
    assert_eq!(one.state, TargetState::Recovering);
    assert!(!one.observe(PushState::Trying, None, at(70)));
    assert!(one.observe(PushState::Trying, None, at(71)));
    assert_eq!((one.state, one.is_wanted()), (TargetState::Failed, true));
    assert_eq!(one.last_error.as_deref(), Some("refused"));
    assert!(one.observe(PushState::Publishing, None, at(100)));
    assert_eq!(one.state, TargetState::Running);
}

#[test]
fn a_target_that_is_to_stop_stays_failed() {
    let mut one = target(OnFail::Stop);
    one.observe(PushState::Trying, None, UnixMs(0));
    one.observe(PushState::Trying, None, UnixMs(61_000));
    assert_eq!((one.state, one.is_wanted()), (TargetState::Failed, false));
    assert!(!one.observe(PushState::Idle, None, UnixMs(62_000)));
    assert_eq!(one.state, TargetState::Failed);
}
