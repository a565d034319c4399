//! Whatever is called and observed, in whatever order: what holds always, holds.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::event::EventKind as Kind;

#[derive(Clone, Debug)]
enum Step {
    Start(u8),
    StopAll(u8),
    Publish(u8),
    Lose(u8, u32),
    Forbid(u8),
    Resume(u8),
    Drop(u8),
    Later(u16),
    Auto(bool),
    Record(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0_u8..3;
    let step = prop_oneof![
        3 => user.clone().prop_map(Step::Start),
        2 => user.clone().prop_map(Step::StopAll),
        4 => user.clone().prop_map(Step::Publish),
        3 => (user.clone(), prop_oneof![Just(1_u32), Just(3)]).prop_map(|(user, code)| Step::Lose(user, code)),
        1 => user.clone().prop_map(Step::Forbid),
        1 => user.clone().prop_map(Step::Resume),
        1 => user.clone().prop_map(Step::Drop),
        3 => (0_u16..4_000).prop_map(Step::Later),
        1 => any::<bool>().prop_map(Step::Auto),
        1 => user.prop_map(Step::Record),
    ];
    proptest::collection::vec(step, 1..40)
}

async fn carry_out(bench: &Bench, step: Step) {
    let name = |user: u8| format!("anchor_{user}");
    let stream = |user: u8| format!("live/8888_{}", code(&name(user)));
    let control = &bench.control;
    // Refusals are answers; what they leave behind is looked at below.
    match step {
        Step::Start(user) => drop(control.start(start(&name(user))).await),
        Step::StopAll(user) => {
            let of_user = Stop {
                user_id: Some(name(user)),
                ..stop(vec![])
            };
            drop(control.stop(of_user).await);
        }
        Step::Publish(user) => drop(bench.publish(&name(user)).await),
        Step::Lose(user, errcode) => bench.lose(&stream(user), errcode).await,
        Step::Forbid(user) => drop(control.forbid_stream(stream(user), None, None).await),
        Step::Resume(user) => drop(control.resume_stream(stream(user)).await),
        Step::Drop(user) => drop(control.drop_stream(stream(user), None).await),
        Step::Later(seconds) => bench.after(Duration::from_secs(seconds.into())).await,
        Step::Auto(enabled) => {
            let patch = serde_json::json!({"auto_bypass": {"enabled": enabled}});
            drop(control.update_policy(None, patch, None).await);
        }
        Step::Record(user) => {
            let ask = RecordAsk {
                formats: vec![Format::Mp4],
                media: Media::Av,
                segment_s: None,
                record_id: None,
            };
            drop(
                control
                    .start(Start {
                        record: Some(ask),
                        ..start(&name(user))
                    })
                    .await,
            );
        }
    }
}

/// What a channel's events may follow one another with.
fn may_follow(last: Option<Kind>, next: Kind) -> bool {
    match last {
        None | Some(Kind::ChannelEnded | Kind::ChannelFailed) => next == Kind::ChannelPending,
        Some(Kind::ChannelPending) => matches!(
            next,
            Kind::ChannelStarted | Kind::ChannelEnded | Kind::ChannelFailed
        ),
        Some(Kind::ChannelStarted | Kind::ChannelResumed) => {
            matches!(next, Kind::ChannelInterrupted | Kind::ChannelEnded)
        }
        Some(Kind::ChannelInterrupted) => matches!(next, Kind::ChannelResumed | Kind::ChannelEnded),
        Some(_) => false,
    }
}

async fn check(bench: &Bench) {
    let page = Page {
        limit: 1_000,
        cursor: None,
    };
    let channels = bench
        .control
        .channels(ChannelFilter::default(), page.clone())
        .await
        .unwrap()
        .items;
    let mut running = HashMap::new();
    for view in &channels {
        let channel = &view.channel;
        assert_eq!(channel.state.is_over(), channel.ended_at.is_some());
        if !channel.state.is_over() {
            assert_eq!(
                running.insert(channel.stream.clone(), channel.id),
                None,
                "two channels of one stream"
            );
        } else {
            assert!(
                view.recordings
                    .iter()
                    .all(|task| task.state == RecordState::Finalizing)
            );
        }
    }
    let (mut last, mut seq) = (HashMap::new(), 0);
    for event in bench.events().await {
        assert!(event.seq > seq);
        seq = event.seq;
        if event.kind.matches("channel.*") && event.kind != Kind::ChannelForbidden {
            let id = event.subject.channel_id.unwrap();
            let before = last.insert(id, event.kind);
            assert!(
                may_follow(before, event.kind),
                "{:?} after {before:?}",
                event.kind
            );
        }
    }
    // The last event of each channel tells the state that it is in.
    for view in &channels {
        let told = last.get(&view.channel.id).copied();
        let tells = match view.channel.state {
            ChannelState::Pending | ChannelState::Starting => told == Some(Kind::ChannelPending),
            ChannelState::Live => matches!(told, Some(Kind::ChannelStarted | Kind::ChannelResumed)),
            ChannelState::Interrupted => told == Some(Kind::ChannelInterrupted),
            ChannelState::Ended => told == Some(Kind::ChannelEnded),
            ChannelState::Failed => told == Some(Kind::ChannelFailed),
            ChannelState::Forbidden => false,
        };
        assert!(tells, "{:?} but {told:?}", view.channel.state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_sequence_of_calls_and_observations_keeps_it_whole(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench =
                bench(|settings| settings.policy.auto_record.enabled = true).await;
            for step in steps {
                carry_out(&bench, step).await;
                // The driver has its turn, or has not.
                tokio::task::yield_now().await;
            }
            bench.driver.abort();
            // What it had asked for is done before the look.
            let _ = (&mut bench.driver).await;
            bench.control.write(|_, _| Ok(())).await.unwrap();
            check(&bench).await;
        });
    }
}
