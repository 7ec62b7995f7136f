"""What goes wrong between the gateway and OpenClaw, and that people do not notice."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from plugin_bridge.bridge import sign
from tests.openclaw.platforms import BEN, Place
from tests.openclaw.program import EVENTS, PATIENCE_S
from tests.openclaw.relay import open_relay
from tests.openclaw.stage import Stage
from tests.support.waiting import eventually
from tests.support.worlds import ACME, GLOBEX, GLOBEX_TEAM

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(600, func_only=True)]

SEND = "POST /v1/messages"


def ends(stage: Stage, place: Place, words: str) -> list[str]:
    """The whole answers that stand there."""
    return [each.text for each in stage.side.seen(place) if words in each.text]


async def test_messages_during_a_turn_are_all_answered_in_order(stage: Stage) -> None:
    """Turns that begin when the request that brought them is long over do not die with it."""
    place = stage.direct()
    stage.side.say(place, "do:slow 15 first")
    for number in range(4):
        # Two sockets may bring two messages in any order.
        await stage.world.slack.settled(timeout_s=PATIENCE_S)
        stage.side.say(place, f"do:echo question {number}")
    await stage.answer(place, lambda each: "question 3" in each.text)
    await stage.settled()

    texts = [each.text for each in stage.side.seen(place)]
    assert texts[0].endswith("end of 15 first")
    assert [f"You said: question {number}" for number in range(4)] == texts[1:]


async def test_an_answer_survives_the_gateways_restart(stage: Stage) -> None:
    """It dies while the model speaks, and comes back after the model is done: one answer."""
    place = stage.channel()
    stage.side.say(place, "do:slow 20 despite a restart")
    await stage.answer(place, lambda each: "word3" in each.text)
    await stage.restart_gateway()
    await stage.answer(place, lambda each: "end of 20" in each.text)
    await stage.settled()

    assert 1 == len(ends(stage, place, "end of 20"))


async def test_an_answer_waits_for_a_gateway_that_is_away(stage: Stage) -> None:
    """OpenClaw keeps it and tries again."""
    place = stage.direct()
    stage.side.say(place, "do:slow 20 while nobody listens")
    await stage.answer(place, lambda each: "word3" in each.text)
    await stage.world.gateway.kill()
    running = stage.model.prompts
    assert running
    await stage.model.finished()
    await stage.start_gateway()
    await stage.answer(place, lambda each: "end of 20" in each.text)
    await stage.settled()

    assert 1 == len(ends(stage, place, "end of 20"))


async def test_a_question_survives_the_death_of_openclaw(stage: Stage) -> None:
    """Killed in the middle of a turn: one answer after its restart, and no preview left behind."""
    place = stage.channel()
    stage.side.say(place, "do:slow 20 after a crash")
    await stage.answer(place, lambda each: "word3" in each.text)
    await stage.acme.kill()
    await stage.acme.start()
    await stage.acme.ready()
    await stage.answer(place, lambda each: "end of 20" in each.text)
    await stage.settled()

    await eventually(lambda: len(ends(stage, place, "word3")) == 1, timeout_s=PATIENCE_S)

    assert 1 == len(ends(stage, place, "end of 20"))


async def test_a_stored_delivery_survives_the_death_of_openclaw(stage: Stage) -> None:
    """Killed right after it took the delivery."""
    place = stage.direct()
    await deliver(stage, place, "do:echo from the inbox", delivery="dlv_killed")
    await stage.acme.kill()
    await stage.acme.start()
    await stage.acme.ready()
    await stage.answer(place, lambda each: "from the inbox" in each.text)
    await stage.settled()

    assert 1 == len(ends(stage, place, "from the inbox"))


async def test_an_answer_is_said_once_when_openclaw_dies_over_it(stage: Stage) -> None:
    """It was posted, but nobody heard so: after the restart the same key finds the same message.

    The neighbour's container dies: three deaths in five minutes, and OpenClaw starts without its
    channels (https://docs.openclaw.ai/gateway/restart-recovery).
    """
    place, container = stage.side.direct(GLOBEX_TEAM, "ONCE"), stage.containers[GLOBEX]
    async with open_relay(f"http://127.0.0.1:{stage.gateway_port}") as relay:
        container.configure(gatewayUrl=relay.url, streaming=False)
        await container.reloaded()
        relay.keeps_back = SEND
        stage.side.say(place, "do:echo to be said once")
        await stage.answer(place, lambda each: "to be said once" in each.text)
        await container.kill()
        relay.keeps_back = ""
        await container.start()
        await container.ready()
        await eventually(lambda: len(relay.keys(SEND)) > 1, timeout_s=PATIENCE_S)
        await stage.settled(GLOBEX)
        keys = relay.keys(SEND)
        container.configure(gatewayUrl=relay.target, streaming=True)
        await container.reloaded()

    assert 1 == len(set(keys))
    assert ["You said: to be said once"] == stage.texts(place)


async def test_a_repeated_delivery_is_answered_once(stage: Stage) -> None:
    """The gateway repeats what it heard no answer to."""
    place = stage.direct()
    first = await deliver(stage, place, "do:echo only once", delivery="dlv_twice")
    second = await deliver(stage, place, "do:echo only once", delivery="dlv_twice")
    await stage.answer(place, lambda each: "only once" in each.text)
    await stage.settled()

    assert [(202, False), (202, True)] == [(s, b["duplicate"]) for s, b in (first, second)]
    assert 1 == len(ends(stage, place, "only once"))


async def test_what_the_gateway_did_not_sign_is_refused(stage: Stage) -> None:
    """A wrong secret, an old signature, another body."""
    place = stage.direct()
    wrong = await deliver(stage, place, "x", secret="whsec_" + "A" * 32)
    old = await deliver(stage, place, "x", age_s=400)
    cut = await deliver(stage, place, "x", spoil=True)

    assert [401, 401, 401] == [status for status, _ in (wrong, old, cut)]
    fields = [body["error"]["field"] for _, body in (wrong, old, cut)]
    assert ["webhook-signature", "webhook-timestamp", "webhook-signature"] == fields


async def test_what_cannot_be_read_is_refused_in_words(stage: Stage) -> None:
    """Each names what is wrong; a newer protocol is kept by the gateway until the update."""
    place = stage.direct()
    newer = await deliver(stage, place, "x", version=2)
    large = await deliver(stage, place, "x" * (1024 * 1024 + 1))
    empty = await deliver(stage, place, "x", conversation=None)

    assert [501, 413, 400] == [status for status, _ in (newer, large, empty)]
    assert "update the plugin" in newer[1]["error"]["message"]
    assert "conversation" == empty[1]["error"]["field"]


async def test_the_containers_own_policy_is_honoured(stage: Stage) -> None:
    """Who is not on its list is not answered, whatever the gateway allows."""
    place, bens = stage.direct(), stage.direct()
    stage.acme.configure(dmPolicy="allowlist", allowFrom=[f"slack:{place.workspace}:U0ANNA"])
    await stage.acme.reloaded()
    stage.side.say(bens, "do:echo from a stranger", user=BEN)
    stage.side.say(place, "do:echo from a friend")
    await stage.answer(place, lambda each: "from a friend" in each.text)
    await eventually(lambda: f"{BEN} is refused" in stage.acme.log(), timeout_s=PATIENCE_S)
    await stage.settled()
    stage.acme.configure(dmPolicy="open", allowFrom=["*"])
    await stage.acme.reloaded()

    assert [] == stage.side.seen(bens)
    assert 0 == stage.model.asked("from a stranger")


async def test_a_secret_can_be_changed_while_it_runs(stage: Stage) -> None:
    """Both are valid for a while."""
    place = stage.direct()
    [secret] = stage.acme.section["webhookSecrets"]
    newer = "whsec_" + "B" * 32
    stage.acme.configure(webhookSecrets=[newer, secret])
    await stage.acme.reloaded()
    await deliver(stage, place, "do:echo by the new one", secret=newer, delivery="dlv_new")
    await stage.answer(place, lambda each: "by the new one" in each.text)
    stage.side.say(place, "do:echo by the old one")
    await stage.answer(place, lambda each: "by the old one" in each.text)
    stage.acme.configure(webhookSecrets=[secret])
    await stage.acme.reloaded()
    status, _ = await deliver(stage, place, "x", secret=newer)

    assert 401 == status


async def test_both_sides_say_that_the_channel_works(stage: Stage) -> None:
    """`openclaw channels status --probe` asks the gateway, which asks the health page."""
    said = await stage.acme.cli("channels", "status", "--probe")

    async def is_well() -> bool:
        report = await stage.world.stores.breakers.health_of(ACME)
        return report is not None and report.well

    assert await eventually(is_well, timeout_s=PATIENCE_S)
    assert "works" in next(line for line in said.splitlines() if "Channel Gateway" in line)


async def deliver(
    stage: Stage,
    place: Place,
    text: str,
    *,
    delivery: str = "dlv_try",
    secret: str | None = None,
    age_s: float = 0,
    spoil: bool = False,
    **changes: Any,
) -> tuple[int, dict[str, Any]]:
    """Post a delivery by hand; gives the status and the body of the answer."""
    conversation = {
        "id": stage.side.conversation(place),
        "platform": stage.side.name,
        "kind": "direct",
        "workspace": place.workspace,
        "channel": place.channel,
        "thread": None,
    }
    sender = {"id": "U0ANNA", "name": "Anna", "is_bot": False, "roles": [], "may_command": True}
    now = datetime.now(UTC).isoformat()
    event: dict[str, Any] = {
        "version": 1,
        "type": "message.created",
        "id": f"Ev{delivery}",
        "tenant": "acme",
        "agent": "main",
        "conversation": conversation,
        "sender": sender,
        "message_id": f"{time.time():.6f}",
        "text": text,
        "mentioned": True,
        "mentions": [],
        "attachments": [],
        "sent_at": now,
        "received_at": now,
    } | changes
    body = json.dumps(event).encode()
    at = datetime.fromtimestamp(time.time() - age_s, UTC)
    secrets = (secret or stage.acme.section["webhookSecrets"][-1],)
    headers = {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": sign(secrets, delivery, at, body),
        "Content-Type": "application/json",
    }
    async with (
        aiohttp.ClientSession(stage.acme.url) as session,
        session.post(EVENTS, data=BytesIO(body + b" " * spoil), headers=headers) as response,
    ):
        return response.status, await response.json()
