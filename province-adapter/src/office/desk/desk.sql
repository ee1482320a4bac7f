-- Which answer of the office became which report: an answer said twice is one report.
CREATE TABLE IF NOT EXISTS office_answer (
  operation    TEXT PRIMARY KEY,
  report_id    BLOB NOT NULL,
  moment_given INTEGER NOT NULL
) STRICT;
