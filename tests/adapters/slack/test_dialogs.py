"""Forms that open as dialogs while somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import given

from adapters.slack.config import SlackConfig
from adapters.slack.dialogs import Dialogs, read_press
from adapters.slack.http_source import SlackWebhook
from adapters.slack.sender import SlackSender
from adapters.slack.source import SlackSource
from adapters.slack.web_api import WebApi
from gateway.core.clock import utc_now
from gateway.core.components import FieldKind, Form, FormField
from gateway.core.errors import StoreError
from gateway.core.events import Action, ActionKind
from gateway.core.ids import MessageId, TenantId
from gateway.core.ports import FormOwner, FormPress
from gateway.sandbox.slack import ApiError, SlackSandbox
from tests.adapters.slack.acts import BOT, message
from tests.adapters.slack.calling import SECRET, called
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM, Door
from tests.adapters.slack.payloads import INTERACTIONS
from tests.adapters.slack.test_inbound_properties import assert_storable, mutated_payloads
from tests.support.waiting import eventually

ORDER = Form(
    id="order",
    title="Order",
    label="Order lunch",
    fields=(
        FormField(id="dish", label="Dish"),
        FormField(id="notes", label="Notes", kind=FieldKind.MULTILINE, required=False),
    ),
)
SENT = msgspec.structs.replace(message("1700000000.000100"), components=(ORDER,))


class Shelf:
    """Where forms are kept: as slow, as empty or as broken as a test wants it."""

    def __init__(self) -> None:
        self.presses: list[FormPress] = []
        self.owner_of_all: FormOwner | None = FormOwner(TenantId("acme"), BOT)
        self.forms: dict[tuple[str, str], Form] = {(SENT.id, ORDER.id): ORDER}
        self.faults: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()

    async def owner(self, press: FormPress) -> FormOwner | None:
        """The one owner."""
        self.presses.append(press)
        return self.owner_of_all

    async def find(self, press: FormPress, owner: FormOwner) -> Form | None:
        """The form, once the shelf is open."""
        assert self.owner_of_all == owner
        await self.open.wait()
        if self.faults:
            raise self.faults.pop()
        return self.forms.get((press.message, press.form))


@pytest.fixture
def shelf() -> Shelf:
    """An open shelf with one form."""
    return Shelf()


@pytest.fixture
def patience_s() -> float:
    """After how long "one moment" is shown: not at all, unless a test is hasty."""
    return 60.0


hasty = pytest.mark.parametrize("patience_s", [0.01])


@pytest.fixture
async def dialogs(
    config: SlackConfig, session: aiohttp.ClientSession, shelf: Shelf, patience_s: float
) -> AsyncIterator[Dialogs]:
    """Dialogs of the adapter's, with forms of the shelf's."""
    opened = Dialogs(WebApi(config, session), shelf, patience_s=patience_s)
    yield opened
    await opened.close()


@pytest.fixture
async def source(
    slack: SlackSandbox,
    config: SlackConfig,
    door: Door,
    dialogs: Dialogs,
) -> AsyncIterator[SlackSource]:
    """A source with dialogs, connected."""
    listening = SlackSource(config, ignore=door.ignore, observe=door, dialogs=dialogs)
    task = asyncio.create_task(listening.run(door.accept))
    await slack.wait_for_sockets(2, 5)
    yield listening
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def ts(sender: SlackSender) -> str:
    """A message with a form stands in a thread."""
    return (await sender.send(SENT, BOT)).id


def form_button(slack: SlackSandbox) -> str:
    """The action_id of the button that opens the form."""
    blocks: list[Any] = slack.bot_messages(TEAM, CHANNEL)[-1].blocks or []
    return str(blocks[-1]["elements"][0]["action_id"])


def press(slack: SlackSandbox, ts: str) -> str:
    """Press it as Ann."""
    return slack.press(TEAM, CHANNEL, ANN, ts, form_button(slack))


def titles(slack: SlackSandbox) -> list[str]:
    """What stands at the top of every view, and of what each was before."""
    shown: list[Any] = [each for view in slack.views for each in view.shown]
    return [each["title"]["text"] for each in shown]


@pytest.mark.usefixtures("source")
async def test_a_form_opens_at_once_and_its_answers_come_back(
    slack: SlackSandbox, shelf: Shelf, door: Door, ts: str
) -> None:
    """In the conversation of the message, by its `ts`; the opening itself is no event."""
    press(slack, ts)
    await slack.settled(5)
    assert ["Order"] == titles(slack)
    assert [(True, None)] == [(each.acked, each.response) for each in slack.deliveries]
    assert ([], []) == (door.accepted, door.ignored)
    [asked] = shelf.presses
    assert (MessageId("msg_0000"), "order") == (asked.message, asked.form)
    assert (ANN, ts) == (asked.event.sender.id, asked.event.message_id)

    slack.submit(TEAM, ANN, slack.views[0].content, {"dish": "Soup"})
    await slack.settled(5)
    [heard] = door.accepted
    assert asked.event.conversation == heard.conversation == SENT.conversation
    assert ts == heard.message_id
    assert Action(id="order", kind=ActionKind.FORM, fields={"dish": ("Soup",)}) == heard.detail


@pytest.mark.usefixtures("source")
async def test_a_form_that_only_one_user_sees_opens_too(
    slack: SlackSandbox, sender: SlackSender, shelf: Shelf, door: Door
) -> None:
    """Slack tells nothing of such a message but its button; what is filled in belongs to where the
    message was shown, for nobody can answer below it.
    """
    slack.add_user(TEAM, ANN)
    private = msgspec.structs.replace(SENT, visible_to=ANN)
    ts = (await sender.send(private, BOT)).id
    (shown,) = slack.ephemerals(TEAM, CHANNEL)
    blocks: list[Any] = shown.blocks or []
    slack.press(TEAM, CHANNEL, ANN, ts, str(blocks[-1]["elements"][0]["action_id"]))
    await slack.settled(5)
    assert ["Order"] == titles(slack)
    [asked] = shelf.presses
    assert (SENT.id, "order") == (asked.message, asked.form)

    slack.submit(TEAM, ANN, slack.views[0].content, {"dish": "Soup"})
    await slack.settled(5)
    [heard] = door.accepted
    assert (SENT.conversation, ts) == (heard.conversation, heard.message_id)
    assert Action(id="order", kind=ActionKind.FORM, fields={"dish": ("Soup",)}) == heard.detail


async def test_a_form_opens_over_http_too(
    slack: SlackSandbox, config: SlackConfig, door: Door, dialogs: Dialogs, ts: str
) -> None:
    """The way in makes no difference."""
    config = msgspec.structs.replace(config, signing_secrets=(SECRET,))
    webhook = SlackWebhook(config, ignore=door.ignore, observe=door, dialogs=dialogs)
    async with called(webhook, slack, door):
        press(slack, ts)
        await slack.settled(5)
    assert ["Order"] == titles(slack)
    assert [200] == [request.status for request in slack.http.requests]


@hasty
@pytest.mark.usefixtures("source")
async def test_a_form_that_is_late_takes_the_place_of_one_moment(
    slack: SlackSandbox, shelf: Shelf, ts: str
) -> None:
    """A trigger lives for three seconds, so something is shown before they are over."""
    shelf.open.clear()
    press(slack, ts)
    await slack.settled(5)
    assert ["One moment"] == titles(slack)
    shelf.open.set()
    await eventually(lambda: len(titles(slack)) == 2)
    assert ["One moment", "Order"] == titles(slack)
    assert 1 == len(slack.views)


@hasty
@pytest.mark.usefixtures("source")
async def test_a_form_that_never_comes_is_said_to_be_unavailable(
    slack: SlackSandbox, shelf: Shelf, ts: str
) -> None:
    """Nobody looks at "one moment" for ever."""
    shelf.open.clear()
    shelf.faults.append(StoreError("down"))
    press(slack, ts)
    await slack.settled(5)
    shelf.open.set()
    await eventually(lambda: len(titles(slack)) == 2)
    assert ["One moment", "Not available"] == titles(slack)


@hasty
@pytest.mark.usefixtures("source")
async def test_a_view_that_was_closed_is_not_filled(
    slack: SlackSandbox, shelf: Shelf, ts: str, caplog: pytest.LogCaptureFixture
) -> None:
    """People do not always wait; that is no fault."""
    shelf.open.clear()
    press(slack, ts)
    await slack.settled(5)
    slack.fail_next("views.update", ApiError("not_found"))
    with caplog.at_level("INFO", "adapters.slack.dialogs"):
        shelf.open.set()
        await eventually(lambda: caplog.messages)
    assert ["a dialog could not be filled: platform_rejected: not_found"] == caplog.messages
    assert ["One moment"] == titles(slack)


@pytest.mark.usefixtures("source")
async def test_a_form_that_is_gone_is_said_to_be_gone(
    slack: SlackSandbox, shelf: Shelf, ts: str
) -> None:
    """Forms are kept for a week, messages for ever."""
    shelf.forms.clear()
    press(slack, ts)
    await slack.settled(5)
    assert ["Not available"] == titles(slack)


@pytest.mark.usefixtures("source")
async def test_a_press_that_goes_nowhere_opens_nothing(
    slack: SlackSandbox, shelf: Shelf, ts: str
) -> None:
    """Who is not allowed gets no form, and no error either: it is acknowledged like an event."""
    shelf.owner_of_all = None
    press(slack, ts)
    await slack.settled(5)
    assert ([True], []) == ([each.acked for each in slack.deliveries], list(slack.views))


@pytest.mark.usefixtures("source")
async def test_a_broken_store_is_shown_to_who_pressed(
    slack: SlackSandbox, shelf: Shelf, door: Door, ts: str
) -> None:
    """Without an acknowledgement Slack tells the person that it did not work."""
    shelf.faults.append(StoreError("down"))
    envelope_id = press(slack, ts)
    await eventually(lambda: door.unacknowledged)
    slack.lose_patience()
    await slack.settled(5)
    assert ([envelope_id], []) == (list(slack.given_up), list(slack.views))
    assert ["store_error"] == door.unacknowledged


@pytest.mark.usefixtures("source")
async def test_a_refused_dialog_is_shown_to_who_pressed(
    slack: SlackSandbox, door: Door, ts: str
) -> None:
    """As above; the form can be asked for again by another press."""
    slack.fail_next("views.open", ApiError("expired_trigger_id"))
    envelope_id = press(slack, ts)
    await eventually(lambda: door.unacknowledged)
    slack.lose_patience()
    await slack.settled(5)
    assert ([envelope_id], ["dialog"]) == (list(slack.given_up), door.unacknowledged)
    press(slack, ts)
    await slack.settled(5)
    assert ["Order"] == titles(slack)


@hasty
@pytest.mark.usefixtures("source")
async def test_a_stop_leaves_no_task_behind(
    slack: SlackSandbox, shelf: Shelf, dialogs: Dialogs, ts: str
) -> None:
    """What waits for a form is ended, and the dialog stays as it is."""
    shelf.open.clear()
    press(slack, ts)
    await slack.settled(5)
    await dialogs.close()
    shelf.open.set()
    assert ["One moment"] == titles(slack)
    assert [] == [each for each in asyncio.all_tasks() if "_fill" in repr(each.get_coro())]


def test_a_button_that_is_none_of_ours_opens_nothing() -> None:
    """Agents may make blocks of their own, whose values are whatever they like."""
    button: dict[str, Any] = {"type": "button", "action_id": "gw:f0:order", "value": "msg_1"}
    payload: dict[str, Any] = {
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": {"id": ANN},
        "channel": {"id": CHANNEL},
        "trigger_id": "1.2.abc",
        "container": {"message_ts": "1700000000.000200"},
        "actions": [button],
    }
    for odd in ("", None, "x y", "x" * 65, 7):
        other = payload | {"actions": [button | {"value": odd}]}
        assert read_press(other, received_at=utc_now()) is None
    pressed = read_press(payload, received_at=utc_now())
    assert pressed is not None
    assert ("msg_1", "order") == (pressed.press.message, pressed.press.form)
    assert "abc" not in repr(pressed)
    for missing in ("type", "team", "trigger_id", "user", "channel", "actions", "container"):
        damaged = {name: value for name, value in payload.items() if name != missing}
        assert read_press(damaged, received_at=utc_now()) is None


@given(mutated_payloads([name for name in INTERACTIONS if name.endswith("form")]))
def test_any_damaged_press_is_read(case: tuple[str, dict[str, Any]]) -> None:
    """Nothing that can stand in JSON raises, and what comes out can be written down."""
    _, document = case
    pressed = read_press(document, received_at=utc_now())
    if pressed is not None:
        assert_storable(pressed.press.event)
