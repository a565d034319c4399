#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::clock::UnixMs;
use crate::event::{self, EventFilter, EventKind, NewEvent, Subject};
use crate::id::ChannelId;

fn clock() -> Arc<dyn Clock> {
    let ticks = AtomicI64::new(1_000_000);
    Arc::new(move || UnixMs(ticks.fetch_add(1, Ordering::Relaxed)))
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/control.db");
    (dir, path)
}

fn happened(channel: u64, kind: EventKind) -> NewEvent {
    NewEvent {
        kind,
        subject: Subject {
            channel_id: Some(ChannelId(channel)),
            ..Subject::default()
        },
        data: json!({ "n": channel }),
    }
}

async fn all(store: &Store, filter: EventFilter) -> Vec<(u64, u64)> {
    let events = store
        .read(move |db| event::list(db, &filter))
        .await
        .unwrap();
    let pair = |event: event::Event| (event.seq, event.subject.channel_id.unwrap().0);
    events.into_iter().map(pair).collect()
}

#[tokio::test]
async fn events_are_there_after_a_restart_in_order_and_their_places_go_on() {
    let (_dir, path) = place();
    let store = Store::open(&path, clock()).unwrap();
    for channel in [1, 2, 1] {
        let event = happened(channel, EventKind::ChannelStarted);
        store.write(move |tx| tx.event(event)).await.unwrap();
    }
    assert_eq!(*store.news().borrow(), 3);
    store.close().await;
    let store = Store::open(&path, clock()).unwrap();
    assert_eq!(*store.news().borrow(), 3);
    assert_eq!(
        all(&store, EventFilter::default()).await,
        [(1, 1), (2, 2), (3, 1)]
    );
    let of_one = EventFilter {
        channel_id: Some(ChannelId(1)),
        after: 1,
        ..EventFilter::default()
    };
    assert_eq!(all(&store, of_one).await, [(3, 1)]);
}

#[tokio::test]
async fn a_job_that_fails_or_panics_leaves_no_trace_and_disturbs_no_other() {
    let (_dir, path) = place();
    let store = Store::open(&path, clock()).unwrap();
    let kept = |n| {
        let store = store.clone();
        async move {
            let job = move |tx: &mut Tx<'_>| tx.event(happened(n, EventKind::ChannelStarted));
            store.write(job).await
        }
    };
    let refused = store.write(|tx| {
        tx.event(happened(7, EventKind::ChannelEnded))?;
        tx.touch("live/7");
        Err::<(), _>(Error::new(Reason::ChannelExists, "no"))
    });
    let broken = store.write::<(), _>(|tx| {
        tx.event(happened(8, EventKind::ChannelEnded))?;
        panic!("a fault in a call");
    });
    let (a, b, c, d) = tokio::join!(kept(1), refused, broken, kept(2));
    assert!(a.is_ok() && d.is_ok());
    assert_eq!(b.unwrap_err().reason, Reason::ChannelExists);
    assert_eq!(c.unwrap_err().reason, Reason::OperationInternal);
    let channels: Vec<_> = all(&store, EventFilter::default())
        .await
        .into_iter()
        .map(|(_, n)| n)
        .collect();
    assert_eq!(channels, [1, 2]);
}

#[tokio::test]
async fn a_store_without_a_file_reads_what_was_written() {
    let store = Store::in_memory(clock()).unwrap();
    store
        .write(|tx| tx.event(happened(5, EventKind::ChannelEnded)))
        .await
        .unwrap();
    assert_eq!(all(&store, EventFilter::default()).await, [(1, 5)]);
}

#[tokio::test]
async fn touched_streams_are_told_once_each_after_the_commit() {
    let store = Store::in_memory(clock()).unwrap();
    let touch = |tx: &mut Tx<'_>| {
        tx.touch("live/b");
        tx.touch("live/a");
        tx.touch("live/b");
        Ok(())
    };
    store.write(touch).await.unwrap();
    assert_eq!(store.touched().await, ["live/a", "live/b"]);
}

#[tokio::test]
async fn a_locked_database_is_an_answer_and_what_was_acknowledged_stays() {
    let (_dir, path) = place();
    let store = Store::open(&path, clock()).unwrap();
    store
        .write(|tx| tx.event(happened(1, EventKind::ChannelStarted)))
        .await
        .unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store
        .write(|tx| tx.event(happened(2, EventKind::ChannelStarted)))
        .await;
    let error = refused.unwrap_err();
    assert_eq!(error.reason, Reason::StorageUnavailable);
    assert!(error.detail.contains("locked"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store
        .write(|tx| tx.event(happened(3, EventKind::ChannelStarted)))
        .await
        .unwrap();
    assert_eq!(all(&store, EventFilter::default()).await, [(1, 1), (2, 3)]);
}

#[tokio::test]
async fn a_full_disk_refuses_the_whole_group_and_nothing_acknowledged_is_lost() {
    let (_dir, path) = place();
    let store = Store::open(&path, clock()).unwrap();
    store
        .write(|tx| tx.event(happened(1, EventKind::ChannelStarted)))
        .await
        .unwrap();
    let pages: i64 = store
        .write(|tx| Ok(tx.query_row("PRAGMA page_count", [], |row| row.get(0))?))
        .await
        .unwrap();
    let limit = move |tx: &mut Tx<'_>| {
        Ok(
            tx.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| {
                row.get::<_, i64>(0)
            })?,
        )
    };
    store.write(limit).await.unwrap();
    let long = |tx: &mut Tx<'_>| {
        let mut event = happened(2, EventKind::ChannelStarted);
        event.data = json!("x".repeat(100_000));
        tx.event(event)
    };
    let error = store.write(long).await.unwrap_err();
    assert_eq!(error.reason, Reason::StorageUnavailable, "{error}");
    assert_eq!(all(&store, EventFilter::default()).await, [(1, 1)]);
    let lift = |tx: &mut Tx<'_>| {
        Ok(tx.query_row("PRAGMA max_page_count = 1000000", [], |row| {
            row.get::<_, i64>(0)
        })?)
    };
    store.write(lift).await.unwrap();
    store.write(long).await.unwrap();
}

#[tokio::test]
async fn a_read_only_database_refuses_writes_and_answers_reads() {
    let (_dir, path) = place();
    let store = Store::open(&path, clock()).unwrap();
    store
        .write(|tx| tx.event(happened(1, EventKind::ChannelStarted)))
        .await
        .unwrap();
    store
        .write(|tx| Ok(tx.pragma_update(None, "query_only", true)?))
        .await
        .unwrap();
    let error = store
        .write(|tx| tx.event(happened(2, EventKind::ChannelStarted)))
        .await
        .unwrap_err();
    assert_eq!(error.reason, Reason::StorageUnavailable, "{error}");
    assert_eq!(all(&store, EventFilter::default()).await, [(1, 1)]);
}

#[test]
fn a_second_process_is_kept_out() {
    let (_dir, path) = place();
    let _first = Store::open(&path, clock()).unwrap();
    let error = Store::open(&path, clock()).unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
}

#[test]
fn newer_foreign_and_damaged_files_are_refused_and_left_as_they_were() {
    let (_dir, path) = place();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    drop(open::file(&path, UnixMs(0)).unwrap());
    let set = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();

    set("PRAGMA user_version = 999");
    let error = Store::open(&path, clock()).unwrap_err();
    assert!(error.to_string().contains("has schema 999"), "{error}");

    set("PRAGMA user_version = 1; PRAGMA application_id = 7");
    let error = Store::open(&path, clock()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign(_)), "{error}");

    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..16].fill(b'x');
    std::fs::write(&path, &bytes).unwrap();
    let error = Store::open(&path, clock()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("put a copy back"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn old_events_are_pruned_and_places_are_not_given_again() {
    let (_dir, path) = place();
    let (db, _lock) = open::file(&path, UnixMs(0)).unwrap();
    let day = 24 * 3_600_000;
    for at in [0, day, 31 * day] {
        event::append(&db, UnixMs(at), happened(1, EventKind::ChannelStarted)).unwrap();
    }
    assert_eq!(event::prune(&db, UnixMs(31 * day + 1)).unwrap(), 2);
    assert_eq!(event::prune(&db, UnixMs(100 * day)).unwrap(), 1);
    let next = event::append(&db, UnixMs(100 * day), happened(1, EventKind::ChannelEnded)).unwrap();
    assert_eq!(next.seq, 4);
}
