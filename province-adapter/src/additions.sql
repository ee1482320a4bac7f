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
