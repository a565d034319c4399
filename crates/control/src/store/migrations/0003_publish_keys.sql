-- Keys handed out for publishing; only their SHA-256 is kept.
CREATE TABLE publish_keys (
  digest     TEXT PRIMARY KEY,
  app_id     TEXT NOT NULL,
  stream     TEXT NOT NULL,
  room_id    TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  source     TEXT NOT NULL,
  record_id  INTEGER,
  expires_at INTEGER NOT NULL,
  once       INTEGER NOT NULL,
  used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX publish_keys_by_expiry ON publish_keys (expires_at);
