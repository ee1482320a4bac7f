-- The log's tables, version 1. Nothing here is ever updated or deleted: what changes is appended.
CREATE TABLE meta (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  origin TEXT NOT NULL
) STRICT;

-- One row for each start of a writer; the last row's epoch is the only one that may append.
CREATE TABLE fence (epoch INTEGER PRIMARY KEY) STRICT;

-- A case's name is the 16 bytes of its id, which grow with time; the other streams' names are texts.
CREATE TABLE stream (
  stream_ref INTEGER PRIMARY KEY,
  name       ANY NOT NULL UNIQUE
) STRICT;

CREATE TABLE event (
  position           INTEGER PRIMARY KEY,
  stream_ref         INTEGER NOT NULL REFERENCES stream (stream_ref),
  version            INTEGER NOT NULL,
  recorded_at        INTEGER NOT NULL,
  epoch              INTEGER NOT NULL,
  event_id           BLOB NOT NULL CHECK (length(event_id) = 16),
  kind               TEXT NOT NULL,
  actor              TEXT NOT NULL,
  body               BLOB NOT NULL,
  sealed             BLOB,
  evidence           BLOB,
  evidence_signature TEXT,
  previous_hash      BLOB NOT NULL CHECK (length(previous_hash) = 32),
  hash               BLOB NOT NULL CHECK (length(hash) = 32),
  CHECK ((evidence IS NULL) = (evidence_signature IS NULL))
) STRICT;

-- The only index. Both columns grow nearly with the position; an index on random keys would cost
-- most of the speed. Event ids need none: the trigger lets them only grow.
CREATE UNIQUE INDEX event_of_stream ON event (stream_ref, version);

-- `seal` is a digest over the origin, the key and the stream's name: a changed byte shows.
CREATE TABLE sender_key (
  key        BLOB PRIMARY KEY CHECK (length(key) = 32),
  stream_ref INTEGER NOT NULL REFERENCES stream (stream_ref),
  seal       BLOB NOT NULL CHECK (length(seal) = 16)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER event_first BEFORE INSERT ON event
WHEN NOT EXISTS (SELECT 1 FROM event) AND
  (NEW.position IS NOT 1 OR NEW.previous_hash IS NOT zeroblob(32))
BEGIN SELECT RAISE(ABORT, 'log: the first event is at position 1'); END;

CREATE TRIGGER event_next BEFORE INSERT ON event
BEGIN
  SELECT RAISE(ABORT, 'log: positions, moments, ids and hashes go on from the last event')
    FROM (SELECT position, recorded_at, event_id, hash FROM event ORDER BY position DESC LIMIT 1) AS last
    WHERE NEW.position IS NOT last.position + 1
       OR NEW.recorded_at < last.recorded_at
       OR NEW.event_id <= last.event_id
       OR NEW.previous_hash IS NOT last.hash;
  SELECT RAISE(ABORT, 'log: versions have no gaps')
    WHERE NEW.version IS NOT 1 + coalesce(
      (SELECT max(version) FROM event WHERE stream_ref = NEW.stream_ref), 0);
  SELECT RAISE(ABORT, 'log: this epoch is over')
    WHERE NEW.epoch IS NOT (SELECT max(epoch) FROM fence);
END;

CREATE TRIGGER fence_next BEFORE INSERT ON fence
WHEN NEW.epoch IS NOT 1 + coalesce((SELECT max(epoch) FROM fence), 0)
BEGIN SELECT RAISE(ABORT, 'log: epochs grow by one'); END;

CREATE TRIGGER event_kept_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
CREATE TRIGGER event_kept_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
CREATE TRIGGER stream_kept_update BEFORE UPDATE ON stream
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
CREATE TRIGGER stream_kept_delete BEFORE DELETE ON stream
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
CREATE TRIGGER sender_key_kept_update BEFORE UPDATE ON sender_key
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
CREATE TRIGGER sender_key_kept_delete BEFORE DELETE ON sender_key
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
CREATE TRIGGER fence_kept_update BEFORE UPDATE ON fence
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
CREATE TRIGGER fence_kept_delete BEFORE DELETE ON fence
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
CREATE TRIGGER meta_kept_update BEFORE UPDATE ON meta
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
CREATE TRIGGER meta_kept_delete BEFORE DELETE ON meta
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END;
