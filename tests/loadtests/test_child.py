"""Processes of the bench: asked, timed out, ended; and what they used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loadtests.child import ChildError, running
from loadtests.cpu import cpu_s, peak_rss_mb, rss_mb

_PROGRAM = """
import asyncio, sys
from loadtests.commands import obey

async def echo(fields):
    return fields

async def silent(fields):
    return None

async def fail(fields):
    raise RuntimeError("told on stderr")

async def burn(fields):
    sum(range(20_000_000))
    return {}

asyncio.run(obey({"echo": echo, "silent": silent, "fail": fail, "burn": burn}))
"""
ARGV = [sys.executable, "-c", _PROGRAM]


def test_a_child_answers_what_it_is_asked() -> None:
    """Fields go there and come back."""
    with running("echo", ARGV) as child:
        assert {"words": ["a", "b"]} == child.ask("echo", words=["a", "b"])


def test_a_child_that_dies_says_why() -> None:
    """Its stderr is part of the error."""
    with running("failing", ARGV) as child, pytest.raises(ChildError, match="told on stderr"):
        child.ask("fail")


def test_a_child_that_never_gets_ready_says_why() -> None:
    """A program that cannot start must not hang the bench."""
    argv = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with pytest.raises(ChildError, match="no such thing"), running("broken", argv):
        pass


def test_a_child_that_stays_silent_is_given_up() -> None:
    """After the time that was given."""
    with running("silent", ARGV) as child, pytest.raises(ChildError, match="did not answer"):
        child.ask("silent", timeout_s=0.05)


def test_a_child_ends_with_its_block() -> None:
    """Nothing is left behind."""
    with running("echo", ARGV) as child:
        pid = child.pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()


def test_cpu_and_memory_of_a_process_are_read() -> None:
    """Work shows as CPU seconds; a process has memory, and its peak is no less."""
    with running("burning", ARGV) as child:
        before_s = cpu_s(child.pid)
        child.ask("burn")
        assert cpu_s(child.pid) > before_s
        assert 0 < rss_mb(child.pid) <= peak_rss_mb(child.pid)
