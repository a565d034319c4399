#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::goal::Media;

const SECOND: Duration = Duration::from_secs(1);

fn object(text: String) -> Object {
    Object {
        pieces: [Bytes::from(text)].into(),
        content_type: "x/y",
        cache_control: "no-cache",
    }
}

/// A playlist of segments of two seconds.
fn goal(segments: std::ops::Range<u64>) -> Arc<Goal> {
    let names = segments.clone().map(|n| format!("s/{n}"));
    let listing = names.clone().collect::<Vec<_>>().join("\n");
    let media = names.map(|name| Media {
        object: object(name.clone()),
        name: name.into(),
        duration: 2 * SECOND,
    });
    Arc::new(Goal {
        media: media.collect(),
        texts: vec![
            ("s/list".into(), object(listing)),
            ("s".into(), object("multi".to_owned())),
        ],
        run: 1,
        sequence: segments.clone(),
        duration: 2 * SECOND * u32::try_from(segments.count()).unwrap(),
        target: 2 * SECOND,
        ended: false,
    })
}

fn short(step: &Step) -> String {
    match step {
        Step::Media(name, _) => format!("put {name}"),
        Step::Text(name, _) => format!("text {name}"),
        Step::Delete(name) => format!("delete {name}"),
    }
}

/// Carries out steps until there are none.
fn all(plan: &mut Plan, now: Instant) -> Vec<String> {
    let mut steps = Vec::new();
    while let Some(step) = plan.next(now) {
        steps.push(short(&step));
        plan.done(step);
    }
    steps
}

#[test]
fn media_come_before_the_playlist_and_only_what_is_new_is_written() {
    let (mut plan, now) = (Plan::default(), Instant::now());
    plan.offer(goal(0..2), now);
    assert_eq!(
        all(&mut plan, now),
        ["put s/0", "put s/1", "text s/list", "text s"]
    );
    plan.offer(goal(0..3), now);
    assert_eq!(all(&mut plan, now), ["put s/2", "text s/list"]);
    plan.offer(goal(0..3), now);
    assert!(all(&mut plan, now).is_empty());
    assert_eq!(plan.progress().behind_since, None);
    assert!(plan.is_idle());
}

#[test]
fn what_left_the_playlist_stays_for_its_duration_and_that_of_the_longest_playlist() {
    let (mut plan, now) = (Plan::default(), Instant::now());
    plan.offer(goal(0..5), now);
    all(&mut plan, now);
    plan.offer(goal(1..4), now);
    assert_eq!(all(&mut plan, now), ["text s/list"]);
    // 2 s of its own, 10 s of the longest playlist, 2 s for caches.
    let due = now + 14 * SECOND;
    assert_eq!(plan.due(), Some(due));
    assert!(plan.next(due - Duration::from_millis(1)).is_none());
    assert_eq!(all(&mut plan, due), ["delete s/0", "delete s/4"]);
    assert!(plan.is_idle());
}

#[test]
fn what_is_begun_is_finished_while_newer_goals_wait_and_only_the_newest_of_them_counts() {
    let (mut plan, t0) = (Plan::default(), Instant::now());
    plan.offer(goal(0..2), t0);
    let step = plan.next(t0).unwrap();
    plan.offer(goal(1..3), t0 + SECOND);
    plan.offer(goal(3..5), t0 + 2 * SECOND);
    assert_eq!(plan.progress().behind_since, Some(t0));
    plan.done(step);
    let mut steps = Vec::new();
    while let Some(step) = plan.next(t0) {
        steps.push(short(&step));
        plan.done(step);
        if steps.last().unwrap() == "text s" {
            // As one may fail at any time, the first goal is visible from here on.
            assert!(plan.next(t0).is_some());
            assert_eq!(plan.progress().behind_since, Some(t0 + SECOND));
        }
    }
    assert_eq!(
        steps,
        [
            "put s/1",
            "text s/list",
            "text s",
            "put s/3",
            "put s/4",
            "text s/list"
        ]
    );
    assert_eq!(
        plan.progress(),
        Progress {
            behind_since: None,
            skipped: 1,
            ended: false
        }
    );
}

#[test]
fn after_a_failure_the_newest_is_taken_and_what_was_begun_is_cleared_away() {
    let (mut plan, t0) = (Plan::default(), Instant::now());
    plan.offer(goal(0..3), t0);
    let step = plan.next(t0).unwrap();
    plan.done(step);
    let step = plan.next(t0).unwrap();
    assert_eq!(short(&step), "put s/1");
    plan.offer(goal(2..5), t0 + 60 * SECOND);
    plan.failed(&step, t0 + 60 * SECOND);
    let now = t0 + 61 * SECOND;
    assert_eq!(
        all(&mut plan, now),
        ["put s/2", "put s/3", "put s/4", "text s/list", "text s"]
    );
    assert_eq!(plan.progress().skipped, 0, "no playlist came before");
    // Also the one that failed: perhaps it was written.
    let mut deleted = all(&mut plan, now + 60 * SECOND);
    deleted.sort();
    assert_eq!(deleted, ["delete s/0", "delete s/1"]);
}

#[test]
fn a_deletion_that_fails_holds_up_nothing_and_is_given_up() {
    let (mut plan, mut now) = (Plan::default(), Instant::now());
    plan.offer(goal(0..3), now);
    all(&mut plan, now);
    plan.offer(goal(1..4), now);
    all(&mut plan, now);
    let mut tries = 0;
    while let Some(due) = plan.due() {
        now = due;
        let step = plan.next(now).unwrap();
        assert_eq!(short(&step), "delete s/0");
        plan.failed(&step, now);
        tries += 1;
        plan.offer(goal(1..4), now);
        assert!(plan.next(now).is_none());
    }
    assert_eq!(tries, 5);
    assert!(plan.is_idle());
}

#[test]
fn what_an_earlier_process_left_goes_once_our_playlist_is_there() {
    let (mut plan, now) = (Plan::default(), Instant::now());
    let wall = SystemTime::UNIX_EPOCH + 1_000_000 * SECOND;
    let found = |name: &str, age: u64| Found::new(name, wall - Duration::from_secs(age));
    plan.offer(goal(5..7), now);
    let found = [
        found("s/old", 3_600),
        found("s/young", 100),
        found("s/5", 1),
    ];
    plan.found(&found, now, wall, 600 * SECOND);
    assert_eq!(
        all(&mut plan, now),
        ["put s/6", "text s/list", "text s", "delete s/old"]
    );
    assert_eq!(plan.due(), Some(now + 500 * SECOND));
    assert_eq!(all(&mut plan, now + 500 * SECOND), ["delete s/young"]);
}

/// What a storage does with a request.
#[derive(Clone, Copy, Debug)]
enum Luck {
    Done,
    Refused,
    /// Done, but the answer got lost.
    Lost,
}

#[derive(Clone, Debug)]
enum Event {
    /// So many segments more.
    Live(u64),
    Steps(Vec<Luck>),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let luck = prop_oneof![6 => Just(Luck::Done), 1 => Just(Luck::Refused), 1 => Just(Luck::Lost)];
    prop_oneof![
        (1u64..6).prop_map(Event::Live),
        prop::collection::vec(luck, 1..9).prop_map(Event::Steps),
        (1u64..30).prop_map(Event::Pass),
    ]
}

proptest! {
    /// Whatever fails whenever: a playlist in the storage never names what is not there, also not for those who
    /// read it up to its length ago.
    #[test]
    fn no_visible_playlist_names_what_is_missing(events in prop::collection::vec(event(), 1..80)) {
        let (mut plan, mut now) = (Plan::default(), Instant::now());
        let (mut storage, mut end) = (BTreeMap::<String, Object>::new(), 0);
        // Playlists as readers have them, and until when they may ask for what these name.
        let mut read: Vec<(Instant, String)> = Vec::new();
        for event in events {
            match event {
                Event::Live(more) => {
                    end += more;
                    plan.offer(goal(end.saturating_sub(4)..end), now);
                }
                Event::Pass(seconds) => now += u32::try_from(seconds).unwrap() * SECOND,
                Event::Steps(lucks) => for luck in lucks {
                    let Some(step) = plan.next(now) else { break };
                    let may_be_carried_out = !matches!(luck, Luck::Refused);
                    match &step {
                        Step::Media(name, object) if may_be_carried_out => {
                            storage.insert(name.to_string(), object.clone());
                        }
                        Step::Text(name, object) if may_be_carried_out => {
                            storage.insert(name.to_string(), object.clone());
                        }
                        Step::Delete(name) if may_be_carried_out => { storage.remove(&**name); }
                        _ => {}
                    }
                    match luck {
                        Luck::Done => plan.done(step),
                        Luck::Refused | Luck::Lost => plan.failed(&step, now),
                    }
                },
            }
            read.retain(|(until, _)| *until >= now);
            if let Some(list) = storage.get("s/list") {
                let text = String::from_utf8(list.pieces.concat()).unwrap();
                read.push((now + 8 * SECOND, text));
            }
            for (_, text) in &read {
                for name in text.lines() {
                    prop_assert!(storage.contains_key(name), "{name} is missing");
                }
            }
        }
        // With luck all ends well: the newest is there, and nothing else.
        for _ in 0..200 {
            while let Some(step) = plan.next(now) {
                match &step {
                    Step::Media(name, object) => { storage.insert(name.to_string(), object.clone()); }
                    Step::Text(name, object) => { storage.insert(name.to_string(), object.clone()); }
                    Step::Delete(name) => { storage.remove(&**name); }
                }
                plan.done(step);
            }
            now += 10 * SECOND;
        }
        if end > 0 {
            let mut wanted: Vec<String> = (end.saturating_sub(4)..end).map(|n| format!("s/{n}")).collect();
            wanted.extend(["s".to_owned(), "s/list".to_owned()]);
            wanted.sort();
            let mut there: Vec<String> = storage.into_keys().collect();
            there.sort();
            prop_assert_eq!(there, wanted);
            prop_assert!(plan.is_idle());
        }
    }
}
