"""The contract's mathematics: signatures, seals and envelopes, as wire.md tells them. Nothing here has a memory."""

import base64
import hashlib
import hmac
import json
import os
import re
from datetime import datetime, timezone

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PAYLOAD_BYTES_MAX = 32 * 1024
SIGNATURE_BYTES_MAX = 512
SEALED_TEXT_CHARACTERS_MAX = 8 * 1024
HPKE = "hpke-x25519-hkdf-sha256-aes256gcm"
PREFIX = "cn.gov.mot.hub."
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
WORK_KINDS = ("case", "correction", "withdrawal")


class Distrust(Exception):
    """A message that is not believed. The text is its stable name; it repeats nothing of the message."""


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    """Strict: what is not base64url without padding is an error, not a guess."""
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- signatures: detached JWS (RFC 7515, appendix F), Ed25519 -----------------------------------


def sign(seed, key_id, payload, typ="hub-report+ce"):
    header = json.dumps({"alg": "EdDSA", "kid": key_id, "typ": typ}, separators=(",", ":"))
    header = b64(header.encode())
    signed = Ed25519PrivateKey.from_private_bytes(seed).sign(f"{header}.{b64(payload)}".encode())
    return f"{header}..{b64(signed)}"


def verify(hub_keys, jws, payload, typ="hub-work+ce"):
    """`hub_keys` maps key ids to public keys. The register decides the algorithm, never the message."""
    if not jws:
        raise Distrust("unsigned")
    try:
        if len(jws) > SIGNATURE_BYTES_MAX:
            raise ValueError
        encoded, signature = jws.split("..")
        header = json.loads(unb64(encoded))
        signature = unb64(signature)
        if set(header) != {"alg", "kid", "typ"}:
            raise ValueError
    except (ValueError, TypeError):
        raise Distrust("bad-signature") from None
    if header["kid"] not in hub_keys:
        raise Distrust("unknown-key")
    if header["alg"] != "EdDSA" or header["typ"] != typ:
        raise Distrust("bad-signature")
    try:
        key = Ed25519PublicKey.from_public_bytes(hub_keys[header["kid"]])
        key.verify(signature, f"{encoded}.{b64(payload)}".encode())
    except InvalidSignature:
        raise Distrust("bad-signature") from None


# --- seals: HPKE (RFC 9180), base mode, single shot ---------------------------------------------

_KEM = b"KEM\x00\x20"  # DHKEM(X25519, HKDF-SHA256)
_SUITE = b"HPKE\x00\x20\x00\x01\x00\x02"  # with HKDF-SHA256 and AES-256-GCM


def _hmac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def _extract(suite, salt, label, material):
    return _hmac(salt or bytes(32), b"HPKE-v1" + suite + label + material)


def _expand(suite, key, label, info, length):
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = _hmac(key, block + labelled + bytes([counter]))
        out, counter = out + block, counter + 1
    return out[:length]


def hpke_open(private, encapsulated, info, associated, ciphertext):
    key = X25519PrivateKey.from_private_bytes(private)
    shared = key.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    context = encapsulated + key.public_key().public_bytes_raw()
    shared = _extract(_KEM, b"", b"eae_prk", shared)
    shared = _expand(_KEM, shared, b"shared_secret", context, 32)
    schedule = b"\x00" + _extract(_SUITE, b"", b"psk_id_hash", b"")
    schedule += _extract(_SUITE, b"", b"info_hash", info)
    secret = _extract(_SUITE, shared, b"secret", b"")
    aead = AESGCM(_expand(_SUITE, secret, b"key", schedule, 32))
    return aead.decrypt(_expand(_SUITE, secret, b"base_nonce", schedule, 12), ciphertext, associated)


def open_personal(work, seal_keys):
    """The personal part of `work`; None if it has none. `seal_keys` maps key ids to private keys."""
    sealed = work.get("sealed")
    if sealed is None:
        if work["kind"] != "withdrawal":
            raise Distrust("personal-part-missing")
        return None
    context = " ".join(["work", *(work[it] for it in ("origin", "province", "kind", "case", "request"))])
    try:
        if sealed["algorithm"] != HPKE:
            raise ValueError
        parts = unb64(sealed["encapsulated"]), unb64(sealed["ciphertext"])
        private = seal_keys[sealed["key_id"]]
        plain = hpke_open(private, parts[0], HPKE.encode(), context.encode(), parts[1])
        personal = json.loads(plain)
        if len(unb64(personal["reply_key"])) != 32 or not isinstance(personal["applicant"], dict):
            raise ValueError
        return personal
    except (KeyError, TypeError, ValueError, InvalidTag):
        raise Distrust("seal-does-not-open") from None


def seal_text(reply_key, report, text, nonce=None):
    """Text for the applicant. The nonce is drawn here; only the test vectors give one."""
    nonce = nonce or os.urandom(12)
    context = f"text {report['origin']} {report['province']} {report['case']} {report['number']}"
    sealed = b"\x01" + nonce + AESGCM(reply_key).encrypt(nonce, text.encode(), context.encode())
    return b64(sealed)


# --- envelopes ----------------------------------------------------------------------------------


def read(payload, signature, identity):
    """(kind, data) of a message of the hub that is whole, the hub's, and for us; else `Distrust`."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Distrust("too-large")
    verify(identity.hub_keys, signature, payload)
    try:
        event = json.loads(payload)
        data, kind = event["data"], event["type"].removeprefix(PREFIX).removesuffix(".v1")
        if event["specversion"] != "1.0" or not event["type"].startswith(PREFIX):
            raise ValueError
        expected = "receipts" if kind == "receipts" else "work." + data["kind"]
        known = kind == "receipts" or data["kind"] in WORK_KINDS
        if kind != expected or not known or not isinstance(data["epoch"], int):
            raise ValueError
        province, origin = data["province"], data["origin"]
        # What is kept and repeated must be what it says: a UUID, a fingerprint.
        if kind == "receipts":
            named = [it[name] for it in data["receipts"] for name in ("report", "case")]
        else:
            named = [data["case"], data["request"]]
            if not re.fullmatch(r"[0-9a-f]{64}", data["digest"]):
                raise ValueError
        if not all(re.fullmatch(UUID, it) for it in named):
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Distrust("unreadable") from None
    if province != identity.province:
        raise Distrust("wrong-province")
    if origin != identity.origin:
        raise Distrust("wrong-origin")
    return kind.removeprefix("work."), data


def report_bytes(report_id, moment, data):
    """The bytes of a report. Written once; stored, signed and sent as they are."""
    event = {
        "specversion": "1.0",
        "id": report_id,
        "source": f"province:{data['province']}",
        "type": f"{PREFIX}report.{data['news']['kind']}.v1",
        "subject": f"case-{data['case']}",
        "time": moment,
        "datacontenttype": "application/json",
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def moment_of(milliseconds):
    moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
