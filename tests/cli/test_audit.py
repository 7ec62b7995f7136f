"""`channel-gateway audit`: the trail on a terminal and for a machine."""

from __future__ import annotations

import msgspec
import pytest

from gateway.archive.audit import AuditArchive
from gateway.archive.connection import connect
from gateway.archive.migrations import migrate
from gateway.core.audit import AuditAction, AuditEntry, AuditRecord
from gateway.core.ids import UNROUTED, TenantId
from tests.cli.conftest import CommandLine

NOON_MS = 1_736_942_400_000  # 2025-01-15T12:00:00Z


def entry(number: int, tenant: str = "acme", detail: str = "") -> AuditEntry:
    record = AuditRecord(
        tenant=TenantId(tenant),
        action=AuditAction.EVENT_ROUTED,
        event_id=f"Ev{number}",
        detail=detail,
    )
    return AuditEntry(id=f"e{number}", at_ms=NOON_MS + number, record=record)


@pytest.fixture
async def trail(cli: CommandLine) -> CommandLine:
    """A gateway that has decided five times for acme and once for nobody."""
    async with connect(cli.env["DATABASE_URL"]) as pool:
        await migrate(pool)
        entries = [entry(number) for number in range(5)]
        await AuditArchive(pool).write([*entries, entry(9, UNROUTED, "\x1b[2Jwiped [red]")])
    return cli


async def test_a_search_goes_page_by_page(trail: CommandLine) -> None:
    """The cursor of one page opens the next."""
    search = ("audit", "search", "--tenant", "acme", "--limit", "3", "--json")
    first = (await trail.done(*search)).json
    second = (await trail.done(*search, "--before", first["next"])).json

    assert ["e4", "e3", "e2"] == [found["id"] for found in first["entries"]]
    assert ["e1", "e0"] == [found["id"] for found in second["entries"]]
    assert second["next"] is None


async def test_a_search_narrows_down(trail: CommandLine) -> None:
    """By event and by time."""
    search = ("audit", "search", "--json")
    one = await trail.done(*search, "--event", "Ev3", "--action", "event.routed")
    early = await trail.done(*search, "--until", "2025-01-15T12:00:00.002")
    none = await trail.done(*search, "--since", "1h")

    assert ["e3"] == [found["id"] for found in one.json["entries"]]
    assert ["e1", "e0"] == [found["id"] for found in early.json["entries"]]
    assert [] == none.json["entries"]


async def test_a_person_sees_a_table_and_how_to_go_on(trail: CommandLine) -> None:
    """The cursor is on the error stream, so that a pipe holds records only."""
    found = await trail.done("audit", "search", "--tenant", "acme", "--limit", "1")

    assert "Ev4" in found.out
    assert f"--before {NOON_MS + 4}:e4" in found.err


async def test_the_tail_ends_with_the_newest_one_json_a_line(trail: CommandLine) -> None:
    """As `tail` does."""
    shown = await trail.done("audit", "tail", "--tenant", "acme", "--limit", "2", "--json")

    entries = [msgspec.json.decode(line, type=AuditEntry) for line in shown.out.splitlines()]
    assert [entry(3), entry(4)] == entries


async def test_a_quoted_answer_cannot_steer_the_terminal(trail: CommandLine) -> None:
    """Details may quote what an agent sent."""
    for command in ("tail", "search"):
        shown = await trail.done("audit", command, "--tenant", "_unrouted")

        assert "wiped [red]" in shown.out
        assert "\x1b[2J" not in shown.out


@pytest.mark.parametrize(
    "option",
    [
        ("--before", "yesterday"),
        ("--since", "yesterday"),
        ("--limit", "0"),
        ("--action", "event.lost"),
        ("--tenant", "_nobody"),
    ],
)
async def test_a_wrong_option_is_a_usage_error(cli: CommandLine, option: tuple[str, str]) -> None:
    """Before any store is asked."""
    assert 2 == (await cli("audit", "search", *option)).code
