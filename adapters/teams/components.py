"""Turn portable components into one Adaptive Card. Pure: no network, no SDK.

What people do with it comes back through components_in. Labels and titles stand where Markdown is
not read; a card's text and values are Markdown.
https://adaptivecards.io/explorer/ and
https://learn.microsoft.com/en-us/microsoftteams/platform/task-modules-and-cards/cards/cards-format
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final

import msgspec

from adapters.components import literal, never_blank, one_line, shown, write_trace
from gateway.core.capabilities import Ability
from gateway.core.components import (
    Button,
    Buttons,
    ButtonStyle,
    Card,
    Component,
    Feedback,
    FieldKind,
    Form,
    FormField,
    Option,
    Select,
    ability_of,
)
from gateway.core.events import ActionKind
from gateway.core.ports import Renderer

Json = dict[str, object]

VERSION: Final = "1.5"
MAX_CARD_BYTES: Final = 40_000
"""In UTF-16, as Teams counts; with a text of 24,000 bytes less than the 70 KB that were refused.
https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/format-your-bot-messages
"""

TRACE: Final = "gateway"
"""The key of an action's data that says whose action it is."""

# Teams shows no more than six actions of one set.
_ACTIONS_PER_SET = 5
_MAX_ANSWER_CHARS = 3_000
_STYLES: Final = {ButtonStyle.PRIMARY: "positive", ButtonStyle.DANGER: "destructive"}
_VERDICTS: Final = {"positive": "👍", "negative": "👎"}


class TeamsCard(msgspec.Struct, frozen=True, kw_only=True):
    """An Adaptive Card, None when there is nothing to show. `left_out` names what was too large."""

    content: Json | None
    left_out: tuple[Ability, ...] = ()


def adaptive_card(components: Iterable[Component], *, render: Renderer) -> TeamsCard:
    """Render components for one message. A component that would make it too large is left out."""
    numbers = count()
    body: list[Json] = []
    left_out: list[Ability] = []
    room = MAX_CARD_BYTES - _size_bytes(_card([]))
    for component in components:
        elements = _elements(component, numbers, render)
        if (size := _size_bytes(elements)) <= room:
            room -= size
            body += elements
        else:
            left_out.append(ability_of(component))
    content = _card(body) if body else None
    return TeamsCard(content=content, left_out=tuple(dict.fromkeys(left_out)))


def _card(body: Sequence[Json]) -> Json:
    schema = "http://adaptivecards.io/schemas/adaptive-card.json"
    return {"type": "AdaptiveCard", "$schema": schema, "version": VERSION, "body": body}


def _size_bytes(value: object) -> int:
    return len(msgspec.json.encode(value).decode().encode("utf-16-le"))


def _elements(component: Component, numbers: Iterator[int], render: Renderer) -> list[Json]:
    match component:
        case Buttons():
            return _action_sets([_button(each, next(numbers)) for each in component.buttons])
        case Select():
            return _select(component, next(numbers))
        case Form():
            return _action_sets([_form(component, next(numbers))])
        case Card():
            return [_framed(component, render)]
        case Feedback():
            return _action_sets([_verdict(component, each, next(numbers)) for each in _VERDICTS])


def _action_sets(actions: Sequence[Json]) -> list[Json]:
    return [
        {"type": "ActionSet", "actions": actions[start : start + _ACTIONS_PER_SET]}
        for start in range(0, len(actions), _ACTIONS_PER_SET)
    ]


def _button(button: Button, number: int) -> Json:
    if button.url is not None:
        return {"type": "Action.OpenUrl", "title": one_line(button.label), "url": button.url}
    action = _press(button.label, write_trace(ActionKind.BUTTON, number, button.id, button.value))
    if button.style in _STYLES:
        action["style"] = _STYLES[button.style]
    return action


def _verdict(feedback: Feedback, value: str, number: int) -> Json:
    return _press(_VERDICTS[value], write_trace(ActionKind.FEEDBACK, number, feedback.id, value))


def _press(title: str, action: str) -> Json:
    # Without "none" the press would carry, and wait for, whatever else can be filled in.
    return _submit(title, action) | {"associatedInputs": "none"}


def _submit(title: str, action: str) -> Json:
    return {"type": "Action.Submit", "title": one_line(title), "data": {TRACE: action}}


def _select(select: Select, number: int) -> list[Json]:
    action = write_trace(ActionKind.SELECT, number, select.id)
    choices = _choices(select.options, select.placeholder, multiple=select.multiple)
    # Teams tells of a choice only together with the press of a button.
    return [choices | {"id": action}, *_action_sets([_submit("OK", action)])]


def _choices(options: Iterable[Option], placeholder: str | None, *, multiple: bool) -> Json:
    choices: Json = {
        "type": "Input.ChoiceSet",
        "style": "compact",
        "isMultiSelect": multiple,
        "choices": [
            {"title": one_line(each.label), "value": _quoted(each.value)} for each in options
        ],
    }
    return choices if placeholder is None else choices | {"placeholder": one_line(placeholder)}


def _quoted(value: str) -> str:
    # What was chosen comes back as one text with commas in between.
    return value.replace("%", "%25").replace(",", "%2C")


def _form(form: Form, number: int) -> Json:
    action = write_trace(ActionKind.FORM, number, form.id)
    questions = [_question(field, action) for field in form.fields]
    card: Json = {
        "type": "AdaptiveCard",
        "body": [_heading(form.title), *questions],
        "actions": [_submit(form.submit, action)],
    }
    return {"type": "Action.ShowCard", "title": one_line(form.label), "card": card}


def _question(field: FormField, action: str) -> Json:
    if field.kind is FieldKind.CHECKBOX:
        # One that is required could not be answered with no.
        toggle: Json = {"title": one_line(field.placeholder or field.label), "value": "false"}
        return {"type": "Input.Toggle", "id": f"{action}/text/{field.id}", **toggle}
    has_options = bool(field.options)
    question = _input(field) | {
        "id": f"{action}/{'choice' if has_options else 'text'}/{field.id}",
        "label": one_line(field.label),
        "isRequired": field.required,
    }
    return question | ({"errorMessage": one_line(field.label)} if field.required else {})


def _input(field: FormField) -> Json:
    hint = field.placeholder
    placeholder: Json = {} if hint is None else {"placeholder": one_line(hint)}
    match field.kind:
        case FieldKind.SELECT | FieldKind.MULTISELECT:
            multiple = field.kind is FieldKind.MULTISELECT
            return _choices(field.options, field.placeholder, multiple=multiple)
        case FieldKind.DATE:
            return {"type": "Input.Date"} | placeholder
        case _:
            multiline = field.kind is FieldKind.MULTILINE
            limits: Json = {"isMultiline": multiline, "maxLength": _MAX_ANSWER_CHARS}
            return {"type": "Input.Text"} | limits | placeholder


def _framed(card: Card, render: Renderer) -> Json:
    items = [_heading(card.title)]
    if text := shown(card.text, render):
        items.append({"type": "TextBlock", "text": text, "wrap": True})
    if card.facts:
        facts = [
            {
                "title": never_blank(literal(fact.name), render),
                "value": never_blank(fact.value, render),
            }
            for fact in card.facts
        ]
        items.append({"type": "FactSet", "facts": facts})
    if card.image_url is not None:
        items.append({"type": "Image", "url": card.image_url, "altText": one_line(card.title)})
    if card.url is not None:
        items += _action_sets(
            [{"type": "Action.OpenUrl", "title": one_line(card.title), "url": card.url}]
        )
    return {"type": "Container", "style": "emphasis", "items": items}


def _heading(text: str) -> Json:
    run: Json = {"type": "TextRun", "text": one_line(text), "weight": "bolder"}
    return {"type": "RichTextBlock", "inlines": [run]}
