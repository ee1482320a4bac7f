-- What later versions keep beside `schema.sql`; made at every opening where it is missing, so that an older
-- store goes on. No version changes: an older program does not look at it.

-- Of each case: the Shanghai date on which it was submitted (how the hub and we compare), and the number
-- that the hub told us to go on with, after we had lost count.
CREATE TABLE IF NOT EXISTS story (
  case_id     BLOB PRIMARY KEY,
  day         TEXT NOT NULL,
  next_number INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX IF NOT EXISTS story_day ON story (day, case_id);

-- Inventories that the hub has not settled yet, and the newest that it has. `next_send_at` is real time.
CREATE TABLE IF NOT EXISTS inventory (
  id           BLOB PRIMARY KEY,
  occasion     TEXT NOT NULL,
  since        TEXT,
  until        TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  pace_step    INTEGER NOT NULL DEFAULT 0,
  next_send_at INTEGER,
  settled_at   INTEGER,
  differences  INTEGER
) STRICT;

-- Days of an inventory whose lists the hub asked for and that were not sent yet.
CREATE TABLE IF NOT EXISTS listing (
  inventory BLOB NOT NULL,
  day       TEXT NOT NULL,
  PRIMARY KEY (inventory, day)
) STRICT, WITHOUT ROWID;

-- Annex 1 as this province stated it, the latest word of each month: sent until the hub has signed for it.
-- `stated_at` is told time.
CREATE TABLE IF NOT EXISTS statement (
  month        TEXT PRIMARY KEY,
  id           BLOB NOT NULL,
  hash         BLOB NOT NULL,
  stated_at    INTEGER NOT NULL,
  body         BLOB NOT NULL,
  created_at   INTEGER NOT NULL,
  attempt      INTEGER NOT NULL DEFAULT 0,
  pace_step    INTEGER NOT NULL DEFAULT 0,
  next_send_at INTEGER,
  ended_at     INTEGER,
  position     INTEGER,
  refusal      TEXT
) STRICT, WITHOUT ROWID;

-- What is written and emptied again to see whether a full disk has space.
CREATE TABLE IF NOT EXISTS room (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  filler BLOB
) STRICT;

-- The bounds that the running adapter was given; none until one has run.
CREATE TABLE IF NOT EXISTS bound (
  one                INTEGER PRIMARY KEY CHECK (one = 1),
  outbox_reports_max INTEGER NOT NULL
) STRICT;

-- Cases that the office was handed and has not answered: how much it has to do.
CREATE TABLE IF NOT EXISTS with_office (
  case_id BLOB PRIMARY KEY,
  since   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Why work could not be handed over, and since when. Never personal data.
CREATE TABLE IF NOT EXISTS not_taken (
  work   INTEGER PRIMARY KEY,
  reason TEXT NOT NULL,
  since  INTEGER NOT NULL
) STRICT;

-- What the office answered and could not be used, newest of each kind and name; never personal data.
CREATE TABLE IF NOT EXISTS trouble (
  source TEXT NOT NULL,
  about  TEXT NOT NULL,
  code   TEXT NOT NULL,
  text   TEXT NOT NULL,
  first  INTEGER NOT NULL,
  last   INTEGER NOT NULL,
  count  INTEGER NOT NULL,
  PRIMARY KEY (source, about, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS trouble_last ON trouble (last);
