"""What OpenClaw is told without being asked, and whom it lets in."""

from __future__ import annotations

import re

import pytest

from tests.openclaw.platforms import BEN
from tests.openclaw.program import PATIENCE_S
from tests.openclaw.stage import Stage
from tests.support.waiting import eventually

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(600, func_only=True)]


async def test_edits_and_reactions_are_told_with_the_next_turn(stage: Stage) -> None:
    """They begin none of their own."""
    place = stage.direct()
    asked = stage.side.say(place, "do:echo meet at noon")
    await stage.answer(place, lambda each: "meet at noon" in each.text)
    await stage.settled()
    asked_before, received_before = len(stage.model.prompts), stage.acme.received()
    stage.side.change(place, asked, "meet at one")
    stage.side.react(place, asked, "eyes")
    both = received_before + 2
    await eventually(lambda: stage.acme.received() >= both, timeout_s=PATIENCE_S)
    await stage.settled()
    between = len(stage.model.prompts) - asked_before
    stage.side.say(place, "do:recall meet at one")
    seen = await stage.answer(place, lambda each: "meet at one: " in each.text)
    told = str(stage.model.prompts[-1])

    assert 0 == between
    assert "meet at one: 0" != seen.text
    assert f"changed message {asked} to: meet at one" in told
    assert re.search(rf"reacted with \S+ to message {asked}", told)


async def test_a_stranger_is_let_in_by_pairing(stage: Stage) -> None:
    """A code for them, a command for the operator; what they said meanwhile runs no turn."""
    place, bens = stage.direct(), stage.direct()
    stage.acme.configure(dmPolicy="pairing", allowFrom=[f"slack:{place.workspace}:U0ANNA"])
    await stage.acme.reloaded()
    stage.side.say(bens, "do:echo let me in", user=BEN)
    told = await stage.answer(bens, lambda each: "pairing approve aegis" in each.text)
    [code] = re.findall(r"pairing approve aegis (\S+)", told.text)
    await stage.acme.cli("pairing", "approve", "aegis", code)
    stage.side.say(bens, "do:echo here I am", user=BEN)
    await stage.answer(bens, lambda each: "here I am" in each.text)
    await stage.settled()
    stage.acme.configure(dmPolicy="open", allowFrom=["*"])
    await stage.acme.reloaded()

    assert f"slack:{bens.workspace}:{BEN}" in told.text
    assert 0 == stage.model.asked("let me in")
    assert 1 == stage.model.asked("here I am")
