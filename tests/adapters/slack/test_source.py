"""What the source does with what comes over its sockets."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.errors import LeaseLostError, QueueFullError, StoreError
from gateway.core.events import Ignored, IgnoredReason
from gateway.sandbox.slack import SlackSandbox
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM, Door, Listen, Listening
from tests.support.waiting import eventually


async def test_an_event_is_acknowledged_after_its_commit_and_not_before(
    slack: SlackSandbox, listening: Listening, door: Door
) -> None:
    """Durable before ack: what is not stored must be sent again."""
    door.open.clear()
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await eventually(lambda: door.entered)
    assert len(slack.unacked()) == 1
    door.open.set()
    await slack.settled(5)
    (delivery,) = slack.deliveries
    assert (True, delivery.socket, None) == (
        delivery.acked,
        delivery.acked_on_socket,
        delivery.response,
    )
    assert ["hello"] == door.texts
    assert listening.health is None


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (StoreError("down"), "store_error"),
        (LeaseLostError("lost"), "store_error"),
        (QueueFullError("full"), "queue_full"),
        (RuntimeError("a bug"), "fault"),
    ],
)
@pytest.mark.usefixtures("listening")
async def test_what_was_not_stored_comes_again(
    slack: SlackSandbox, door: Door, fault: Exception, reason: str
) -> None:
    """No acknowledgement, so Slack sends it again; the second time it is let in."""
    door.faults.append(fault)
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await eventually(lambda: door.unacknowledged)
    slack.lose_patience()
    await slack.settled(5)
    assert [False, True] == [delivery.acked for delivery in slack.deliveries]
    assert [0, 1] == [event.retry for event in door.entered]
    assert [reason] == door.unacknowledged
    assert ["hello"] == door.texts


async def test_events_enter_in_order_and_none_waits_for_the_one_before(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """A conversation keeps its order, and a slow commit holds up nobody else."""
    listen(sockets=1)
    await slack.wait_for_sockets(1, 5)
    door.open.clear()
    texts = [str(number) for number in range(50)]
    for text in texts:
        slack.say(TEAM, CHANNEL, ANN, text)
    await eventually(lambda: len(door.entered) == len(texts))
    assert texts == [event.text for event in door.entered]
    assert door.accepted == []
    door.open.set()
    await slack.settled(5)
    assert texts == door.texts


async def test_reading_stops_while_too_much_is_under_way(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """A store that is slow must not fill the memory."""
    listen(max_in_flight=2)
    await slack.wait_for_sockets(2, 5)
    door.open.clear()
    for number in range(10):
        slack.say(TEAM, CHANNEL, ANN, str(number))
    await eventually(lambda: len(door.entered) == 2)
    door.open.set()
    await slack.settled(5)
    assert (10, 2) == (len(door.accepted), door.most_at_once)


@pytest.mark.usefixtures("listening")
async def test_other_envelopes_are_acknowledged_and_ignored(
    slack: SlackSandbox, door: Door
) -> None:
    """Slack counts what is not acknowledged against the app, known to us or not."""
    for kind in ("slash_commands", "interactive", "hologram"):
        slack.send_envelope({"type": kind, "payload": {}, "accepts_response_payload": True})
    slack.send_event(TEAM, {"type": "message", "channel": CHANNEL})
    await slack.settled(5)
    assert [True] * 4 == [delivery.acked for delivery in slack.deliveries]
    assert {None} == {delivery.response for delivery in slack.deliveries}
    assert door.entered == []
    assert {
        Ignored(IgnoredReason.NO_WORKSPACE, "team and team_id name none"),
        Ignored(IgnoredReason.NOT_AN_EVENT, "payload.type is not known"),
        Ignored(IgnoredReason.NOT_AN_EVENT, "envelope type other"),
        Ignored(IgnoredReason.MALFORMED, "event.ts is missing"),
    } == set(door.ignored)


async def test_a_command_is_replied_to_in_its_acknowledgement(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """At once, and to nobody but who used it; an event's acknowledgement may carry nothing."""
    listen(command_reply="On it.")
    await slack.wait_for_sockets(2, 5)
    slack.run_command(TEAM, CHANNEL, ANN, "/ask", "why?")
    slack.use_shortcut(TEAM, ANN, "brief")
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    reply = {"response_type": "ephemeral", "text": "On it."}
    assert {"/ask": reply, "shortcut": None, "message": None} == {
        delivery.event_type: delivery.response for delivery in slack.deliveries
    }
    assert 3 == len(door.accepted)


async def test_malformed_frames_end_no_socket(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """One odd frame must not cost the connection, nor what comes after it."""
    listening = listen(max_frame_bytes=10_000)
    await slack.wait_for_sockets(2, 5)
    await eventually(lambda: listening.health is None)
    frames = ["", "{", "[]", "null", '{"type":7}', '{"type":"events_api"}', "x" * 20_000]
    for frame in frames * 2:
        slack.send_raw(frame)
    slack.send_envelope({"type": "events_api", "payload": []})
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    await eventually(lambda: len(door.ignored) == 2 * len(frames) + 1)
    assert ["hello"] == door.texts
    assert (2, []) == (slack.sockets_opened, list(slack.stray_frames))
    assert {"hello", "events_api", "malformed"} == set(door.frames)


async def test_a_stop_lets_commits_come_to_their_end(
    slack: SlackSandbox, listening: Listening, door: Door
) -> None:
    """What is stored on the way out is acknowledged too, or Slack would send it once more."""
    door.open.clear()
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await eventually(lambda: door.entered)
    listening.begin_stop()
    asyncio.get_running_loop().call_later(0.1, door.open.set)
    await slack.settled(5)
    await eventually(lambda: listening.has_ended)
    await slack.wait_for_sockets(0, 5)
    assert [True] == [delivery.acked for delivery in slack.deliveries]
    assert listening.health == "no Slack socket is open: stopped"
    assert 0 == door.open_sockets[-1]


async def test_a_stop_does_not_wait_for_ever(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """A commit that hangs is cut off and stays unacknowledged."""
    listening = listen(drain_s=0.05)
    await slack.wait_for_sockets(2, 5)
    door.open.clear()
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await eventually(lambda: door.entered)
    await listening.stop()
    assert ["stopped"] == door.unacknowledged
    assert ([], 1) == (door.accepted, len(slack.unacked()))
    await slack.wait_for_sockets(0, 5)
