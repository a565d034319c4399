-- Ladders that calls have made: a name, and the names of its rungs as a JSON array.
CREATE TABLE ladders (
  name  TEXT PRIMARY KEY,
  rungs TEXT NOT NULL
) STRICT, WITHOUT ROWID;
