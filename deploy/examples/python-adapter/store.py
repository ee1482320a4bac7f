"""What must survive every crash: work, reports, the office's plan, the highest epoch. One SQLite file.

Every method is one transaction, on disk when it returns. Killed at any line, the adapter goes on from here.
"""

import json
import random
import sqlite3
import time
import uuid

import wire

SCHEMA = """
CREATE TABLE IF NOT EXISTS fence (epoch INTEGER NOT NULL);
INSERT INTO fence SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM fence);
CREATE TABLE IF NOT EXISTS work (
  id INTEGER PRIMARY KEY, case_id TEXT NOT NULL, request TEXT NOT NULL, kind TEXT NOT NULL,
  digest TEXT NOT NULL, body BLOB NOT NULL, signature TEXT NOT NULL, reply_key BLOB,
  received_ms INTEGER NOT NULL, UNIQUE (case_id, request, kind)) STRICT;
CREATE TABLE IF NOT EXISTS report (
  id INTEGER PRIMARY KEY, report_id TEXT NOT NULL UNIQUE, case_id TEXT NOT NULL, number INTEGER NOT NULL,
  kind TEXT NOT NULL, work_id INTEGER NOT NULL, body BLOB NOT NULL, signature TEXT NOT NULL, key_id TEXT NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0, step INTEGER NOT NULL DEFAULT 0, next_ms INTEGER,
  position INTEGER, hash TEXT, refused TEXT, UNIQUE (case_id, number)) STRICT;
CREATE INDEX IF NOT EXISTS report_due ON report (next_ms) WHERE next_ms IS NOT NULL;
-- What the office has decided to say, in this order; `told_ms` once it is a report.
CREATE TABLE IF NOT EXISTS answer (
  id INTEGER PRIMARY KEY, case_id TEXT NOT NULL, work_id INTEGER NOT NULL, news TEXT NOT NULL, text TEXT,
  after_ms INTEGER NOT NULL, due_ms INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS counted (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;
"""


def now_ms():
    return time.time_ns() // 1_000_000


class Store:
    def __init__(self, path, identity, resend_after_ms):
        self.identity, self.waits = identity, resend_after_ms
        self.db = sqlite3.connect(path, isolation_level=None)
        mode = self.db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        self.db.execute("PRAGMA synchronous=FULL")
        assert mode == "wal", "the store needs a local disk"
        self.db.executescript(SCHEMA)
        self._sign_anew()

    def _transaction(self):
        return _Transaction(self.db)

    def take_in(self, messages, answers_of):
        """Makes a batch durable. Each message is (kind, data, personal, payload, signature, fresh); its
        verdict is `new`, `known`, `receipts`, or the name of why it is not believed."""
        with self._transaction():
            return [self._take_in_one(it, answers_of) for it in messages]

    def _take_in_one(self, message, answers_of):
        kind, data, personal, payload, signature, fresh = message
        known = None
        if kind != "receipts":
            known = self.db.execute(
                "SELECT id FROM work WHERE case_id = ? AND request = ? AND kind = ?",
                (data["case"], data["request"], kind),
            ).fetchone()
        if not self._raise_epoch(data["epoch"]):
            if known:
                return "known"
            self.count("stale-epoch")
            return "stale-epoch"
        if kind == "receipts":
            for receipt in data["receipts"]:
                self._end(receipt)
            return "receipts"
        if known:
            if fresh:
                self._say_again(data["case"], known[0])
            return "known"
        now = now_ms()
        reply_key = wire.unb64(personal["reply_key"]) if personal else None
        row = self.db.execute(
            "INSERT INTO work (case_id, request, kind, digest, body, signature, reply_key, received_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (data["case"], data["request"], kind, data["digest"], payload, signature, reply_key, now),
        ).lastrowid
        self._write_report(row, {"kind": "delivered", "work": kind}, None, now)
        # Whatever the office still wanted to say answers an older request, or a case that was withdrawn.
        self.db.execute("DELETE FROM answer WHERE case_id = ?", (data["case"],))
        for answer in answers_of(data, personal):
            self.db.execute(
                "INSERT INTO answer (case_id, work_id, news, text, after_ms) VALUES (?, ?, ?, ?, ?)",
                (data["case"], row, json.dumps(answer["news"]), answer.get("text"), answer["after_ms"]),
            )
        self._next_answer(data["case"], now)
        return "new"

    def _raise_epoch(self, epoch):
        seen = self.db.execute("SELECT epoch FROM fence").fetchone()[0]
        if epoch > seen:
            self.db.execute("UPDATE fence SET epoch = ?", (epoch,))
            # A new writer hears everything unreceipted at once.
            self.db.execute("UPDATE report SET next_ms = ?, step = 0 WHERE next_ms IS NOT NULL", (now_ms(),))
        return epoch >= seen

    def _say_again(self, case, work_id):
        """Published anew although it was receipted: the hub has lost the receipt's report and what followed."""
        self.db.execute(
            "UPDATE report SET next_ms = ?, step = 0 WHERE case_id = ? AND next_ms IS NULL AND refused IS NULL"
            " AND number >= (SELECT number FROM report WHERE work_id = ? AND kind = 'delivered' AND next_ms IS NULL)",
            (now_ms(), case, work_id),
        )

    def _end(self, receipt):
        ended = self.db.execute(
            "UPDATE report SET next_ms = NULL, position = ?, hash = ?, refused = ? WHERE report_id = ? AND case_id = ?",
            (receipt.get("position"), receipt.get("hash"), receipt.get("refused"), receipt["report"], receipt["case"]),
        ).rowcount
        if not ended:
            self.count("receipt-for-unknown-report")

    def _write_report(self, work_id, news, text, now):
        """Numbers, signs and keeps a report. The number is durable before anything is sent."""
        case, request, digest = self.db.execute(
            "SELECT case_id, request, digest FROM work WHERE id = ?", (work_id,)
        ).fetchone()
        number = self.db.execute(
            "SELECT coalesce(max(number), 0) + 1 FROM report WHERE case_id = ?", (case,)
        ).fetchone()[0]
        me = self.identity
        data = {
            "origin": me.origin, "province": me.province, "case": case, "request": request,
            "digest": digest, "number": number, "adapter": me.adapter, "news": news,
        }
        if text is not None:
            reply_key = self.db.execute("SELECT reply_key FROM work WHERE id = ?", (work_id,)).fetchone()[0]
            data["sealed_text"] = wire.seal_text(reply_key, data, text)
        report_id = str(uuid.uuid4())
        body = wire.report_bytes(report_id, wire.moment_of(now), data)
        self.db.execute(
            "INSERT INTO report (report_id, case_id, number, kind, work_id, body, signature, key_id, next_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (report_id, case, number, news["kind"], work_id, body,
             wire.sign(me.sign_seed, me.sign_key_id, body), me.sign_key_id, now),
        )

    def _sign_anew(self):
        """After a change of keys: the same bytes and ids under the key that counts now."""
        me = self.identity
        with self._transaction():
            old = self.db.execute(
                "SELECT id, body FROM report WHERE next_ms IS NOT NULL AND key_id <> ?", (me.sign_key_id,)
            ).fetchall()
            for row, body in old:
                self.db.execute(
                    "UPDATE report SET signature = ?, key_id = ? WHERE id = ?",
                    (wire.sign(me.sign_seed, me.sign_key_id, body), me.sign_key_id, row),
                )

    # --- the office ---

    def _next_answer(self, case, from_ms):
        """The first answer of a case falls due `after_ms` after the one before it."""
        self.db.execute(
            "UPDATE answer SET due_ms = ? + after_ms WHERE id = (SELECT min(id) FROM answer WHERE case_id = ?)",
            (from_ms, case),
        )

    def tell_due_answers(self):
        """Each due answer becomes a report, exactly once. How many did."""
        with self._transaction():
            now = now_ms()
            due = self.db.execute(
                "SELECT id, case_id, work_id, news, text FROM answer WHERE due_ms <= ? ORDER BY id LIMIT 64", (now,)
            ).fetchall()
            for row, case, work_id, news, text in due:
                self._write_report(work_id, json.loads(news), text, now)
                self.db.execute("DELETE FROM answer WHERE id = ?", (row,))
                self._next_answer(case, now)
            return len(due)

    # --- sending ---

    def claim_due(self, count_max=64):
        """What is due, each with a new message id. The attempt is on disk before it is made."""
        with self._transaction():
            now = now_ms()
            due = self.db.execute(
                "SELECT id, report_id, kind, attempt + 1, step, body, signature FROM report WHERE next_ms <= ?"
                " ORDER BY id LIMIT ?", (now, count_max),
            ).fetchall()
            for row, _, _, attempt, step, _, _ in due:
                wait = self.waits[min(step, len(self.waits) - 1)] * random.uniform(0.8, 1.2)
                self.db.execute(
                    "UPDATE report SET attempt = ?, step = step + 1, next_ms = ? WHERE id = ?",
                    (attempt, now + int(wait), row),
                )
            return [(row, f"{report}.{attempt}", kind, body, jws) for row, report, kind, attempt, _, body, jws in due]

    def not_taken(self, rows):
        """The broker did not take them: again after the first wait."""
        with self._transaction():
            for row in rows:
                self.db.execute(
                    "UPDATE report SET step = max(step - 1, 0), next_ms = ? WHERE id = ? AND next_ms IS NOT NULL",
                    (now_ms() + self.waits[0], row),
                )

    def next_due_ms(self):
        """When the next report or answer is due; None if nothing waits."""
        return self.db.execute(
            "SELECT min(it) FROM (SELECT min(next_ms) AS it FROM report UNION ALL SELECT min(due_ms) FROM answer)"
        ).fetchone()[0]

    def count(self, reason):
        """Inside or outside of a transaction: how often something was not as it should be."""
        self.db.execute(
            "INSERT INTO counted VALUES (?, 1) ON CONFLICT (reason) DO UPDATE SET count = count + 1", (reason,)
        )


class _Transaction:
    def __init__(self, db):
        self.db = db

    def __enter__(self):
        self.db.execute("BEGIN IMMEDIATE")

    def __exit__(self, error, *_):
        self.db.execute("ROLLBACK" if error else "COMMIT")
