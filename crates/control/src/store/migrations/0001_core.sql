-- Apps, rooms, members, sources, channels, targets, recordings, files, policy, events, idempotency keys.
-- Times are milliseconds of the Unix epoch. JSON columns are read whole, never searched.

CREATE TABLE apps (
  app_id  TEXT PRIMARY KEY,
  bizid   TEXT NOT NULL,
  enabled INTEGER NOT NULL DEFAULT 1,
  arrears INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What was changed of the policy: '' holds for all apps, else for one.
CREATE TABLE policies (
  app_id  TEXT PRIMARY KEY,
  patch   TEXT NOT NULL,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE record_templates (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rules (
  name     TEXT PRIMARY KEY,
  app_id   TEXT,
  stream   TEXT,
  template TEXT,
  bypass   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE rooms (
  app_id      TEXT NOT NULL,
  room_id     TEXT NOT NULL,
  kind        TEXT NOT NULL,
  relation_id INTEGER,
  implicit    INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  closed_at   INTEGER,
  active_at   INTEGER NOT NULL,
  version     INTEGER NOT NULL,
  PRIMARY KEY (app_id, room_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX rooms_by_relation ON rooms (app_id, relation_id) WHERE relation_id IS NOT NULL;

CREATE TABLE members (
  app_id    TEXT NOT NULL,
  room_id   TEXT NOT NULL,
  user_id   TEXT NOT NULL,
  joined_at INTEGER NOT NULL,
  left_at   INTEGER,
  PRIMARY KEY (app_id, room_id, user_id)
) STRICT, WITHOUT ROWID;

-- stream: the name in the hub, '{rtmp app}/{stream code}'.
CREATE TABLE sources (
  stream          TEXT PRIMARY KEY,
  app_id          TEXT NOT NULL,
  room_id         TEXT NOT NULL,
  user_id         TEXT NOT NULL,
  source          TEXT NOT NULL,
  session         TEXT,
  forbidden_until INTEGER,
  forbid_reason   TEXT,
  last_start_at   INTEGER,
  created_at      INTEGER NOT NULL,
  offline_since   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sources_by_member ON sources (app_id, room_id, user_id, source);
CREATE INDEX sources_publishing ON sources (stream) WHERE session IS NOT NULL;

CREATE TABLE channels (
  channel_id     INTEGER PRIMARY KEY,
  stream         TEXT NOT NULL,
  app_id         TEXT NOT NULL,
  room_id        TEXT NOT NULL,
  user_id        TEXT NOT NULL,
  source         TEXT NOT NULL,
  origin         TEXT NOT NULL,
  state          TEXT NOT NULL,
  spec           TEXT NOT NULL,
  created_at     INTEGER NOT NULL,
  started_at     INTEGER,
  -- the next moment at which something is due: the end of the reconnect window, the next try
  due_at         INTEGER,
  ended_at       INTEGER,
  reserved_until INTEGER,
  cause          TEXT,
  sequence       INTEGER,
  version        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX channels_running ON channels (stream) WHERE ended_at IS NULL;
CREATE INDEX channels_of_user ON channels (app_id, user_id) WHERE ended_at IS NULL;
CREATE INDEX channels_of_room ON channels (app_id, room_id, channel_id);
CREATE INDEX channels_of_stream ON channels (stream, channel_id);
CREATE INDEX channels_due ON channels (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX channels_ended ON channels (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE targets (
  target_id  TEXT PRIMARY KEY,
  channel_id INTEGER NOT NULL,
  url        TEXT NOT NULL,
  name       TEXT NOT NULL,
  on_fail    TEXT NOT NULL,
  state      TEXT NOT NULL,
  since      INTEGER NOT NULL,
  last_error TEXT,
  version    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX targets_of_channel ON targets (channel_id, target_id);
CREATE INDEX targets_recovering ON targets (since) WHERE state = 'recovering';

CREATE TABLE recordings (
  task_id      INTEGER PRIMARY KEY AUTOINCREMENT,
  recording_id TEXT NOT NULL UNIQUE,
  channel_id   INTEGER,
  stream       TEXT NOT NULL,
  app_id       TEXT NOT NULL,
  room_id      TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  source       TEXT NOT NULL,
  origin       TEXT NOT NULL,
  state        TEXT NOT NULL,
  spec         TEXT NOT NULL,
  -- what the recorder calls it, when the recorder began it by itself
  plane_id     TEXT UNIQUE,
  created_at   INTEGER NOT NULL,
  start_at     INTEGER,
  -- whether the media side was told that its time has come
  begun        INTEGER NOT NULL DEFAULT 0,
  end_at       INTEGER,
  started_at   INTEGER,
  ended_at     INTEGER,
  cause        TEXT
) STRICT;
CREATE INDEX recordings_running ON recordings (stream) WHERE ended_at IS NULL;
CREATE INDEX recordings_of_room ON recordings (app_id, room_id, task_id);
CREATE INDEX recordings_scheduled ON recordings (start_at) WHERE NOT begun AND start_at IS NOT NULL;
CREATE INDEX recordings_ending ON recordings (end_at) WHERE ended_at IS NULL AND end_at IS NOT NULL;

CREATE TABLE files (
  number       INTEGER PRIMARY KEY,
  file_id      TEXT NOT NULL UNIQUE,
  recording_id TEXT NOT NULL,
  plane_id     TEXT NOT NULL,
  path         TEXT NOT NULL,
  stream       TEXT NOT NULL,
  app_id       TEXT NOT NULL,
  room_id      TEXT NOT NULL,
  user_id      TEXT NOT NULL,
  name         TEXT NOT NULL,
  record_id    INTEGER,
  start_at     INTEGER NOT NULL,
  end_at       INTEGER NOT NULL,
  size         INTEGER NOT NULL,
  body         TEXT NOT NULL,
  deleted_at   INTEGER,
  UNIQUE (plane_id, path)
) STRICT;
CREATE INDEX files_of_recording ON files (recording_id);
CREATE INDEX files_of_room ON files (app_id, room_id, number);
CREATE INDEX files_of_stream ON files (stream, number);
CREATE INDEX files_by_record_id ON files (record_id, number) WHERE record_id IS NOT NULL;
CREATE INDEX files_by_start ON files (start_at);

CREATE TABLE events (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  type       TEXT NOT NULL,
  app_id     TEXT,
  room_id    TEXT,
  user_id    TEXT,
  source     TEXT,
  channel_id INTEGER,
  stream     TEXT,
  data       TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_channel ON events (channel_id, seq) WHERE channel_id IS NOT NULL;
CREATE INDEX events_of_room ON events (room_id, seq) WHERE room_id IS NOT NULL;
CREATE INDEX events_of_type ON events (type, seq);

CREATE TABLE idempotency (
  scope       TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  created_at  INTEGER NOT NULL,
  -- absent while the request runs
  status      INTEGER,
  head        TEXT,
  body        BLOB,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);
