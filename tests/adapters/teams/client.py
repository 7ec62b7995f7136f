"""What Teams says to an Adaptive Card, and what a person does with it. Follows the documents.

https://adaptivecards.io/explorer/ (1.5) and
https://learn.microsoft.com/en-us/microsoftteams/platform/task-modules-and-cards/cards/cards-actions
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from adapters.teams.capabilities import CAPABILITIES
from adapters.teams.components import adaptive_card
from adapters.teams.components_in import action_of
from adapters.teams.outbound import render
from gateway.core.components import Component
from gateway.core.events import Action
from gateway.core.ports import Renderer
from tests.contracts.components import DATE, LINES, WORDS
from tests.contracts.outbound import Shown

Json = dict[str, Any]
MASS_MENTION = re.compile(r"<at\b")

_ELEMENT = {"type"}
_KNOWN: dict[str, tuple[set[str], set[str]]] = {
    "ActionSet": ({"actions"}, set()),
    "Container": ({"items"}, {"style"}),
    "RichTextBlock": ({"inlines"}, set()),
    "TextRun": ({"text"}, {"weight"}),
    "TextBlock": ({"text"}, {"wrap"}),
    "FactSet": ({"facts"}, set()),
    "Image": ({"url"}, {"altText"}),
    "Input.ChoiceSet": (
        {"id", "choices"},
        {"style", "isMultiSelect", "placeholder", "label", "isRequired", "errorMessage"},
    ),
    "Input.Text": (
        {"id"},
        {"isMultiline", "maxLength", "placeholder", "label", "isRequired", "errorMessage"},
    ),
    "Input.Date": ({"id"}, {"placeholder", "label", "isRequired", "errorMessage"}),
    "Input.Toggle": ({"id", "title"}, {"value", "valueOn", "valueOff"}),
    "Action.Submit": ({"title", "data"}, {"style", "associatedInputs"}),
    "Action.OpenUrl": ({"title", "url"}, set()),
    "Action.ShowCard": ({"title", "card"}, set()),
    "AdaptiveCard": ({"body"}, {"version", "$schema", "actions"}),
}
"""The properties that the schema demands, and further ones that it allows, of what we use."""


class TeamsSubject:
    """Teams' pure half, and a person in front of it."""

    capabilities = CAPABILITIES
    mass_mention = MASS_MENTION

    @property
    def render(self) -> Renderer:
        """The renderer of Markdown."""
        return render

    def show(self, components: Sequence[Component]) -> Shown:
        """The card of a message."""
        card = adaptive_card(components, render=self.render)
        return Shown(payload=card.content, left_out=card.left_out)

    def faults(self, payload: Any) -> list[str]:
        """What the schema and Teams' documents forbid."""
        if payload is None:
            return []
        found = [fault for element in _elements(payload) for fault in _unknown(element)]
        found += [f"{name} twice" for name in _twice(payload)]
        found += [] if payload["version"] == "1.5" else ["another version"]
        size_bytes = len(json.dumps(payload, ensure_ascii=False).encode("utf-16-le"))
        # Spaces of this dump included; 80 KB are safe for a message with its text.
        found += [f"{size_bytes} bytes"] if size_bytes > 50_000 else []
        return found

    def markup(self, payload: Any) -> Iterator[str]:
        """Texts and facts, by the page on the format of cards."""
        for element in _elements(payload):
            if element["type"] == "TextBlock":
                yield element["text"]
            for fact in element.get("facts", []):
                yield from (fact["title"], fact["value"])

    def use(self, payload: Any, components: Sequence[Component]) -> list[Action]:
        """Choose and fill in everything, then press all there is."""
        if payload is None:
            return []
        heard = [action_of(value) for value in _submitted(payload, {})]
        return [action for action in heard if action is not None]

    def hear(self, fragment: object) -> list[Action]:
        """Any fragment, as the value of an activity."""
        action = action_of(fragment)
        return [] if action is None else [action]


def _elements(payload: object) -> Iterator[Json]:
    if isinstance(payload, dict):
        if "type" in payload:
            yield payload
        for value in payload.values():
            yield from _elements(value)
    elif isinstance(payload, list):
        for value in payload:
            yield from _elements(value)


def _unknown(element: Json) -> Iterator[str]:
    kind = element["type"]
    demanded, allowed = _KNOWN.get(kind, (set(), set()))
    if demanded - set(element) or set(element) - demanded - allowed - {"type"}:
        yield f"{kind} has {sorted(element)}"
    if kind == "ActionSet" and not 1 <= len(element["actions"]) <= 6:
        yield f"{len(element['actions'])} actions"
    if kind == "Input.ChoiceSet" and any("," in each["value"] for each in element["choices"]):
        yield "a comma in a value, by which Teams tells choices apart"
    if kind.startswith("Input.") and element.get("isRequired") and not element.get("errorMessage"):
        yield "required, and no word when it is missing"
    if any(not element[name] for name in ("text", "title") if name in element):
        yield f"{kind} without words"


def _twice(payload: Json) -> list[str]:
    ids = Counter(element["id"] for element in _elements(payload) if "id" in element)
    return [name for name, count in ids.items() if count > 1]


def _submitted(card: Json, outer: Json) -> Iterator[Json]:
    """The values of the activities: an action's data, and the inputs of its card and those around.

    https://adaptivecards.io/explorer/Action.Submit.html
    """
    inputs = outer | {
        element["id"]: _answer(element)
        for element in card["body"]
        if element["type"].startswith("Input.")
    }
    sets = [element["actions"] for element in card["body"] if element["type"] == "ActionSet"]
    for action in [each for actions in [*sets, card.get("actions", [])] for each in actions]:
        if action["type"] == "Action.Submit":
            is_alone = action.get("associatedInputs") == "none"
            yield action["data"] | ({} if is_alone else inputs)
        elif action["type"] == "Action.ShowCard":
            yield from _submitted(action["card"], inputs)


def _answer(element: Json) -> str:
    kind = element["type"]
    if kind == "Input.ChoiceSet":
        values = [choice["value"] for choice in element["choices"]]
        return ",".join(values if element["isMultiSelect"] else values[-1:])
    if kind == "Input.Toggle":
        return str(element.get("valueOn", "true"))
    if kind == "Input.Date":
        return DATE
    return LINES if element["isMultiline"] else WORDS
