#!/usr/bin/env python3
"""A small office in one file of Python 3 (standard library only), beside a province adapter with
office = "pull". 一个示例局端：只用 Python 3 标准库，与 office = "pull" 的适配器配合。

    python3 office.py --token-file keys/office.token --files office.db

It fetches work, opens a file for each case, accepts, asks for a missing photo, declines what is not in
its register, decides and issues the certificate. Kill it at any moment: every step is a row in its
database before it is said, and is said again under the same key until the adapter has it.

Replace `plan` with your own rules, or write rows into the table `step` from your own system.
把 `plan` 换成自己的业务规则即可。
"""

import argparse
import datetime
import http.client
import json
import signal
import sqlite3
import sys
import time
import urllib.error
import urllib.request

SCHEMA = """
-- A file of the office 办公系统的案卷
CREATE TABLE IF NOT EXISTS file (
  case_id TEXT PRIMARY KEY, case_number TEXT NOT NULL, item TEXT NOT NULL, state TEXT NOT NULL);
-- What has been fetched; a number is looked at once 已领取的交办件
CREATE TABLE IF NOT EXISTS fetched (number INTEGER PRIMARY KEY);
-- What is to be said, in this order; `key` is the Idempotency-Key 待答复的步骤
CREATE TABLE IF NOT EXISTS step (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, case_id TEXT NOT NULL, body TEXT NOT NULL,
  wait_ms INTEGER NOT NULL, due_ms INTEGER, done TEXT);
"""
POLL_SECONDS = 20  # how long one request may wait for work
RETRY_SECONDS = 1  # before the adapter is asked again after it was away
CORRECTION_DAYS = 15  # how long the applicant has for a correction


class Refused(Exception):
    """The adapter said no, for good."""

    def __init__(self, problem):
        super().__init__(f"{problem.get('code')}: {problem.get('detail', problem.get('title'))}")


class Adapter:
    """The HTTP API of the adapter, see schemas/v1/office-api.openapi.json."""

    def __init__(self, url, token):
        self.url, self.token = url, token
        # No proxy of the machine may see personal data.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, method, path, body=None, key=None):
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        if key:
            request.add_header("Idempotency-Key", key)
        if body is not None:
            request.data = json.dumps(body, ensure_ascii=False).encode("utf-8")
            request.add_header("Content-Type", "application/json")
        try:
            with self.opener.open(request, timeout=POLL_SECONDS + 40) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read() or b"{}")
            if error.code >= 500 or error.code == 408:
                raise ConnectionError(f"the adapter cannot now: {problem.get('code')}") from error
            raise Refused(problem) from error


def materials(applicant):
    """All documents that were sent, those of a correction too."""
    sent = list(applicant.get("materials", []))
    for correction in applicant.get("corrections", []):
        sent += correction.get("materials", [])
    return {it["kind"] for it in sent}


def plan(work, applicant, asked_before, province, now):
    """The office's own rules: the answers to this work, in order. 业务规则写在这里。"""
    holder = applicant.get("applicant", {})
    if work["kind"] == "case" and not holder.get("certificate_number", "").startswith(province):
        return [{"kind": "declined", "reason": "data-mismatch", "text": "本省名册中没有此证，请核对证号。"}]
    if work["item"] == "renewal" and "photo" not in materials(applicant):
        if asked_before:
            return [{"kind": "declined", "reason": "materials-missing", "text": "补正后仍缺照片。"}]
        until = (now + datetime.timedelta(days=CORRECTION_DAYS)).date().isoformat()
        return [{"kind": "correction-requested", "missing": ["photo"], "until": until,
                 "text": "请补交近期小二寸白底免冠照片。"}]
    number = work["case_number"]
    result, today = {}, now.date()
    if work["item"] == "integrity-assessment":
        result = {"grade": "AA", "next_due": today.replace(year=today.year + 1, day=1).isoformat()}
    elif work["item"] in ("reissue", "renewal"):
        result = {"valid_until": today.replace(year=today.year + 6, day=1).isoformat()}
    steps = [{"kind": "accepted", "acceptance_number": "受" + number},
             {"kind": "completed", "outcome": "approved", "decision_number": "决" + number, "result": result}]
    if work["item"] in ("reissue", "renewal", "change"):
        steps.append({"kind": "certificate-issued", "certificate_id": "E" + number})
    return steps


def obey(work, applicant):
    """What a test case asks for; see schemas/v1/conformance.md."""
    instruction = (applicant or {}).get("conformance") or {}
    if instruction.get("v") != 1:
        return []
    steps = []
    for answer in instruction.get("answers", []):
        step = dict(answer)
        if step["kind"] == "accepted":
            step["acceptance_number"] = "受" + work["case_number"]
        if step["kind"] == "completed":
            step["decision_number"] = "决" + work["case_number"]
        steps.append(step)
    return steps


class Office:
    def __init__(self, options):
        with open(options.token_file, encoding="ascii") as file:
            self.adapter = Adapter(options.url.rstrip("/"), file.read().strip())
        self.files = sqlite3.connect(options.files, isolation_level=None)
        self.files.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)
        self.obedient, self.pace_ms, self.province = options.obedient, options.pace_ms, None

    def meet(self):
        """Whose office is this? A test office serves a sandbox only."""
        status = self.adapter.ask("GET", "/v1/status")
        if self.obedient and not status["origin"].startswith("sandbox."):
            sys.exit(f"--obedient serves a sandbox only, and this is {status['origin']}")
        self.province = status["province"]
        print(f"office of {self.province}, {status['work_waiting']} waiting", flush=True)

    def fetch(self, wait_seconds):
        page = self.adapter.ask("GET", f"/v1/work?wait={wait_seconds}s")
        for row in page["work"]:
            if row.get("kind") is None:
                print(f"work {row['number']} cannot be read by this adapter", flush=True)
                continue
            self.open_file(self.adapter.ask("GET", f"/v1/work/{row['number']}"))
            # Only now: should we die before, it is offered again, and `fetched` knows it.
            self.adapter.ask("POST", f"/v1/work/{row['number']}/take")

    def open_file(self, work):
        """One transaction: the file, and everything that is to be said about it."""
        number, case, applicant = work["number"], work["case_id"], work.get("applicant")
        now = self.adapter.ask("GET", "/v1/status")["now"].replace("Z", "+00:00")
        # The law counts days in Shanghai. 法定期限按北京时间计
        now = datetime.datetime.fromisoformat(now).astimezone(datetime.timezone(datetime.timedelta(hours=8)))
        files = self.files
        files.execute("BEGIN IMMEDIATE")
        if files.execute("INSERT OR IGNORE INTO fetched VALUES (?)", (number,)).rowcount == 1:
            state = {"case": "opened", "correction": "corrected", "withdrawal": "withdrawn"}[work["kind"]]
            asked = files.execute("SELECT 1 FROM step WHERE case_id = ? AND body LIKE '%correction-requested%'",
                                  (case,)).fetchone()
            files.execute("INSERT INTO file VALUES (?, ?, ?, ?) ON CONFLICT (case_id) DO UPDATE SET state = ?",
                          (case, work["case_number"], work["item"], state, state))
            # Newer work replaces what was not yet said.
            files.execute("UPDATE step SET done = 'dropped' WHERE case_id = ? AND done IS NULL", (case,))
            steps = []
            if work["kind"] != "withdrawal":
                steps = obey(work, applicant) if self.obedient else plan(work, applicant, asked, self.province, now)
            for at, body in enumerate(steps):
                wait_ms = body.pop("after_ms", 0 if self.obedient else self.pace_ms)
                body["request"] = work["request"]
                due_ms = int(time.time() * 1000) + wait_ms if at == 0 else None
                files.execute("INSERT INTO step (key, case_id, body, wait_ms, due_ms) VALUES (?, ?, ?, ?, ?)",
                              (f"{work['request']}-{at}", case, json.dumps(body, ensure_ascii=False), wait_ms, due_ms))
            print(f"{work['case_number']} {state}, {len(steps)} to say", flush=True)
        files.execute("COMMIT")

    def say(self):
        """Says what is due, one a case in its order. How long until the next, in seconds."""
        while True:
            now_ms = int(time.time() * 1000)
            row = self.files.execute(
                "SELECT id, key, case_id, body FROM step WHERE done IS NULL AND due_ms <= ? ORDER BY due_ms, id LIMIT 1",
                (now_ms,)).fetchone()
            if row is None:
                break
            self.say_one(*row)
        due = self.files.execute("SELECT min(due_ms) FROM step WHERE done IS NULL").fetchone()[0]
        return POLL_SECONDS if due is None else max(0, min(POLL_SECONDS, (due - int(time.time() * 1000)) / 1000))

    def say_one(self, step, key, case, body):
        body = json.loads(body)
        try:
            self.adapter.ask("POST", f"/v1/cases/{case}/answers", body, key)
            done = "said"
        except Refused as no:
            # Somebody must look; the other cases go on.
            done = f"refused: {no}"
            print(f"case {case}, {body['kind']}: {done}", flush=True)
        files = self.files
        files.execute("BEGIN IMMEDIATE")
        files.execute("UPDATE step SET done = ? WHERE id = ?", (done, step))
        files.execute("UPDATE file SET state = ? WHERE case_id = ?", (body["kind"] if done == "said" else done, case))
        # The next one's wait begins when this one was said.
        following = files.execute("SELECT id, wait_ms FROM step WHERE case_id = ? AND done IS NULL ORDER BY id LIMIT 1",
                                  (case,)).fetchone()
        if following:
            files.execute("UPDATE step SET due_ms = ? WHERE id = ?", (int(time.time() * 1000) + following[1], following[0]))
        files.execute("COMMIT")

    def work(self):
        while True:
            try:
                if self.province is None:
                    self.meet()
                wait = self.say()
                # Whole seconds; with something due sooner we look at once and sleep the rest here.
                self.fetch(int(wait))
                if 0 < wait < 1:
                    time.sleep(wait)
            except (OSError, http.client.HTTPException, json.JSONDecodeError) as away:
                print(f"the adapter is away: {away}", flush=True)
                time.sleep(RETRY_SECONDS)


def main():
    parser = argparse.ArgumentParser(description="A small office beside a province adapter.")
    parser.add_argument("--url", default="http://127.0.0.1:7780")
    parser.add_argument("--token-file", default="keys/office.token")
    parser.add_argument("--files", default="office.db", help="the office's own database")
    parser.add_argument("--pace-ms", type=int, default=200, help="how long each step takes")
    parser.add_argument("--obedient", action="store_true", help="answer as test cases ask; in a sandbox only")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        Office(parser.parse_args()).work()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
