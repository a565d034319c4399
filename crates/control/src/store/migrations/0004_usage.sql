-- Buckets of five minutes; `bucket` is the start in Unix seconds, a multiple of 300.
-- channel_id is 0 where no channel was, room_id '' where no source was known.
CREATE TABLE usage (
  bucket     INTEGER NOT NULL,
  app_id     TEXT NOT NULL,
  room_id    TEXT NOT NULL,
  stream     TEXT NOT NULL,
  channel_id INTEGER NOT NULL,
  protocol   TEXT NOT NULL,
  direction  TEXT NOT NULL,
  bytes      INTEGER NOT NULL,
  millis     INTEGER NOT NULL,
  PRIMARY KEY (bucket, app_id, room_id, stream, channel_id, protocol, direction)
) STRICT, WITHOUT ROWID;

-- The busiest look of a bucket: bits per second, and how many viewers or recordings there were.
-- kind: app, room, channel, protocol; name: its id.
CREATE TABLE usage_peaks (
  bucket    INTEGER NOT NULL,
  kind      TEXT NOT NULL,
  app_id    TEXT NOT NULL,
  name      TEXT NOT NULL,
  direction TEXT NOT NULL,
  bps       INTEGER NOT NULL,
  most      INTEGER NOT NULL,
  PRIMARY KEY (bucket, kind, app_id, name, direction)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_apps (
  bucket           INTEGER NOT NULL,
  app_id           TEXT NOT NULL,
  channels         INTEGER NOT NULL DEFAULT 0,
  record_channels  INTEGER NOT NULL DEFAULT 0,
  stored_bytes     INTEGER NOT NULL DEFAULT 0,
  webhook_attempts INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (bucket, app_id)
) STRICT, WITHOUT ROWID;

-- Counted in the transaction that notes how the attempt went.
CREATE TRIGGER usage_of_attempts AFTER INSERT ON delivery_attempts BEGIN
  INSERT INTO usage_apps (bucket, app_id, webhook_attempts)
  SELECT NEW.at / 1000 - NEW.at / 1000 % 300, coalesce(events.app_id, ''), 1
  FROM deliveries JOIN events ON events.seq = deliveries.seq
  WHERE deliveries.number = NEW.delivery
  ON CONFLICT DO UPDATE SET webhook_attempts = webhook_attempts + 1;
END;

-- Which billing mode holds from which day on, counted from the Unix epoch in UTC.
CREATE TABLE billing_modes (
  app_id     TEXT NOT NULL,
  from_day   INTEGER NOT NULL,
  mode       TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (app_id, from_day)
) STRICT, WITHOUT ROWID;
