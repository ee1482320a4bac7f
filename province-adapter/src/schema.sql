-- What the adapter must not forget. No personal value stands here in clear: bodies carry it sealed.
-- Moments are milliseconds since 1970; `next_at` of `office` is told time, all others are real.

CREATE TABLE fence (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  epoch INTEGER NOT NULL
) STRICT;
INSERT INTO fence VALUES (1, 0);

CREATE TABLE heartbeat (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  at        INTEGER NOT NULL,
  connected INTEGER NOT NULL
) STRICT;

-- The inbox. The unique index is the real deduplication; it is kept for ever.
CREATE TABLE work (
  id           INTEGER PRIMARY KEY,
  case_id      BLOB NOT NULL,
  request      BLOB NOT NULL,
  kind         TEXT NOT NULL,
  digest       BLOB NOT NULL,
  body         BLOB NOT NULL,
  signature    TEXT NOT NULL,
  received_at  INTEGER NOT NULL,
  delivered_by INTEGER REFERENCES report (id),
  taken_at     INTEGER,
  take_tries   INTEGER NOT NULL DEFAULT 0,
  next_take_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX work_once ON work (case_id, request, kind);
CREATE INDEX work_waiting ON work (id) WHERE taken_at IS NULL;

-- The outbox. Bytes and signature are written once; only the pace and the end change.
CREATE TABLE report (
  id           INTEGER PRIMARY KEY,
  report_id    BLOB NOT NULL,
  case_id      BLOB NOT NULL,
  number       INTEGER NOT NULL,
  token        TEXT NOT NULL,
  body         BLOB NOT NULL,
  signature    TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  attempt      INTEGER NOT NULL DEFAULT 0,
  pace_step    INTEGER NOT NULL DEFAULT 0,
  next_send_at INTEGER,
  ended_at     INTEGER,
  position     INTEGER,
  refusal      TEXT
) STRICT;
CREATE UNIQUE INDEX report_once ON report (report_id);
CREATE UNIQUE INDEX report_number ON report (case_id, number);
CREATE INDEX report_waiting ON report (next_send_at) WHERE next_send_at IS NOT NULL;

-- What was not believed: the newest are kept, sealed to this province's own key; all are counted.
CREATE TABLE refused (
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  reason TEXT NOT NULL,
  bytes  INTEGER NOT NULL,
  sealed TEXT
) STRICT;
CREATE TABLE refused_count (
  reason TEXT PRIMARY KEY,
  count  INTEGER NOT NULL
) STRICT;

-- What the simulated office does next with each case.
CREATE TABLE office (
  case_id BLOB PRIMARY KEY,
  plan    TEXT NOT NULL,
  next_at INTEGER
) STRICT;
CREATE INDEX office_due ON office (next_at) WHERE next_at IS NOT NULL;
