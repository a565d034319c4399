//! Puts what was counted into the database, in one transaction.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::meter::{Meter, Sums};
use super::{BUCKET_S, Direction, KEEP_S, bucket_of};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::store::{Store, Tx};
use crate::table::{channels, sources};

/// Whose a stream is.
#[derive(Clone)]
struct Owner {
    app_id: String,
    room_id: String,
    channel_id: u64,
}

/// A look at a group: bits per second and how many.
#[derive(Default)]
struct Look {
    bps: u64,
    count: u64,
}

/// Bucket, kind, app, name, direction.
type PeakKey = (i64, &'static str, String, String, Direction);

/// Stores what the meter holds; it keeps what cannot be stored.
pub(crate) async fn store(store: &Store, meter: &Meter, app_id: String) -> Result<(), Error> {
    let sums = meter.take();
    let is_idle = sums.is_empty();
    let kept = sums.clone();
    let stored = match is_idle {
        true => Ok(()),
        false => store.write(move |tx| write(tx, &sums, &app_id)).await,
    };
    if stored.is_err() {
        meter.put_back(kept);
    }
    stored
}

fn write(tx: &mut Tx<'_>, sums: &Sums, usual_app: &str) -> Result<(), Error> {
    let now = tx.now();
    let mut owners: BTreeMap<&str, Owner> = BTreeMap::new();
    let mut looks: BTreeMap<(PeakKey, i64), Look> = BTreeMap::new();
    for ((bucket, line), sum) in sums {
        if !owners.contains_key(line.stream.as_str()) {
            owners.insert(&line.stream, owner(tx, &line.stream, usual_app)?);
        }
        let Some(owner) = owners.get(line.stream.as_str()) else {
            continue;
        };
        let sql = "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
            bytes = bytes + excluded.bytes, millis = millis + excluded.millis";
        tx.prepare_cached(sql)?.execute(params![
            bucket,
            owner.app_id,
            owner.room_id,
            line.stream,
            owner.channel_id.cast_signed(),
            line.protocol,
            line.direction,
            sum.bytes.cast_signed(),
            sum.millis.cast_signed(),
        ])?;
        let groups = [
            ("app", String::new()),
            ("room", owner.room_id.clone()),
            ("channel", owner.channel_id.to_string()),
            ("protocol", line.protocol.clone()),
        ];
        for (kind, name) in groups {
            let key = (*bucket, kind, owner.app_id.clone(), name, line.direction);
            for (at, bps) in &sum.rates {
                looks.entry((key.clone(), *at)).or_default().bps += bps;
            }
            for (at, count) in &sum.counts {
                looks.entry((key.clone(), *at)).or_default().count += count;
            }
        }
    }
    peaks(tx, looks)?;
    gauges(tx, now)?;
    let sql =
        "DELETE FROM usage WHERE bucket < ?1 AND bucket <= (SELECT min(bucket) + 3600 FROM usage)";
    prune(tx, sql, now)?;
    for table in ["usage_peaks", "usage_apps"] {
        let sql = format!(
            "DELETE FROM {table} WHERE bucket < ?1 AND bucket <= (SELECT min(bucket) + 3600 FROM {table})"
        );
        prune(tx, &sql, now)?;
    }
    Ok(())
}

/// The busiest look of each group.
fn peaks(db: &Connection, looks: BTreeMap<(PeakKey, i64), Look>) -> Result<(), Error> {
    let mut most: BTreeMap<PeakKey, Look> = BTreeMap::new();
    for ((key, _), look) in looks {
        let peak = most.entry(key).or_default();
        peak.bps = peak.bps.max(look.bps);
        peak.count = peak.count.max(look.count);
    }
    let sql = "INSERT INTO usage_peaks VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        bps = max(bps, excluded.bps), most = max(most, excluded.most)";
    for ((bucket, kind, app_id, name, direction), peak) in most {
        let (bps, most) = (peak.bps.cast_signed(), peak.count.cast_signed());
        db.prepare_cached(sql)?
            .execute(params![bucket, kind, app_id, name, direction, bps, most])?;
    }
    Ok(())
}

/// Channels that are live, recordings with each format counted, and what files take.
fn gauges(db: &Connection, now: UnixMs) -> Result<(), Error> {
    let bucket = bucket_of(now);
    let sql = "INSERT INTO usage_apps (bucket, app_id, channels)
        SELECT ?, app_id, count(*) FROM channels WHERE ended_at IS NULL AND state = 'live'
        GROUP BY app_id ON CONFLICT DO UPDATE SET channels = max(channels, excluded.channels)";
    db.prepare_cached(sql)?.execute([bucket])?;
    let sql = "INSERT INTO usage_apps (bucket, app_id, record_channels)
        SELECT bucket, app_id, most FROM usage_peaks
        WHERE bucket = ? AND kind = 'app' AND direction = 'record' ON CONFLICT DO UPDATE SET
        record_channels = max(record_channels, excluded.record_channels)";
    db.prepare_cached(sql)?.execute([bucket])?;
    // Looked at once a bucket: a sum over all files.
    let sql = "SELECT count(*) FROM usage_apps WHERE bucket = ? AND stored_bytes > 0";
    let looked: u32 = db
        .prepare_cached(sql)?
        .query_row([bucket], |row| row.get(0))?;
    if looked == 0 {
        let sql = "INSERT INTO usage_apps (bucket, app_id, stored_bytes)
            SELECT ?, app_id, sum(size) FROM files WHERE deleted_at IS NULL GROUP BY app_id
            ON CONFLICT DO UPDATE SET stored_bytes = excluded.stored_bytes";
        db.prepare_cached(sql)?.execute([bucket])?;
    }
    Ok(())
}

/// Forgets the oldest hour at a time of what is too old.
fn prune(db: &Connection, sql: &str, now: UnixMs) -> Result<(), Error> {
    let before = now.seconds() - KEEP_S;
    db.prepare_cached(sql)?
        .execute([before - before.rem_euclid(BUCKET_S)])?;
    Ok(())
}

fn owner(db: &Connection, stream: &str, usual_app: &str) -> Result<Owner, Error> {
    let channel = match channels::running(db, stream)? {
        Some(channel) => Some(channel),
        None => channels::last(db, stream)?,
    };
    let source = sources::get(db, stream)?;
    let (app_id, room_id) = source.map_or_else(
        || (usual_app.to_owned(), String::new()),
        |source| (source.app_id, source.room_id),
    );
    Ok(Owner {
        app_id,
        room_id,
        channel_id: channel.map_or(0, |channel| channel.id.0),
    })
}
