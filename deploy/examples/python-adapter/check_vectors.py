"""Checks wire.py against the contract's test vectors: `python check_vectors.py FOLDER`. Meets no hub."""

import base64
import json
import sys
from pathlib import Path

import wire


def load(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def check(folder):
    keys = load(folder, "keys.json")
    hub = {keys["hub"]["key_id"]: wire.unb64(keys["hub"]["public"])}
    seal = {keys["seal"]["key_id"]: wire.unb64(keys["seal"]["private"])}
    seed, key_id = wire.unb64(keys["sign"]["private"]), keys["sign"]["key_id"]
    checked = 0
    for vector in load(folder, "work.json")["vectors"] + load(folder, "receipts.json")["vectors"]:
        payload = base64.b64decode(vector["bytes"])
        wire.verify(hub, vector["signature"], payload)
        data = json.loads(payload)["data"]
        if "sealed" in vector:
            personal = wire.open_personal(data, seal)
            assert personal == json.loads(base64.b64decode(vector["sealed"]["plaintext"])), vector["what"]
            moved = dict(data, case="01890a5d-ac96-774b-bcce-000000000000")
            refused(lambda: wire.open_personal(moved, seal), "seal-does-not-open")
        checked += 1
    for vector in load(folder, "reports.json")["vectors"]:
        payload = base64.b64decode(vector["bytes"])
        assert wire.sign(seed, key_id, payload) == vector["signature"], vector["what"]
        event = json.loads(payload)
        assert wire.report_bytes(event["id"], event["time"], event["data"]) == payload, vector["what"]
        checked += 1
    for vector in load(folder, "refused-signatures.json")["vectors"]:
        payload = base64.b64decode(vector["bytes"])
        refused(lambda: wire.verify(hub, vector["signature"], payload), vector["fault"])
        checked += 1
    text = load(folder, "sealed-text.json")
    report = json.loads(base64.b64decode(text["report"]["bytes"]))["data"]
    key, nonce = wire.unb64(text["key"]), wire.unb64(text["nonce"])
    assert wire.seal_text(key, report, text["plaintext"], nonce) == text["sealed"]
    return checked + 1


def refused(call, name):
    try:
        call()
    except wire.Distrust as told:
        assert str(told) == name, f"{told} instead of {name}"
    else:
        raise AssertionError(f"believed what is {name}")


if __name__ == "__main__":
    print(f"{check(Path(sys.argv[1]))} vectors agree")
