"""Turn portable components into Discord's embeds, action rows and modals. Pure: no network, no SDK.

What people do with them comes back through components_in.
https://docs.discord.com/developers/components/reference
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, groupby
from typing import Final

import msgspec

from adapters.components import clipped, literal, never_blank, one_line, shown, write_trace
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

MAX_ROWS: Final = 5
_BUTTONS_PER_ROW = 5
# https://docs.discord.com/developers/resources/message#embed-object-embed-limits
MAX_EMBED_CHARS: Final = 6_000
_MAX_TITLE_CHARS = 256
_MAX_DESCRIPTION_CHARS = 4_096
_MAX_FACT_NAME_CHARS = 256
_MAX_FACT_VALUE_CHARS = 1_024
_MAX_ANSWER_CHARS = 3_000
_DATE = "YYYY-MM-DD"

_ROW, _BUTTON, _MENU, _TEXT, _LABEL, _CHECKBOX = 1, 2, 3, 4, 18, 23
_STYLES: Final = {ButtonStyle.PRIMARY: 1, ButtonStyle.DEFAULT: 2, ButtonStyle.DANGER: 4}
_LINK = 5
_VERDICTS: Final = {"positive": "👍", "negative": "👎"}


class DiscordParts(msgspec.Struct, frozen=True, kw_only=True):
    """`embeds` and `components` of a message. `left_out` names what had no room in five rows."""

    embeds: list[Json]
    rows: list[Json]
    left_out: tuple[Ability, ...] = ()


class _Control(msgspec.Struct, frozen=True):
    """A button or a menu, and what it belongs to."""

    ability: Ability
    json: Json

    @property
    def fills_a_row(self) -> bool:
        return self.json["type"] == _MENU


def discord_components(components: Iterable[Component], *, render: Renderer) -> DiscordParts:
    """Render components for one message.

    Every component begins a row of its own. Where that makes more than five rows, buttons move
    together; what still has no room is left out, from the end.
    """
    listed = list(components)
    numbers = count()
    groups = [_controls(each, numbers) for each in listed]
    rows = [row for group in groups for row in _rows(group)]
    if len(rows) > MAX_ROWS:
        rows = _rows([control for group in groups for control in group])
    lost = dict.fromkeys(control.ability for row in rows[MAX_ROWS:] for control in row)
    return DiscordParts(
        embeds=_embeds([each for each in listed if isinstance(each, Card)], render),
        rows=[_row(row) for row in rows[:MAX_ROWS]],
        left_out=tuple(lost),
    )


def discord_modal(form: Form) -> Json:
    """Return the data of a modal, the answer to a press of the form's button.

    https://docs.discord.com/developers/components/using-modal-components
    """
    return {
        "custom_id": write_trace(ActionKind.FORM, 0, form.id),
        "title": one_line(form.title),
        "components": [_question(field) for field in form.fields],
    }


def _rows(controls: Sequence[_Control]) -> list[list[_Control]]:
    rows: list[list[_Control]] = []
    for is_menu, group in groupby(controls, key=lambda control: control.fills_a_row):
        members = list(group)
        size = 1 if is_menu else _BUTTONS_PER_ROW
        rows += [members[start : start + size] for start in range(0, len(members), size)]
    return rows


def _row(controls: Sequence[_Control]) -> Json:
    return {"type": _ROW, "components": [control.json for control in controls]}


def _controls(component: Component, numbers: Iterator[int]) -> list[_Control]:
    return [_Control(ability_of(component), json) for json in _elements(component, numbers)]


def _elements(component: Component, numbers: Iterator[int]) -> list[Json]:
    match component:
        case Buttons():
            return [_button(each, next(numbers)) for each in component.buttons]
        case Select():
            return [_select(component, next(numbers))]
        case Form():
            action = write_trace(ActionKind.FORM, next(numbers), component.id)
            return [_press(action, _STYLES[ButtonStyle.DEFAULT], label=one_line(component.label))]
        case Feedback():
            return [_verdict(component, value, next(numbers)) for value in _VERDICTS]
        case Card():
            return []


def _button(button: Button, number: int) -> Json:
    if button.url is not None:
        return {"type": _BUTTON, "style": _LINK, "label": one_line(button.label), "url": button.url}
    action = write_trace(ActionKind.BUTTON, number, button.id, button.value or None)
    return _press(action, _STYLES[button.style], label=one_line(button.label))


def _verdict(feedback: Feedback, value: str, number: int) -> Json:
    action = write_trace(ActionKind.FEEDBACK, number, feedback.id, value)
    return _press(action, _STYLES[ButtonStyle.DEFAULT], emoji={"name": _VERDICTS[value]})


def _press(action: str, style: int, **face: object) -> Json:
    return {"type": _BUTTON, "custom_id": action, "style": style, **face}


def _select(select: Select, number: int) -> Json:
    action = write_trace(ActionKind.SELECT, number, select.id)
    least, most = (0, len(select.options)) if select.multiple else (1, 1)
    menu = _menu(action, select.options, select.placeholder)
    return menu | {"min_values": least, "max_values": most}


def _menu(action: str, options: Iterable[Option], placeholder: str | None) -> Json:
    menu: Json = {
        "type": _MENU,
        "custom_id": action,
        "options": [{"label": one_line(each.label), "value": each.value} for each in options],
    }
    return menu if placeholder is None else menu | {"placeholder": one_line(placeholder)}


def _embeds(cards: Sequence[Card], render: Renderer) -> list[Json]:
    """Titles stand whole; texts and facts share what is left of the 6,000, in their order."""
    titles = [clipped(never_blank(literal(card.title), render), _MAX_TITLE_CHARS) for card in cards]
    room = MAX_EMBED_CHARS - sum(map(len, titles))
    embeds = []
    for title, card in zip(titles, cards, strict=True):
        description = clipped(shown(card.text, render), min(room, _MAX_DESCRIPTION_CHARS))
        room -= len(description)
        fields, room = _facts(card, room, render)
        embeds.append(_embed(card, title, description, fields))
    return embeds


def _embed(card: Card, title: str, description: str, fields: list[Json]) -> Json:
    embed: Json = {"title": title}
    if description:
        embed["description"] = description
    if fields:
        embed["fields"] = fields
    if card.url is not None:
        embed["url"] = card.url
    if card.image_url is not None:
        embed["image"] = {"url": card.image_url}
    return embed


def _facts(card: Card, room: int, render: Renderer) -> tuple[list[Json], int]:
    fields: list[Json] = []
    for fact in card.facts:
        name = clipped(never_blank(literal(fact.name), render), _MAX_FACT_NAME_CHARS)
        value = clipped(never_blank(fact.value, render), _MAX_FACT_VALUE_CHARS)
        if len(name) + len(value) > room:
            break
        room -= len(name) + len(value)
        fields.append({"name": name, "value": value, "inline": True})
    return fields, room


def _question(field: FormField) -> Json:
    return {"type": _LABEL, "label": one_line(field.label), "component": _input(field)}


def _input(field: FormField) -> Json:
    match field.kind:
        case FieldKind.TEXT | FieldKind.MULTILINE:
            text = _text(field, max_chars=_MAX_ANSWER_CHARS)
            return text | {"style": 2 if field.kind is FieldKind.MULTILINE else 1}
        case FieldKind.DATE:
            # Modals have no calendar.
            return {"placeholder": _DATE} | _text(field, max_chars=len(_DATE)) | {"style": 1}
        case FieldKind.CHECKBOX:
            return {"type": _CHECKBOX, "custom_id": field.id}
        case FieldKind.SELECT | FieldKind.MULTISELECT:
            most = len(field.options) if field.kind is FieldKind.MULTISELECT else 1
            limits: Json = {"max_values": most, "required": field.required}
            # Discord refuses 0 where an answer is required, and 1 is what it takes for granted.
            least: Json = {} if field.required else {"min_values": 0}
            return _menu(field.id, field.options, field.placeholder) | limits | least


def _text(field: FormField, *, max_chars: int) -> Json:
    text: Json = {
        "type": _TEXT,
        "custom_id": field.id,
        "required": field.required,
        "max_length": max_chars,
    }
    hint = field.placeholder
    return text if hint is None else text | {"placeholder": one_line(hint)}
