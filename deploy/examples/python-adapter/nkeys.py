"""The two things that nats-py asks of the package `nkeys`: read a seed, sign a nonce.

The package itself comes as source only and would have to be built; this keeps the installation to
wheels that are pinned by their digests. The form: base32 of prefix, 32 bytes, CRC-16/XMODEM.
"""

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED = 18 << 3
_USER = 20 << 3


def _checked(body):
    return body + binascii.crc_hqx(body, 0).to_bytes(2, "little")


class KeyPair:
    def __init__(self, seed):
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self):
        body = bytes([_USER]) + self._key.public_key().public_bytes_raw()
        return base64.b32encode(_checked(body)).rstrip(b"=")

    def sign(self, data):
        return self._key.sign(bytes(data))

    def wipe(self):
        """Python cannot forget for certain; the reference goes."""
        self._key = None


def from_seed(text):
    text = bytes(text)
    raw = base64.b32decode(text + b"=" * (-len(text) % 8))
    kind = (raw[0] & 0x07) << 5 | raw[1] >> 3
    if len(raw) != 36 or raw[0] & 0xF8 != _SEED or kind != _USER or _checked(raw[:-2]) != raw:
        raise ValueError("not the seed of a NATS user (SU…)")
    return KeyPair(raw[2:34])
