-- Callback endpoints, and the outbox: one row for each event on its way to one endpoint.

CREATE TABLE webhooks (
  webhook_id      TEXT PRIMARY KEY,
  -- 'api', or 'config' for those of the configuration file
  origin          TEXT NOT NULL,
  url             TEXT NOT NULL,
  profile         TEXT NOT NULL,
  -- patterns of event types, separated by spaces
  types           TEXT NOT NULL,
  scope           TEXT NOT NULL,
  ack             TEXT NOT NULL,
  timeout_ms      INTEGER NOT NULL,
  -- absent: never given up
  max_age_ms      INTEGER,
  -- the newest first
  secrets         TEXT NOT NULL,
  state           TEXT NOT NULL,
  disabled_reason TEXT,
  -- since when no attempt has succeeded; absent after a success
  failing_since   INTEGER,
  created_at      INTEGER NOT NULL,
  version         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- lane: deliveries of one lane go out one after the other, in the order of seq.
CREATE TABLE deliveries (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  delivery_id  TEXT NOT NULL UNIQUE,
  webhook_id   TEXT NOT NULL,
  seq          INTEGER NOT NULL,
  lane         TEXT NOT NULL,
  state        TEXT NOT NULL,
  -- the next attempt; only the first of a lane has one
  due_at       INTEGER,
  -- when it became the first of its lane: its age counts from here
  first_due_at INTEGER,
  -- failed attempts since it was queued or queued again
  failed       INTEGER NOT NULL DEFAULT 0,
  attempts     INTEGER NOT NULL DEFAULT 0,
  first_at     INTEGER,
  last_at      INTEGER,
  last_status  INTEGER,
  last_error   TEXT,
  created_at   INTEGER NOT NULL,
  ended_at     INTEGER,
  UNIQUE (webhook_id, seq)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (webhook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_waiting ON deliveries (webhook_id, lane, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_by_state ON deliveries (webhook_id, state, number);
CREATE INDEX deliveries_of_webhook ON deliveries (webhook_id, number);
CREATE INDEX deliveries_ended ON deliveries (state, ended_at) WHERE ended_at IS NOT NULL;
-- Events that may still be sent are not pruned.
CREATE INDEX deliveries_open ON deliveries (seq) WHERE state <> 'delivered';

CREATE TABLE delivery_attempts (
  delivery INTEGER NOT NULL,
  attempt  INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  took_ms  INTEGER NOT NULL,
  status   INTEGER,
  error    TEXT,
  -- the first bytes of the body
  answer   TEXT,
  PRIMARY KEY (delivery, attempt)
) STRICT, WITHOUT ROWID;
