"""Opens a form as a dialog while the person who pressed its button waits.

A trigger lives for three seconds and serves once, so nothing here asks an agent: the form was kept
when its message was sent. What people fill in comes back as an event of its own.
https://docs.slack.dev/surfaces/modals/
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Final

import msgspec

from adapters.slack.components import slack_form_view
from adapters.slack.components_in import form_to_open
from adapters.slack.fields import Fields, Malformed
from adapters.slack.inbound_context import (
    Context,
    happened,
    install_of_interaction,
    interaction_id,
)
from adapters.slack.inbound_dialog import DialogOrigin, write_origin
from adapters.slack.inbound_interactive import scene_of_message
from adapters.slack.web_api import WebApi
from gateway.core.components import Form
from gateway.core.errors import SendError, StoreError
from gateway.core.events import Action, ActionKind, EventKind
from gateway.core.ids import MessageId
from gateway.core.ports import FormOwner, FormPress, Forms

_log = logging.getLogger(__name__)

Json = dict[str, object]

PATIENCE_S: Final = 1.0
"""Until a dialog that says "one moment" is opened in the place of a form that is not found yet."""

OPENING_S: Final = 2.5
_LATE_S: Final = 20.0


class Pressed(msgspec.Struct, frozen=True, kw_only=True):
    """A press, and the trigger by which a dialog can be opened."""

    press: FormPress
    trigger: str

    def __repr__(self) -> str:
        """Keep the trigger out of logs: whoever holds it can open dialogs."""
        return f"Pressed(form={self.press.form!r})"


class Dialogs:
    """Opens them, and fills those whose form came late."""

    def __init__(self, api: WebApi, forms: Forms, *, patience_s: float = PATIENCE_S) -> None:
        self._api = api
        self._forms = forms
        self._patience_s = patience_s
        self._late: set[asyncio.Task[None]] = set()

    async def open(self, pressed: Pressed) -> None:
        """Show something within 2.5 s: the form, that it is coming, or that it is gone.

        Raises StoreError, SendError or TimeoutError when nothing could be shown.
        """
        began_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(OPENING_S):
            owner = await self._forms.owner(pressed.press)
            if owner is None:
                return
            search = asyncio.create_task(self._forms.find(pressed.press, owner))
            try:
                spent_s = asyncio.get_running_loop().time() - began_s
                await asyncio.wait({search}, timeout=max(0.0, self._patience_s - spent_s))
                view = _view(search.result(), pressed.press) if search.done() else _LOADING
                view_id = await self._show(pressed, owner, view)
            except BaseException:
                search.cancel()
                raise
        if view is _LOADING:
            task = asyncio.create_task(self._fill(view_id, search, pressed.press, owner))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def close(self) -> None:
        """Fill nothing more."""
        late = list(self._late)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _show(self, pressed: Pressed, owner: FormOwner, view: Json) -> str:
        """https://docs.slack.dev/reference/methods/views.open/"""
        body: Json = {"trigger_id": pressed.trigger, "view": view}
        answer = await self._api.write("views.open", owner.credential, body)
        return answer.child("view").id("id")

    async def _fill(
        self, view_id: str, search: asyncio.Task[Form | None], press: FormPress, owner: FormOwner
    ) -> None:
        """https://docs.slack.dev/reference/methods/views.update/"""
        try:
            view = _view(await asyncio.wait_for(search, _LATE_S), press)
        except (StoreError, TimeoutError):
            view = _FAILED
        body: Json = {"view_id": view_id, "view": view}
        try:
            await self._api.repeat("views.update", owner.credential, body)
        except SendError as exc:
            # The person may have closed it by now.
            _log.info("a dialog could not be filled: %s", exc)


def read_press(payload: object, *, received_at: datetime) -> Pressed | None:
    """Read the payload of an interaction; None when it opens no form of ours. Never raises."""
    fields = Fields(payload)
    form, message = _button(fields)
    trigger = fields.text("trigger_id")
    install = install_of_interaction(fields)
    if not message or not trigger or install is None:
        return None
    context = Context(
        event_id=interaction_id(fields, trigger),
        install=install,
        received_at=received_at,
        platform_kind="block_actions",
    )
    try:
        scene = scene_of_message(fields, context)
    except Malformed:
        return None
    heard = happened(
        context, EventKind.ACTION_INVOKED, scene.place, scene.sender, message_id=scene.message_id
    )
    event = msgspec.structs.replace(heard, detail=Action(id=form, kind=ActionKind.FORM))
    press = FormPress(event=event, message=message, form=form)
    return Pressed(press=press, trigger=trigger)


def _button(fields: Fields) -> tuple[str, MessageId]:
    """The form's id, and the gateway's id of the message that it came with; "" where it is none.

    The button's own value says so: of a message that only one user sees Slack tells nothing else.
    """
    for action in fields.children("actions")[:1]:
        form = form_to_open(action.document())
        if fields.text("type") == "block_actions" and form is not None:
            return form, MessageId(action.id("value"))
    return "", MessageId("")


def _view(form: Form | None, press: FormPress) -> Json:
    if form is None:
        return _GONE
    origin = DialogOrigin(
        conversation=press.event.conversation.id, message_id=press.event.message_id, form=form.id
    )
    return slack_form_view(form, private_metadata=write_origin(origin))


def _notice(title: str, text: str) -> Json:
    section = {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": True}}
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": title, "emoji": True},
        "blocks": [section],
    }


_LOADING: Final = _notice("One moment", "The form is on its way.")
_GONE: Final = _notice("Not available", "This form is not available any more.")
_FAILED: Final = _notice("Not available", "The form could not be loaded. Please try again.")
