"""The whole road: Slack's wire on one side, the agent's on the other, the gateway a process."""

from __future__ import annotations

import pytest

from gateway.demo.world import World
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, GLOBEX_TEAM

pytestmark = pytest.mark.e2e


async def test_a_mention_reaches_the_agent_and_the_answer_comes_back_in_its_thread(
    world: World,
) -> None:
    """The road, once, for one message."""
    await world.start_gateway()

    ts = world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "hello there", mention=True)
    answers = await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 1, timeout_s=10)

    assert "*acme*: you said: hello there" == answers[0].text
    assert ts == answers[0].thread_ts
    assert [] == world.agents[GLOBEX].deliveries


async def test_two_teams_with_the_same_ids_never_meet(world: World) -> None:
    """Same channel id, same user id, same ts, at the same moment: each gets its own answer."""
    await world.start_gateway()

    for team, text in ((ACME_TEAM, "from acme"), (GLOBEX_TEAM, "from globex")):
        world.slack.say(team, "C0GENERAL", "U0ANNA", text, ts="1700000000.000100", mention=True)
    to_acme = await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 1, timeout_s=10)
    to_globex = await world.slack.wait_for_bot_messages(GLOBEX_TEAM, "C0GENERAL", 1, timeout_s=10)

    assert ["*acme*: you said: from acme"] == [message.text for message in to_acme]
    assert ["*globex*: you said: from globex"] == [message.text for message in to_globex]
    assert {"acme"} == {each.body["tenant"] for each in world.agents[ACME].deliveries}
    assert {"globex"} == {each.body["tenant"] for each in world.agents[GLOBEX].deliveries}
