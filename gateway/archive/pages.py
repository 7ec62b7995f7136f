"""How the audit archive is asked, and what it answers. Needs no database to be loaded."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from gateway.core.audit import AuditAction, AuditEntry
from gateway.core.ids import TenantId

MAX_PAGE = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MS: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_DIGITS: Final = re.compile(r"[0-9]{1,15}")


class AuditCursor(msgspec.Struct, frozen=True, order=True):
    """A place between two entries. Its text form is `at_ms:id`."""

    at_ms: int
    id: str

    def __str__(self) -> str:
        return f"{self.at_ms}:{self.id}"

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditCursor:
        """Name the place of an entry."""
        return cls(entry.at_ms, entry.id)

    @classmethod
    def parse(cls, text: str) -> AuditCursor:
        """Read the text form back. Raises ValueError."""
        at_ms, colon, entry_id = text.partition(":")
        if not (_DIGITS.fullmatch(at_ms) and int(at_ms) <= _MAX_MS and colon and entry_id):
            raise ValueError("a cursor is the `next` of an earlier page")
        return cls(int(at_ms), entry_id)


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: all that is set must hold. `since` is included, `until` is not."""

    tenant: TenantId | None = None
    action: AuditAction | None = None
    event_id: str | None = None
    delivery_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries in the order asked for; `next` is where the following page begins, if any."""

    entries: tuple[AuditEntry, ...]
    next: AuditCursor | None


def moment(at_ms: int) -> datetime:
    """Return the aware moment of so many Unix ms, exactly."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def unix_ms(at: datetime) -> int:
    """Return an aware moment in whole Unix ms."""
    return (at - _EPOCH) // timedelta(milliseconds=1)
