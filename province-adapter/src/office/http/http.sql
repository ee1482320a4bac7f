-- Work that the office's own service has been sent, and when it is asked about next. Moments are real.
CREATE TABLE IF NOT EXISTS office_http (
  case_id  BLOB NOT NULL,
  request  BLOB NOT NULL,
  kind     TEXT NOT NULL,
  state    TEXT NOT NULL CHECK (state IN ('refused', 'open', 'ended')),
  next_at  INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  turn     INTEGER NOT NULL DEFAULT 0,
  seen     BLOB,
  PRIMARY KEY (case_id, request, kind)
) STRICT;
CREATE INDEX IF NOT EXISTS office_http_due ON office_http (next_at) WHERE state = 'open';
