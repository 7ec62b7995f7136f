"""How arguments are read: ids, durations, moments, rates. A wrong one ends with exit code 2."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar

import typer

from gateway.archive.pages import AuditCursor
from gateway.core.clock import utc_now
from gateway.core.ids import UNROUTED, AgentId, TenantId, parse_agent_id, parse_tenant_id

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"([0-9]{1,7})([smhd])")
_RATE: Final = re.compile(r"([0-9]{1,9})(?:/min)?")

_T = TypeVar("_T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]
TenantArgument = Annotated[str, typer.Argument(metavar="TENANT", help="Id of the tenant.")]


def tenant_id(text: str) -> TenantId:
    """Read a tenant's id."""
    return _read(parse_tenant_id, text)


def agent_id(text: str) -> AgentId:
    """Read an agent's id."""
    return _read(parse_agent_id, text)


def audited_tenant(text: str) -> TenantId:
    """Read whose records are meant: a tenant's, or `_unrouted` for those that were nobody's."""
    return UNROUTED if text == UNROUTED else tenant_id(text)


def cursor(text: str) -> AuditCursor:
    """Read the `next` of an earlier page."""
    return _read(AuditCursor.parse, text)


def duration(text: str) -> timedelta:
    """Read `90s`, `30m`, `24h`, `7d` or `0`."""
    if text == "0":
        return timedelta(0)
    found = _DURATION.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration: say 30m, 24h, 7d or 0")
    return timedelta(seconds=int(found[1]) * _UNITS_S[found[2]])


def moment(text: str) -> datetime:
    """Read an ISO 8601 moment (UTC unless it names an offset), or a duration ago."""
    if _DURATION.fullmatch(text):
        return utc_now() - duration(text)
    found = _read(datetime.fromisoformat, text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def per_minute(text: str) -> int:
    """Read `600/min` or `600`."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no rate: say 600/min")
    return int(found[1])


def assignment(text: str) -> tuple[str, str]:
    """Read `name=value`."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise typer.BadParameter(f"{text!r} must be name=value")
    return name, value


def _read(parse: Callable[[str], _T], text: str) -> _T:
    try:
        return parse(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
