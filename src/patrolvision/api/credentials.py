"""Passwords, session tokens and API keys: how they are made, hashed and compared.

Passwords are hashed with scrypt (RFC 7914; N = 2^15, r = 8, p = 1: 32 MiB and about 0.1 s each), as
many at once as there are places, so that a flood of log-ins fills no memory. Tokens and keys carry
256 random bits; of them the SHA-256 is enough.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import unicodedata

from patrolvision.errors import CallError

COST_LOG2, BLOCK, PARALLEL = 15, 8, 1
MIN_PASSWORD, MAX_PASSWORD = 10, 1024
NAME = re.compile(r"[\w.@-]{1,64}")
KEY = re.compile(r"pvk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_places = threading.BoundedSemaphore(2)


def account_name(text: str) -> str:
    """The one spelling of an account's name; CallError if it cannot be one."""
    name = unicodedata.normalize("NFKC", text).strip().casefold()
    if not NAME.fullmatch(name):
        raise CallError("name: expected 1 to 64 letters, digits or . _ @ - in one word")
    return name


def check_password(password: str, name: str) -> None:
    """CallError for a password that is too short, too long or the name itself."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise CallError(f"password: expected {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    if password.casefold() == name:
        raise CallError("password: must not be the name")


def password_hash(password: str, salt: bytes | None = None) -> str:
    """scrypt$log2 N$r$p$salt$hash of a password."""
    salt = salt or secrets.token_bytes(16)
    digest = _scrypt(password, salt, COST_LOG2, BLOCK, PARALLEL)
    parts = [base64.b64encode(part).decode() for part in (salt, digest)]
    return "$".join(["scrypt", str(COST_LOG2), str(BLOCK), str(PARALLEL), *parts])


def is_password(password: str, stored: str | None) -> bool:
    """Whether a password has the stored hash; takes as long for None, which nothing has."""
    kind, log2, r, p, salt, digest = (stored or _nobody()).split("$")
    known = base64.b64decode(digest)
    found = _scrypt(password[:MAX_PASSWORD], base64.b64decode(salt), int(log2), int(r), int(p))
    return hmac.compare_digest(found, known) and stored is not None and kind == "scrypt"


def _nobody() -> str:
    """A hash at today's cost that no password has."""
    zeros = [base64.b64encode(b"\0" * size).decode() for size in (16, 32)]
    return "$".join(["scrypt", str(COST_LOG2), str(BLOCK), str(PARALLEL), *zeros])


def _scrypt(password: str, salt: bytes, log2: int, r: int, p: int) -> bytes:
    text = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    with _places:
        return hashlib.scrypt(text, salt=salt, n=1 << log2, r=r, p=p, maxmem=1 << 27, dklen=32)


def new_token() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def sha256(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def new_key() -> tuple[str, str, str]:
    """A key's id, the whole key for its owner, and the hash of its secret for the store."""
    key_id, secret = secrets.token_hex(6), new_token()
    return key_id, f"pvk_{key_id}_{secret}", sha256(secret)


def split_key(key: str) -> tuple[str, str] | None:
    """Id and secret of a key; None if it does not look like one."""
    found = KEY.fullmatch(key)
    return None if found is None else (found[1], found[2])
