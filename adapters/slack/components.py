"""Turn portable components into Block Kit. Pure: no network, no SDK.

What people do with them comes back through components_in. Labels are plain_text; a card's text and
values are Markdown. Nothing is left out: cards' texts of more than 6,000 characters are cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final

from adapters.components import literal, never_blank, one_line, shown, write_trace
from adapters.markdown.slack import SLACK_ATOM
from adapters.markdown.split import FENCE, Block, split
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
)
from gateway.core.events import ActionKind
from gateway.core.ids import MessageId
from gateway.core.ports import Renderer

Json = dict[str, object]

# https://docs.slack.dev/reference/block-kit/blocks and .../composition-objects/text-object
MAX_BLOCKS: Final = 50
_MAX_SECTION_CHARS = 3_000
_MAX_FIELD_CHARS = 2_000
_MAX_OPTION_CHARS = 75
_MAX_ANSWER_CHARS = 3_000
# Ten cards of this many sections, their facts, their images and the text of the message: 44 blocks.
_MAX_CARD_SECTIONS = 2

ANSWER: Final = "answer"
"""The action_id of every input of a form; its block_id is the field's id."""

_FENCED = re.compile(rf"^{FENCE}\n(.*?)\n{FENCE}$", re.DOTALL | re.MULTILINE)


def slack_blocks(
    components: Iterable[Component], *, render: Renderer, message: MessageId
) -> list[Json]:
    """Return the blocks of components, less than 50. `message` is the gateway's id of the message,
    by which its forms are found; `render` gives mrkdwn.
    """
    numbers = count()
    return [block for each in components for block in _blocks(each, numbers, render, message)]


def sections(mrkdwn: str) -> list[Json]:
    """Return rendered text as sections, each as long as Slack takes."""
    return [_section(piece) for piece in _pieces(mrkdwn, _MAX_SECTION_CHARS)]


def slack_form_view(form: Form, *, private_metadata: str) -> Json:
    """Return the view for views.open. `private_metadata`, at most 3,000 characters, comes back
    with the answers. https://docs.slack.dev/reference/views/modal-views
    """
    return {
        "type": "modal",
        "callback_id": write_trace(ActionKind.FORM, 0, form.id),
        "private_metadata": private_metadata,
        "title": _plain(form.title),
        "submit": _plain(form.submit),
        "blocks": [_input(field) for field in form.fields],
    }


def _blocks(
    component: Component, numbers: Iterator[int], render: Renderer, message: MessageId
) -> list[Json]:
    match component:
        case Buttons():
            return [_actions([_button(each, next(numbers)) for each in component.buttons])]
        case Select():
            return [_menu_block(component, next(numbers))]
        case Form():
            return [_actions([_form_button(component, next(numbers), message)])]
        case Card():
            return _card(component, render)
        case Feedback():
            return [_feedback(component, next(numbers))]


def _actions(elements: Sequence[Json]) -> Json:
    return {"type": "actions", "elements": elements}


def _button(button: Button, number: int) -> Json:
    element: Json = {
        "type": "button",
        "text": _plain(button.label),
        "action_id": write_trace(ActionKind.BUTTON, number, button.id),
    }
    if button.url is not None:
        # Slack tells of these too: an id that is none of ours keeps that from the agent.
        element |= {"url": button.url, "action_id": f"link:{number}"}
    elif button.value:
        element["value"] = button.value
    if button.style is not ButtonStyle.DEFAULT:
        element["style"] = button.style.value
    return element


def _form_button(form: Form, number: int, message: MessageId) -> Json:
    # The value comes back with the press, also from a message that Slack tells nothing else of.
    return {
        "type": "button",
        "text": _plain(form.label),
        "action_id": write_trace(ActionKind.FORM, number, form.id),
        "value": message,
    }


def _menu_block(select: Select, number: int) -> Json:
    menu = _menu(select.options, select.placeholder, multiple=select.multiple)
    menu["action_id"] = write_trace(ActionKind.SELECT, number, select.id)
    if not select.multiple:
        return _actions([menu])
    # An actions block is documented to hold menus of one choice only.
    text = _plain(select.placeholder or "Choose")
    return {"type": "section", "text": text, "accessory": menu}


def _menu(options: Iterable[Option], placeholder: str | None, *, multiple: bool) -> Json:
    menu: Json = {
        "type": "multi_static_select" if multiple else "static_select",
        "options": [{"text": _plain(each.label), "value": each.value} for each in options],
    }
    return menu if placeholder is None else menu | {"placeholder": _plain(placeholder)}


def _feedback(feedback: Feedback, number: int) -> Json:
    """https://docs.slack.dev/reference/block-kit/block-elements/feedback-buttons-element"""
    element: Json = {
        "type": "feedback_buttons",
        "action_id": write_trace(ActionKind.FEEDBACK, number, feedback.id),
        "positive_button": {"text": _plain("👍"), "value": "positive"},
        "negative_button": {"text": _plain("👎"), "value": "negative"},
    }
    return {"type": "context_actions", "elements": [element]}


def _card(card: Card, render: Renderer) -> list[Json]:
    title = f"**{literal(card.title)}**"
    linked = title if card.url is None else f"[{title}](<{card.url}>)"
    text = "\n".join([never_blank(linked, render), shown(card.text, render)]).rstrip("\n")
    blocks = [_section(piece) for piece in _cut(text, _MAX_SECTION_CHARS, _MAX_CARD_SECTIONS)]
    if card.facts:
        fields = [_fact(fact.name, fact.value, render) for fact in card.facts]
        blocks.append({"type": "section", "fields": fields})
    if card.image_url is not None:
        blocks.append(
            {"type": "image", "image_url": card.image_url, "alt_text": one_line(card.title)}
        )
    return blocks


def _fact(name: str, value: str, render: Renderer) -> Json:
    heading = never_blank(f"**{literal(name)}**", render) + "\n"
    room = _MAX_FIELD_CHARS - len(heading)
    return _mrkdwn(heading + _cut(never_blank(value, render), room, 1)[0])


def _section(text: str) -> Json:
    # A long answer must not hide behind "Show more".
    return {"type": "section", "text": _mrkdwn(text), "expand": True}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": one_line(text), "emoji": True}


def _mrkdwn(text: str) -> Json:
    # Else Slack looks for mentions in the text, whatever has been escaped.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _cut(text: str, max_chars: int, max_pieces: int) -> list[str]:
    pieces = _pieces(text, max_chars - len("\n…"))
    if len(pieces) > max_pieces:
        pieces[max_pieces - 1] += "\n…"
    return pieces[:max_pieces]


def _pieces(mrkdwn: str, max_chars: int) -> list[str]:
    """Cut rendered text without opening a code block in one piece and closing it in another."""
    odd_is_code = enumerate(_FENCED.split(mrkdwn))
    blocks = [
        Block(text=text if index % 2 else text.strip("\n"), fenced=bool(index % 2))
        for index, text in odd_is_code
        if index % 2 or text.strip()
    ]
    return split(blocks, limit=max_chars, atom=SLACK_ATOM)


def _input(field: FormField) -> Json:
    """https://docs.slack.dev/reference/block-kit/blocks/input-block"""
    return {
        "type": "input",
        "block_id": field.id,
        "label": _plain(field.label),
        "element": _answer(field) | {"action_id": ANSWER},
        # A box that has to be ticked could not be answered with no.
        "optional": not field.required or field.kind is FieldKind.CHECKBOX,
    }


def _answer(field: FormField) -> Json:
    placeholder: Json = {"placeholder": _plain(field.placeholder)} if field.placeholder else {}
    match field.kind:
        case FieldKind.TEXT | FieldKind.MULTILINE:
            multiline = field.kind is FieldKind.MULTILINE
            limits: Json = {"multiline": multiline, "max_length": _MAX_ANSWER_CHARS}
            return {"type": "plain_text_input"} | limits | placeholder
        case FieldKind.SELECT | FieldKind.MULTISELECT:
            multiple = field.kind is FieldKind.MULTISELECT
            return _menu(field.options, field.placeholder, multiple=multiple)
        case FieldKind.CHECKBOX:
            text = (field.placeholder or field.label)[:_MAX_OPTION_CHARS]
            return {"type": "checkboxes", "options": [{"text": _plain(text), "value": "true"}]}
        case FieldKind.DATE:
            return {"type": "datepicker"} | placeholder
