"""Reply tokens: short-lived keys that each allow speaking into one conversation of one tenant.

Stateless: a token says what it allows and until when, and is signed. Nothing here knows whether a
tenant asks for one. Must never log a token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Final

import msgspec

from gateway.core.conversations import MAX_CONVERSATION_ID_CHARS
from gateway.core.ids import ConversationId, TenantId

PREFIX: Final = "cgr_"
LABEL: Final = "reply-token"
"""What the key is derived for, so that nothing signed for another purpose is ever a token."""

DEFAULT_LIFETIME_S: Final = 3600
LONGEST_LIFETIME_S: Final = 24 * 3600

_MAC_BYTES: Final = 16
_EXPIRY_BYTES: Final = 8
_HEAD_BYTES: Final = _MAC_BYTES + _EXPIRY_BYTES
# 63 characters of a tenant id and a separator beside the conversation, four for every three bytes.
_MAX_CHARS: Final = len(PREFIX) + 4 * (_HEAD_BYTES + 64 + MAX_CONVERSATION_ID_CHARS + 2) // 3
_SEPARATOR: Final = "\x1f"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """All that a token allows."""

    tenant: TenantId
    conversation: ConversationId


class ScopedTokens:
    """Issues and reads tokens. Whoever has the same key reads what others have issued."""

    def __init__(self, key: bytes, *, lifetime_s: int = DEFAULT_LIFETIME_S) -> None:
        """`key` is the pepper's derivation for LABEL. Raises ValueError for an odd lifetime."""
        if not 1 <= lifetime_s <= LONGEST_LIFETIME_S:
            raise ValueError(f"lifetime_s must be 1-{LONGEST_LIFETIME_S}")
        self._key = key
        self._lifetime_s = lifetime_s

    def __repr__(self) -> str:
        """Keep the key out of logs and tracebacks."""
        return f"ScopedTokens(lifetime_s={self._lifetime_s})"

    def issue(self, tenant: TenantId, conversation: ConversationId, now: datetime) -> str:
        """Make a token of URL-safe characters that is good from `now` on for the lifetime."""
        expires_s = int(now.timestamp()) + self._lifetime_s
        content = expires_s.to_bytes(_EXPIRY_BYTES, "big") + (
            f"{tenant}{_SEPARATOR}{conversation}".encode()
        )
        packed = base64.urlsafe_b64encode(self._mac(content) + content)
        return PREFIX + packed.decode().rstrip("=")

    def read(self, token: str, now: datetime) -> Scope | None:
        """Tell what `token` allows; None when it is none of ours, or not any more. Never raises."""
        raw = _unpacked(token)
        if raw is None:
            return None
        mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        # Signature first: nothing of what is not ours is looked at.
        if not hmac.compare_digest(mac, self._mac(content)):
            return None
        if int.from_bytes(content[:_EXPIRY_BYTES], "big") <= now.timestamp():
            return None
        tenant, _, conversation = content[_EXPIRY_BYTES:].decode().partition(_SEPARATOR)
        return Scope(tenant=TenantId(tenant), conversation=ConversationId(conversation))

    def _mac(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, hashlib.sha256)[:_MAC_BYTES]


def _unpacked(token: str) -> bytes | None:
    if not token.startswith(PREFIX) or len(token) > _MAX_CHARS or not token.isascii():
        return None
    text = token.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    return raw if len(raw) > _HEAD_BYTES else None
