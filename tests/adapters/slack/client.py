"""What Slack says to blocks, and what a person does with them. Follows Slack's documents.

https://docs.slack.dev/reference/block-kit and .../reference/interaction-payloads
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from adapters.slack.capabilities import CAPABILITIES
from adapters.slack.components import slack_blocks, slack_form_view
from adapters.slack.components_in import action_of, form_to_open, submission_of
from adapters.slack.outbound import markdown_block, render, render_mrkdwn
from gateway.core.components import Component, forms_of
from gateway.core.events import Action
from gateway.core.ids import MessageId
from gateway.core.ports import Renderer
from tests.contracts.components import DATE, LINES, WORDS
from tests.contracts.outbound import Shown

Json = dict[str, Any]
# "verbatim": true keeps Slack from looking for names in plain text, so these alone would call.
MASS_MENTION = re.compile(r"<!(?:channel|here|everyone|subteam)")


class SlackSubject:
    """Slack's pure half, and a person in front of it."""

    capabilities = CAPABILITIES
    mass_mention = MASS_MENTION

    @property
    def render(self) -> Renderer:
        """The renderer of Markdown."""
        return render

    def show(self, components: Sequence[Component]) -> Shown:
        """The blocks of a message that says hello."""
        forms = [
            slack_form_view(form, private_metadata="m") for form in forms_of(tuple(components))
        ]
        below = slack_blocks(components, render=render_mrkdwn, message=MessageId("msg_0000"))
        blocks = [markdown_block("Hello"), *below]
        return Shown(payload={"blocks": blocks, "views": forms})

    def faults(self, payload: Any) -> list[str]:
        """What Slack's own SDK and documents find wrong."""
        blocks = payload["blocks"]
        found = [*_refused(blocks), *_loose_texts(payload)]
        found += ["more than 50 blocks"] if len(blocks) > 50 else []
        found += [f"{name} twice" for name in _twice(_ids(blocks))]
        for view in payload["views"]:
            found += _refused_view(view)
            found += [
                f"{name} twice" for name in _twice(block["block_id"] for block in view["blocks"])
            ]
        return found

    def markup(self, payload: Any) -> Iterator[str]:
        """The texts of mrkdwn objects."""
        return (text["text"] for text in _objects(payload) if text.get("type") == "mrkdwn")

    def use(self, payload: Any, components: Sequence[Component]) -> list[Action]:
        """Press, choose and fill in everything."""
        forms = {form.id: form for form in forms_of(tuple(components))}
        heard = []
        for element in _elements(payload["blocks"]):
            for used in _uses(element):
                heard.append(action_of(used))
                opened = form_to_open(used)
                if opened is not None:
                    view = slack_form_view(forms[opened], private_metadata="m")
                    heard.append(submission_of(_filled_in(view)))
        return [action for action in heard if action is not None]

    def hear(self, fragment: object) -> list[Action]:
        """Any fragment, as an element and as a view."""
        form_to_open(fragment)
        return [each for each in (action_of(fragment), submission_of(fragment)) if each is not None]


def _refused(blocks: list[Json]) -> Iterator[str]:
    for block in blocks:
        read = Block.parse(block)
        if read is None or read.type != block["type"]:
            yield f"no such block: {block['type']}"
        else:
            yield from _invalid(read)


def _refused_view(view: Json) -> Iterator[str]:
    yield from _invalid(View(**view))


def _invalid(read: Block | View) -> Iterator[str]:
    try:
        read.to_dict()
    except SlackObjectFormationError as exc:
        yield str(exc)


_LIMITS = {"section": 3_000, "field": 2_000, "option": 75, "placeholder": 150}


def _loose_texts(payload: object, place: str = "section") -> Iterator[str]:
    """Texts that are too long or empty for their place, or in which Slack looks for mentions."""
    if isinstance(payload, list):
        for value in payload:
            yield from _loose_texts(value, place)
    if not isinstance(payload, dict):
        return
    text: str = payload.get("text") or ""
    if payload.get("type") in {"plain_text", "mrkdwn"}:
        if not 0 < len(text) <= _LIMITS[place]:
            yield f"{len(text)} characters in a {place}"
        if payload["type"] == "mrkdwn" and payload.get("verbatim") is not True:
            yield "mentions are looked for"
    places = {"fields": "field", "options": "option", "placeholder": "placeholder"}
    for key, value in payload.items():
        yield from _loose_texts(value, places.get(key, place if key == "text" else "section"))


def _objects(payload: object) -> Iterator[Json]:
    if isinstance(payload, dict):
        yield payload
    if isinstance(payload, dict | list):
        for value in payload.values() if isinstance(payload, dict) else payload:
            yield from _objects(value)


def _elements(blocks: list[Json]) -> Iterator[Json]:
    for block in blocks:
        yield from block.get("elements", [])
        if "accessory" in block:
            yield block["accessory"]


def _ids(blocks: list[Json]) -> list[str]:
    return [element["action_id"] for element in _elements(blocks)]


def _twice(names: Any) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _uses(element: Json) -> list[Json]:
    """What block_actions tells of an element that is used: its state, not its face."""
    used = {"type": element["type"], "action_id": element["action_id"], "block_id": "b1"}
    used["action_ts"] = "1700000000.000100"
    match element["type"]:
        case "button":
            return [used | ({"value": element["value"]} if "value" in element else {})]
        case "feedback_buttons":
            buttons = [element["positive_button"], element["negative_button"]]
            return [used | {"value": button["value"], "text": button["text"]} for button in buttons]
        case _:
            return [used | _picked(element)]


def _picked(element: Json) -> Json:
    options = element["options"]
    if element["type"] in {"multi_static_select", "checkboxes"}:
        return {"selected_options": options}
    return {"selected_option": options[-1]}


def _filled_in(view: Json) -> Json:
    """The view of a view_submission payload."""
    values = {
        block["block_id"]: {block["element"]["action_id"]: _answer(block["element"])}
        for block in view["blocks"]
    }
    return view | {"id": "V0AAAA", "state": {"values": values}}


def _answer(element: Json) -> Json:
    kind = element["type"]
    if kind == "plain_text_input":
        return {"type": kind, "value": LINES if element["multiline"] else WORDS}
    if kind == "datepicker":
        return {"type": kind, "selected_date": DATE}
    return {"type": kind} | _picked(element)
