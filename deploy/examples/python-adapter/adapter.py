"""A province's adapter in Python, written from schemas/v1 alone: wire.md, asyncapi.yaml, the schemas, the vectors.

    python adapter.py [--office obedient|prompt] FOLDER     (the folder holds sandbox.json; see README.md)

It verifies, opens, makes durable, then acknowledges; it sends each report until the hub has signed for it.
"""

import argparse
import asyncio
import fcntl
import json
import logging
import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path

import nats

import wire
from office import OFFICES
from store import Store, now_ms

ADAPTER = "python-example/1.0"
PULL_BATCH = 64
PULL_EXPIRES_S = 5.0
HEARTBEAT_S = 1.0
SILENCE_MAX_S = 3.5
PUBLISH_TIMEOUT_S = 5.0
TICK_S = 0.5
RECONNECT_WAIT_MAX_S = 8.0

log = logging.getLogger("adapter")


@dataclass
class Identity:
    origin: str
    province: str
    sign_seed: bytes
    sign_key_id: str
    seal_keys: dict
    hub_keys: dict
    adapter: str = ADAPTER


class Settings:
    """`sandbox.json` of conformance.md, which a real province's bundle can be written as, too."""

    def __init__(self, folder):
        told = json.loads((folder / "sandbox.json").read_text(encoding="utf-8"))
        keys, broker = told["keys"], told["broker"]

        def secret(name):
            return (folder / name).read_text(encoding="ascii").strip()

        self.identity = Identity(
            told["origin"],
            told["province"],
            wire.unb64(secret(keys["sign_key_file"])),
            keys["sign_key_id"],
            {keys["seal_key_id"]: wire.unb64(secret(keys["seal_key_file"]))},
            {keys["hub_key_id"]: wire.unb64(keys["hub_public_key"])},
        )
        self.urls, self.nkey_seed = broker["urls"], secret(broker["nkey_seed_file"])
        self.inbox_prefix, self.report_subject = broker["inbox_prefix"], broker["report_subject"]
        self.pull_subject = f"{broker['api_prefix']}.CONSUMER.MSG.NEXT.{broker['stream']}.{broker['consumer']}"
        self.resend_after_ms = told["pace"]["resend_after_ms"]
        self.state = folder / told["state_dir"]


class Adapter:
    def __init__(self, settings, office):
        self.settings, self.office = settings, office
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Two adapters on one store would use numbers twice; the lock goes when the process goes.
        self.lock = open(settings.state / "lock", "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.store = Store(settings.state / "adapter.db", settings.identity, settings.resend_after_ms)
        self.wake = asyncio.Event()

    async def run(self):
        """Connects, works, and connects again, for ever."""
        tries = 0
        while True:
            try:
                connection = await self._connect()
                tries = 0
                await self._serve(connection)
            except (OSError, asyncio.TimeoutError, nats.errors.Error) as error:
                log.warning("not connected: %s", type(error).__name__)
            tries += 1
            wait = min(0.1 * 2 ** min(tries, 8), RECONNECT_WAIT_MAX_S)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))

    async def _connect(self):
        async def note(error):
            # A refused permission is told only here.
            log.warning("the broker says: %s", error)

        connection = await nats.connect(
            self.settings.urls,
            nkeys_seed_str=self.settings.nkey_seed,
            inbox_prefix=self.settings.inbox_prefix,
            error_cb=note,
            # We connect anew ourselves: a connection made anew begins with a new pull.
            allow_reconnect=False,
            connect_timeout=5,
            ping_interval=10,
            max_outstanding_pings=2,
        )
        log.info("connected")
        return connection

    async def _serve(self, connection):
        parts = [asyncio.create_task(it(connection)) for it in (self._receive, self._send)]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for it in done:
                it.result()
        finally:
            for it in parts:
                it.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            await connection.close()

    # --- receiving ---

    async def _receive(self, connection):
        """One pull waits at any time. Silence longer than the heartbeat means that nobody remembers it."""
        arrived = asyncio.Queue()

        async def put(message):
            await arrived.put(message)

        inbox = connection.new_inbox()
        await connection.subscribe(inbox, cb=put)
        ends_at, left = 0.0, 0
        loop = asyncio.get_running_loop()
        while not connection.is_closed:
            if left <= 0 or loop.time() >= ends_at:
                left, ends_at = PULL_BATCH, loop.time() + PULL_EXPIRES_S
                pull = {"batch": left, "expires": int(PULL_EXPIRES_S * 1e9), "idle_heartbeat": int(HEARTBEAT_S * 1e9)}
                await connection.publish(self.settings.pull_subject, json.dumps(pull).encode(), reply=inbox)
            try:
                first = await asyncio.wait_for(arrived.get(), SILENCE_MAX_S)
            except asyncio.TimeoutError:
                left = 0
                continue
            batch = [first]
            while not arrived.empty():
                batch.append(arrived.get_nowait())
            work = [it for it in batch if not _is_status(it)]
            # 404, 408 and 409 end the pull, 100 is a heartbeat; neither is work.
            if any(_is_status(it) and it.headers["Status"] != "100" for it in batch):
                left = 0
                await asyncio.sleep(0.05)
            left -= len(work)
            await self._take_in(work)

    async def _take_in(self, messages):
        """Believe it or not, make it durable, and only then acknowledge."""
        believed = []
        for message in messages:
            headers = message.headers or {}
            try:
                kind, data = wire.read(message.data, headers.get("Signature"), self.settings.identity)
                personal = None if kind == "receipts" else wire.open_personal(data, self.settings.identity.seal_keys)
                fresh = message.metadata.num_delivered == 1
                believed.append((message, (kind, data, personal, message.data, headers["Signature"], fresh)))
            except wire.Distrust as why:
                log.warning("refused a message: %s", why)
                self.store.count(str(why))
                await message.term()
        if not believed:
            return
        verdicts = self.store.take_in([it for _, it in believed], self.office)
        for (message, (kind, data, *_)), verdict in zip(believed, verdicts):
            if verdict == "stale-epoch":
                await message.term()
            else:
                await message.ack()
            if verdict == "new":
                log.info("took in %s of case %s", kind, data["case"])
        self.wake.set()

    # --- sending ---

    async def _send(self, connection):
        while not connection.is_closed:
            self.wake.clear()
            told = self.store.tell_due_answers()
            due = self.store.claim_due()
            if due:
                # In the order of the numbers; the answers are awaited together.
                taken = await asyncio.gather(*(self._publish(connection, *it) for it in due))
                self.store.not_taken([row for row, fine in taken if not fine])
            if told or due:
                continue
            next_ms = self.store.next_due_ms()
            wait = TICK_S if next_ms is None else min(max((next_ms - now_ms()) / 1000, 0.001), TICK_S)
            try:
                await asyncio.wait_for(self.wake.wait(), wait)
            except asyncio.TimeoutError:
                pass

    async def _publish(self, connection, row, message_id, kind, body, signature):
        """Whether the broker has it. That ends nothing: only the hub's receipt does."""
        headers = {
            "Signature": signature,
            "Nats-Msg-Id": message_id,
            "Content-Type": "application/cloudevents+json",
        }
        subject = f"{self.settings.report_subject}.{kind}"
        try:
            answer = await connection.request(subject, body, timeout=PUBLISH_TIMEOUT_S, headers=headers)
            return row, "error" not in json.loads(answer.data)
        except (nats.errors.Error, asyncio.TimeoutError, OSError, ValueError) as error:
            log.info("the broker did not take report %s: %s", message_id, type(error).__name__)
            return row, False


def _is_status(message):
    return not message.data and "Status" in (message.headers or {})


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=os.environ.get("HUB_SANDBOX", "."), type=Path)
    parser.add_argument("--office", choices=sorted(OFFICES), default="obedient")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = Settings(given.folder)
    if given.office == "obedient" and not settings.identity.origin.startswith("sandbox."):
        parser.error("the obedient office is for sandboxes only; try --office prompt")
    running = asyncio.ensure_future(Adapter(settings, OFFICES[given.office]).run())
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        log.info("stopped")


if __name__ == "__main__":
    asyncio.run(main())
