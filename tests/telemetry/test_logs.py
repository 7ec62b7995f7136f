"""Log lines: JSON for machines, and no secret in any of them."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from select import PIPE_BUF

import pytest

from gateway.telemetry.logs import Lines, render

SECRETS = {
    "app token": "xapp-1-A0AAAA-123-0a1b2c",
    "bot token": "xoxb-1234-5678-AbCdEf",
    "user token": "xoxp-1234-AbCdEf",
    "refresh token": "xoxe-1-AbCdEf",
    "rotated bot token": "xoxe.xoxb-1-AbCd.Ef-gh",
    "agent key": "cgk_Ab-Cd_Ef-0123",
    "signing secret": "whsec_Ab+Cd/Ef0123==",
}


def _redacted(value: object) -> object:
    written: object = json.loads(render(None, "info", {"event": "x", "value": value}))["value"]
    return written


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(
    "around", ["{}", "token={}", "'{}',", 'header "{}" refused', "cannot use {}: gone\nand more"]
)
def test_a_secret_is_cut_out_whole(secret: str, around: str) -> None:
    """Wherever it stands in a text, and to its last character."""
    assert around.format("[secret]") == _redacted(around.format(secret))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [secret]"),
        ("authorization: bearer abc.def-123", "authorization: bearer [secret]"),
        ("redis://user:pw@host:6379/0", "redis://[secret]@host:6379/0"),
        ("redis://:pw@host:6379/0", "redis://[secret]@host:6379/0"),
        ("postgresql://u:p@ss@host/db", "postgresql://[secret]@host/db"),
        (
            "ws://127.0.0.1/link/?ticket=1 then https://u:p@h/",
            "ws://127.0.0.1/link/?ticket=1 then https://[secret]@h/",
        ),
    ],
)
def test_what_carries_a_secret_keeps_its_place(text: str, expected: str) -> None:
    """The host and the kind of header are what an operator needs."""
    assert expected == _redacted(text)


@pytest.mark.parametrize(
    "value",
    [
        "slack:T0AAAA:C0AAAA:1700000000.000100",
        "the box is open, ask anna@example.com",
        "https://slack.com/api/chat.postMessage",
        "",
        3,
        2.5,
        True,
        None,
    ],
)
def test_everything_else_stays_as_it_is(value: object) -> None:
    """Numbers stay numbers; ids and addresses are no secrets."""
    assert value == _redacted(value)


def test_a_secret_deep_inside_is_found() -> None:
    """Lists, dictionaries and exceptions are written as text too."""
    secret = "xoxb-1-abc"
    value = {"a": [1, (secret, {"b": secret})], "c": ValueError(f"bad {secret}"), "d": b"xoxb-1"}

    expected = {
        "a": [1, ["[secret]", {"b": "[secret]"}]],
        "c": "bad [secret]",
        "d": "b'[secret]'",
    }
    assert expected == _redacted(value)


_PROGRAM = """
import logging
import structlog
from gateway.telemetry.logs import configure_logs, wide_event

configure_logs("info")
log = structlog.get_logger()
log.debug("hidden")
wide_event("event.handled", tenant_id="acme", took_s=0.5, token="xoxb-1-abc", kind=object)
try:
    raise ValueError("cannot use xapp-1-abc")
except ValueError:
    log.exception("worker.failed", worker="bridge")
    logging.getLogger("adapters").exception("took %s", "cgk_ab-cd")
log.warning("odd", text="half \\udc80 pair", number=10**30)
logging.getLogger("aiohttp").info("hidden too")
logging.getLogger("aiohttp").warning("said %d times", 2)
"""


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """What a process of its own writes: configuring logs changes the whole process."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert "" == done.stdout
    return done.stderr.splitlines()


def test_every_line_is_one_json_object(lines: list[str]) -> None:
    """Structlog's and the standard library's alike, with level, time and event."""
    entries = [json.loads(line) for line in lines]

    assert ["event.handled", "worker.failed", "took [secret]", "odd", "said 2 times"] == [
        entry["event"] for entry in entries
    ]
    assert ["info", "error", "error", "warning", "warning"] == [entry["level"] for entry in entries]
    assert [] == [entry for entry in entries if not entry["timestamp"].endswith("Z")]


def test_fields_keep_their_types(lines: list[str]) -> None:
    """A wide event can be computed with; what JSON does not know becomes text."""
    entry = json.loads(lines[0])

    assert ("acme", 0.5, "[secret]", "<class 'object'>") == (
        entry["tenant_id"],
        entry["took_s"],
        entry["token"],
        entry["kind"],
    )


def test_tracebacks_are_there_without_their_secrets(lines: list[str]) -> None:
    """Of both kinds of loggers: the text of an exception is where secrets ride in."""
    for entry in (json.loads(lines[1]), json.loads(lines[2])):
        assert "ValueError: cannot use [secret]" in entry["exception"]
    assert [] == [line for line in lines if "xapp-" in line or "xoxb-" in line or "cgk_" in line]


_IN_A_LOOP = """
import asyncio
import structlog
from gateway.telemetry.logs import configure_logs, wide_event

configure_logs("{level}")
log = structlog.get_logger()

async def first():
    wide_event("wide", number=1)
    wide_event("wide", number=2)
    log.warning("odd", number=3)
    wide_event("wide", number=4)

async def second():
    wide_event("wide", number=5)

asyncio.run(first())
asyncio.run(second())
wide_event("wide", number=6)
"""


@pytest.mark.parametrize(
    ("level", "expected"), [("info", [1, 2, 3, 4, 5, 6]), ("warning", [3]), ("error", [])]
)
def test_wide_events_keep_their_place_and_their_level(level: str, expected: list[int]) -> None:
    """Among other lines, from one loop to the next, and to the end of the process."""
    program = _IN_A_LOOP.format(level=level)
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )

    assert expected == [json.loads(line)["number"] for line in done.stderr.splitlines()]


class _Pipe(io.StringIO):
    """Counts what each write of a real file costs: a call of the system."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return len(text)


async def test_lines_of_one_turn_leave_as_one_write() -> None:
    """A slow reader of the log holds the loop up once per turn, not once per message."""
    pipe = _Pipe()
    lines = Lines(pipe)
    for text in ("a\n", "b\n"):
        lines.write(text)
        lines.flush_soon()
    assert [] == pipe.writes

    await asyncio.sleep(0)
    lines.write("c\n")
    lines.flush_soon()
    await asyncio.sleep(0)
    assert ["a\nb\n", "c\n"] == pipe.writes


async def test_a_write_is_no_larger_than_a_pipe_takes_at_once() -> None:
    """Several processes may share it, and a line must not end in the middle of another's."""
    pipe = _Pipe()
    lines = Lines(pipe)
    written = [f"{letter * 1000}\n" for letter in "aä" * 3]
    for line in written:
        lines.write(line)
    lines.flush()

    assert "".join(written) == "".join(pipe.writes)
    assert 1 < len(pipe.writes) < len(written)
    assert [] == [text for text in pipe.writes if len(text.encode()) > PIPE_BUF]
