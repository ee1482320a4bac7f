-- Which files of the office have been read, by name, and what it was told: the same file again is
-- told the same. `told` counts up while the hub's verdicts are written out.
CREATE TABLE IF NOT EXISTS answer_file (
  name    TEXT PRIMARY KEY,
  digest  BLOB NOT NULL,
  receipt TEXT NOT NULL,
  taken   INTEGER NOT NULL,
  at      INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS answer_result (
  batch   INTEGER PRIMARY KEY,
  lines   TEXT NOT NULL,
  written INTEGER NOT NULL
) STRICT;
