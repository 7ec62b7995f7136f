"""What Discord says to components, and what a person does with them. Follows Discord's documents.

https://docs.discord.com/developers/components/reference and
https://docs.discord.com/developers/interactions/receiving-and-responding
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from adapters.discord.capabilities import CAPABILITIES
from adapters.discord.components import discord_components, discord_modal
from adapters.discord.components_in import action_of, form_to_open, submission_of
from adapters.discord.outbound import render
from gateway.core.components import Component, forms_of
from gateway.core.events import Action
from gateway.core.ports import Renderer
from tests.contracts.components import DATE, LINES, WORDS
from tests.contracts.outbound import Shown, texts_of

Json = dict[str, Any]
ROW, BUTTON, MENU, TEXT, LABEL, CHECKBOX = 1, 2, 3, 4, 18, 23
LINK = 5
MASS_MENTION = re.compile(r"@(?:everyone|here)")


class DiscordSubject:
    """Discord's pure half, and a person in front of it."""

    capabilities = CAPABILITIES
    mass_mention = MASS_MENTION

    @property
    def render(self) -> Renderer:
        """The renderer of Markdown."""
        return render

    def show(self, components: Sequence[Component]) -> Shown:
        """The embeds and rows of a message, and the modals behind its buttons."""
        parts = discord_components(components, render=self.render)
        modals = [discord_modal(form) for form in forms_of(tuple(components))]
        payload = {"embeds": parts.embeds, "components": parts.rows, "modals": modals}
        return Shown(payload=payload, left_out=parts.left_out)

    def faults(self, payload: Any) -> list[str]:
        """What the documents forbid."""
        found = [*_faults_of_rows(payload["components"]), *_faults_of_embeds(payload["embeds"])]
        for modal in payload["modals"]:
            found += _faults_of_modal(modal)
        return found

    def markup(self, payload: Any) -> Iterator[str]:
        """Everything that stands in embeds."""
        return texts_of(payload["embeds"])

    def use(self, payload: Any, components: Sequence[Component]) -> list[Action]:
        """Press, choose and fill in everything."""
        forms = {form.id: form for form in forms_of(tuple(components))}
        heard: list[Action | None] = []
        for control in _controls(payload["components"]):
            if control.get("style") == LINK and control["type"] == BUTTON:
                continue
            data = _used(control)
            heard.append(action_of(data))
            opened = form_to_open(data)
            if opened is not None:
                heard.append(submission_of(_submitted(discord_modal(forms[opened]))))
        return [action for action in heard if action is not None]

    def hear(self, fragment: object) -> list[Action]:
        """Any fragment, as the data of either interaction."""
        form_to_open(fragment)
        return [each for each in (action_of(fragment), submission_of(fragment)) if each is not None]


def _controls(rows: list[Json]) -> Iterator[Json]:
    for row in rows:
        yield from row["components"]


def _faults_of_rows(rows: list[Json]) -> Iterator[str]:
    if len(rows) > 5:
        yield "more than five rows"
    for row in rows:
        kinds = [control["type"] for control in row["components"]]
        is_fine = kinds == [MENU] or (set(kinds) == {BUTTON} and len(kinds) <= 5)
        if row["type"] != ROW or not is_fine:
            yield f"a row of {kinds}"
    controls = list(_controls(rows))
    for control in controls:
        yield from (
            _faults_of_menu(control) if control["type"] == MENU else _faults_of_button(control)
        )
    yield from _twice([control["custom_id"] for control in controls if "custom_id" in control])


def _faults_of_button(button: Json) -> Iterator[str]:
    if ("url" in button, "custom_id" in button) != (
        button["style"] == LINK,
        button["style"] != LINK,
    ):
        yield "a button is a link or has an id"
    if button["style"] not in {1, 2, 3, 4, LINK}:
        yield f"style {button['style']}"
    if "label" not in button and "emoji" not in button:
        yield "a button without a face"
    yield from _too_long(button, label=80, custom_id=100, url=512)


def _faults_of_menu(menu: Json) -> Iterator[str]:
    options = menu["options"]
    yield from _too_long(menu, custom_id=100, placeholder=150)
    yield from (fault for option in options for fault in _too_long(option, label=100, value=100))
    yield from _twice([option["value"] for option in options])
    if not 1 <= len(options) <= 25:
        yield f"{len(options)} options"
    if not 0 <= menu.get("min_values", 1) <= menu.get("max_values", 1) <= len(options):
        yield "numbers of choices"


def _faults_of_embeds(embeds: list[Json]) -> Iterator[str]:
    """https://docs.discord.com/developers/resources/message#embed-object-embed-limits"""
    if len(embeds) > 10:
        yield "more than ten embeds"
    total = 0
    for embed in embeds:
        fields = embed.get("fields", [])
        yield from _too_long(embed, title=256, description=4_096)
        yield from (fault for field in fields for fault in _too_long(field, name=256, value=1_024))
        if len(fields) > 25:
            yield "more than 25 fields"
        texts = [embed["title"], embed.get("description", "")]
        total += sum(len(text) for text in texts)
        total += sum(len(field["name"] + field["value"]) for field in fields)
    if total > 6_000:
        yield f"{total} characters of embeds"


def _faults_of_modal(modal: Json) -> Iterator[str]:
    """https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object-modal"""
    yield from _too_long(modal, custom_id=100, title=45)
    if not 1 <= len(modal["components"]) <= 5:
        yield f"{len(modal['components'])} components of a modal"
    inputs = [label["component"] for label in modal["components"]]
    for label in modal["components"]:
        yield from _too_long(label, label=45)
        if label["type"] != LABEL:
            yield "an input without a label"
    yield from _twice([each["custom_id"] for each in inputs])
    for each in inputs:
        yield from _faults_of_input(each)


def _faults_of_input(field: Json) -> Iterator[str]:
    if field["type"] == MENU:
        yield from _faults_of_menu(field)
        if field.get("required", True) and field.get("min_values", 1) < 1:
            yield "required, and none to be chosen"
    elif field["type"] == TEXT:
        yield from _too_long(field, custom_id=100, placeholder=100)
        if field["style"] not in {1, 2} or not 1 <= field["max_length"] <= 4_000:
            yield "a text input"
    elif set(field) - {"type", "custom_id", "default"}:
        yield "more than a checkbox has"


def _too_long(holder: Json, **limits: int) -> Iterator[str]:
    for name, limit in limits.items():
        if name in holder and not (0 < len(holder[name]) <= limit and holder[name].strip()):
            yield f"{name} of {len(holder[name])} characters"


def _twice(names: list[str]) -> Iterator[str]:
    yield from (f"{name} twice" for name, count in Counter(names).items() if count > 1)


def _used(control: Json) -> Json:
    """The data of a MESSAGE_COMPONENT interaction."""
    data = {"custom_id": control["custom_id"], "component_type": control["type"], "id": 1}
    return data | ({"values": _picked(control)} if control["type"] == MENU else {})


def _picked(menu: Json) -> list[str]:
    most = menu.get("max_values", 1)
    return [option["value"] for option in menu["options"][-most:]]


def _submitted(modal: Json) -> Json:
    """The data of a MODAL_SUBMIT interaction."""
    answers = [
        {"type": LABEL, "id": 1, "component": _answer(label["component"])}
        for label in modal["components"]
    ]
    return {"custom_id": modal["custom_id"], "components": answers}


def _answer(field: Json) -> Json:
    answer = {"type": field["type"], "id": 2, "custom_id": field["custom_id"]}
    if field["type"] == MENU:
        return answer | {"values": _picked(field)}
    if field["type"] == CHECKBOX:
        return answer | {"value": True}
    words = LINES if field["style"] == 2 else WORDS
    return answer | {"value": DATE if field["max_length"] == len(DATE) else words}
