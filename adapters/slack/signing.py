"""Whether a request is Slack's own, sent just now and for the first time. Knows no HTTP server.

https://docs.slack.dev/authentication/verifying-requests-from-slack/
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

WINDOW_S: Final = 300.0
"""How far the time of a request may be from ours, in either direction."""

MOST_REMEMBERED: Final = 100_000
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


class Refusal(StrEnum):
    """Why a request is not let in. Closed: it is a metric label."""

    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    REPLAYED = "replayed"


class Signing:
    """Verifies requests against the app's signing secrets: several while one is replaced."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)

    def refusal(
        self, timestamp: str, signature: str, body: bytes, *, now_s: float
    ) -> Refusal | None:
        """Say why the request is not let in, None when it is genuine. `body` is as it came."""
        if not _TIMESTAMP.fullmatch(timestamp):
            return Refusal.BAD_SIGNATURE
        base = b"v0:" + timestamp.encode() + b":" + body
        given = signature.encode(errors="replace")
        # Each is compared, so that the time tells nothing of which one fits.
        fits = [hmac.compare_digest(_sign(secret, base), given) for secret in self._secrets]
        if not any(fits):
            return Refusal.BAD_SIGNATURE
        return Refusal.STALE if abs(now_s - int(timestamp)) > WINDOW_S else None


class Seen:
    """The signatures of requests that were taken in, for as long as they could be used again.

    Of this process only, and of no more than `most`: a request that another replica has had, or
    that has been forgotten, meets the store, which knows the ids of events. What failed has to be
    forgotten: Slack repeats it at once, within the same second under the same signature.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._until_s: OrderedDict[bytes, float] = OrderedDict()

    def enter(self, signature: str, *, now_s: float) -> bool:
        """Remember a genuine request; False when it is known."""
        name = _name(signature)
        if self._until_s.get(name, 0.0) > now_s:
            return False
        self._make_room(now_s)
        # Twice the window: a request may be dated as far into the future as into the past.
        self._until_s[name] = now_s + 2 * WINDOW_S
        return True

    def forget(self, signature: str) -> None:
        """Let a request come again, which could not be taken in."""
        self._until_s.pop(_name(signature), None)

    def _make_room(self, now_s: float) -> None:
        while self._until_s:
            oldest = next(iter(self._until_s))
            if self._until_s[oldest] > now_s and len(self._until_s) < self._most:
                return
            del self._until_s[oldest]


def _sign(secret: bytes, base: bytes) -> bytes:
    return b"v0=" + hmac.new(secret, base, hashlib.sha256).hexdigest().encode()


def _name(signature: str) -> bytes:
    return hashlib.blake2b(signature.encode(errors="replace"), digest_size=16).digest()
