//! What is counted is stored once, asked for in every grouping, and billed.

use std::collections::BTreeMap;

use super::*;
use crate::usage::{
    BillingMode, Direction, Granularity, GroupBy, Line, Meter, Reading, UsageQuery, UsageRow,
};

/// Seconds of the bench's clock at its start, and the bucket that holds it.
const START: i64 = 1_700_000_000;
const BUCKET: i64 = START - START % 300;

fn line(stream: &str, protocol: &str, direction: Direction) -> Line {
    Line {
        stream: stream.to_owned(),
        protocol: protocol.to_owned(),
        direction,
    }
}

fn reading(bytes: u64, count: u64) -> Reading {
    Reading { bytes, count }
}

fn query(granularity: Granularity, group_by: GroupBy) -> UsageQuery {
    UsageQuery {
        from: UnixMs((START - 86_400) * 1_000),
        to: UnixMs((START + 86_400) * 1_000),
        granularity,
        group_by,
        app_id: None,
    }
}

impl Bench {
    /// Ten seconds pass, in which this was counted.
    async fn look(&self, meter: &Meter, readings: Vec<(Line, Reading)>) {
        self.hands.advance(Duration::from_secs(10));
        meter.add(self.control.now(), readings);
        self.control.store_usage(meter).await.unwrap();
    }

    async fn usage(&self, granularity: Granularity, group_by: GroupBy) -> Vec<UsageRow> {
        self.control
            .usage(query(granularity, group_by))
            .await
            .unwrap()
    }
}

fn bytes(row: &UsageRow) -> BTreeMap<&'static str, u64> {
    row.bytes.clone()
}

#[tokio::test]
async fn sums_and_peaks_are_exact_in_every_grouping() {
    let bench = bench(|_| {}).await;
    let id = bench.start("a").await.unwrap().channel.id;
    let stream = bench.publish("a").await;
    bench.until(id, ChannelState::Live).await;
    let meter = Meter::new();
    for (seconds, rtmp, hls) in [(0, 1_000, 500), (1, 3_000, 0), (2, 0, 250)] {
        let viewers = 2 - seconds % 2;
        bench
            .look(
                &meter,
                vec![
                    (line(&stream, "rtmp", Direction::In), reading(10_000, 1)),
                    (
                        line(&stream, "rtmp", Direction::Out),
                        reading(rtmp, viewers),
                    ),
                    (line(&stream, "hls", Direction::Out), reading(hls, 1)),
                    (line(&stream, "rtmp", Direction::Push), reading(77, 1)),
                    (line(&stream, "mp4", Direction::Record), reading(0, 1)),
                    (line(&stream, "flv", Direction::Record), reading(0, 1)),
                    // Nobody's: counted for the app all the same.
                    (line("live/nobody", "rtmp", Direction::In), reading(5, 1)),
                ],
            )
            .await;
    }
    let by_app = bench.usage(Granularity::FiveMinutes, GroupBy::App).await;
    let [app] = &by_app[..] else {
        panic!("{by_app:#?}")
    };
    assert_eq!((app.start, &*app.app_id), (BUCKET, "1400000001"));
    let wanted = [("in", 30_015), ("out", 4_750), ("push", 231), ("record", 0)];
    assert_eq!(bytes(app), wanted.into());
    assert_eq!(app.mean_bps["in"], 30_015 * 8 / 300);
    // The busiest look: 3000 bytes in ten seconds.
    assert_eq!(app.peak_bps["out"], 2_400);
    assert_eq!(app.peak_bps["in"], 10_005 * 8 / 10);
    assert_eq!(
        (app.viewers, app.record_channels, app.channels),
        (3, 2, Some(1))
    );
    assert_eq!(app.push_seconds, 30.0);
    let formats = [("flv".to_owned(), 30.0), ("mp4".to_owned(), 30.0)];
    assert_eq!(app.record_seconds, formats.into());

    let by_room = bench.usage(Granularity::Hour, GroupBy::Room).await;
    let rooms: Vec<_> = by_room
        .iter()
        .map(|row| (&*row.group, row.bytes["in"]))
        .collect();
    assert_eq!(rooms, [("", 15), ("8001", 30_000)]);
    let by_channel = bench.usage(Granularity::Day, GroupBy::Channel).await;
    let channel = by_channel
        .iter()
        .find(|row| row.group == id.to_string())
        .unwrap();
    assert_eq!(
        (channel.bytes["out"], channel.start),
        (4_750, START - START % 86_400)
    );
    assert_eq!(channel.peak_bps["out"], 2_400);
    let by_protocol = bench.usage(Granularity::Day, GroupBy::Protocol).await;
    let hls = by_protocol.iter().find(|row| row.group == "hls").unwrap();
    assert_eq!(
        (hls.bytes["out"], hls.viewers, hls.peak_bps["out"]),
        (750, 1, 400)
    );
    let other = UsageQuery {
        app_id: Some("another".to_owned()),
        ..query(Granularity::Day, GroupBy::App)
    };
    assert_eq!(bench.control.usage(other).await.unwrap(), []);
}

#[tokio::test]
async fn a_crash_loses_one_sample_and_counts_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.db");
    let hands = Hands::default();
    let count = |_: &mut Settings| {};
    let mut stored = 0;
    for run in 0..3_u64 {
        let store = Store::open(&path, hands.clock()).unwrap();
        let bench = on(store, hands.clone(), count).await;
        let meter = Meter::new();
        for look in 0..5 {
            let counted = 1_000 * (run + 1) + look;
            stored += counted;
            let readings = vec![(line("live/a", "rtmp", Direction::In), reading(counted, 1))];
            bench.look(&meter, readings).await;
        }
        // Counted, and the process dies before it is stored.
        hands.advance(Duration::from_secs(9));
        let lost = (line("live/a", "rtmp", Direction::In), reading(123, 1));
        meter.add(bench.control.now(), [lost]);
        bench.control.close().await;
        // What cannot be stored stays with the meter, whole.
        assert!(bench.control.store_usage(&meter).await.is_err());
        assert!(bench.control.store_usage(&meter).await.is_err());
    }
    let bench = on(Store::open(&path, hands.clock()).unwrap(), hands, count).await;
    let rows = bench.usage(Granularity::Day, GroupBy::App).await;
    assert_eq!(rows.iter().map(|row| row.bytes["in"]).sum::<u64>(), stored);
}

#[tokio::test]
async fn a_day_is_rated_under_each_mode_and_the_mode_changes_tomorrow() {
    let bench = bench(|_| {}).await;
    let meter = Meter::new();
    let day = |rows: u64| {
        line(
            "live/a",
            "hls",
            if rows == 0 {
                Direction::In
            } else {
                Direction::Out
            },
        )
    };
    bench
        .look(&meter, vec![(day(0), reading(1_000_000_000, 1))])
        .await;
    // Nine GB in two buckets: five and four.
    for gigabytes in [5, 4] {
        let readings = vec![(day(1), reading(gigabytes * 1_000_000_000, 9))];
        bench.look(&meter, readings).await;
        bench.hands.advance(Duration::from_secs(300));
        meter.add(bench.control.now(), []);
    }
    let now = bench.control.now();
    let peaks = bench.control.usage_peaks(None, now).await.unwrap();
    assert_eq!(
        (peaks.traffic_down, peaks.traffic_up),
        (9_000_000_000, 1_000_000_000)
    );
    assert_eq!(peaks.peak_down_bps, 5_000_000_000 * 8 / 300);
    assert_eq!(peaks.billable.traffic_gb, 9.0);
    assert_eq!(peaks.mode, BillingMode::Traffic);
    let yesterday = now.minus(Duration::from_secs(86_400));
    let peaks = bench.control.usage_peaks(None, yesterday).await.unwrap();
    assert_eq!(peaks.traffic_down, 0);

    let switch = |mode| bench.control.set_billing_mode(None, mode);
    let billing = switch(BillingMode::PeakBandwidth).await.unwrap();
    assert_eq!(billing.mode, BillingMode::Traffic);
    assert_eq!(billing.next, Some(BillingMode::PeakBandwidth));
    // The same again is no switch; another one is.
    assert_eq!(switch(BillingMode::PeakBandwidth).await.unwrap(), billing);
    let again = switch(BillingMode::Package).await.unwrap_err();
    assert_eq!(again.reason, Reason::RateLimited);
    bench.hands.advance(Duration::from_secs(86_400));
    let billing = bench.control.billing(None).await.unwrap();
    assert_eq!(
        (billing.mode, billing.next),
        (BillingMode::PeakBandwidth, None)
    );
    switch(BillingMode::Package).await.unwrap();
    let old = bench.control.usage_peaks(None, now).await.unwrap();
    assert_eq!(old.mode, BillingMode::Traffic);
}

#[tokio::test]
async fn questions_that_are_too_large_are_refused_and_old_usage_is_forgotten() {
    let bench = bench(|_| {}).await;
    let meter = Meter::new();
    let readings = || vec![(line("live/a", "hls", Direction::Out), reading(1, 1))];
    bench.look(&meter, readings()).await;
    let mut all = query(Granularity::FiveMinutes, GroupBy::App);
    all.from = UnixMs(0);
    let refused = bench.control.usage(all.clone()).await.unwrap_err();
    assert_eq!(refused.reason, Reason::FieldInvalid);
    all.to = all.from;
    assert!(bench.control.usage(all).await.is_err());
    bench.hands.advance(Duration::from_secs(399 * 86_400));
    bench.look(&meter, readings()).await;
    let first = query(Granularity::Day, GroupBy::App);
    assert_eq!(bench.control.usage(first.clone()).await.unwrap().len(), 1);
    bench.hands.advance(Duration::from_secs(2 * 86_400));
    bench.look(&meter, readings()).await;
    assert_eq!(bench.control.usage(first).await.unwrap(), []);
}

#[tokio::test]
async fn attempts_to_deliver_are_counted_where_they_are_noted() {
    let bench = bench(|_| {}).await;
    bench.start("a").await.unwrap();
    let now = bench.control.now();
    let noted = bench.control.store().write(move |tx| {
        let seq: i64 = tx.query_row("SELECT max(seq) FROM events", [], |row| row.get(0))?;
        let sql =
            "INSERT INTO deliveries (number, delivery_id, webhook_id, seq, lane, state, created_at)
            VALUES (1, 'dlv_1', 'whk_1', ?1, '', 'waiting', 0)";
        tx.execute(sql, [seq])?;
        for attempt in 1..=3 {
            let sql = "INSERT OR REPLACE INTO delivery_attempts (delivery, attempt, at, took_ms)
                VALUES (1, ?1, ?2, 5)";
            tx.execute(sql, rusqlite::params![attempt, now])?;
        }
        Ok(())
    });
    noted.await.unwrap();
    let rows = bench.usage(Granularity::FiveMinutes, GroupBy::App).await;
    let counted: Vec<_> = rows
        .iter()
        .map(|row| (row.start, row.webhook_attempts))
        .collect();
    assert_eq!(counted, [(BUCKET, Some(3))]);
}
