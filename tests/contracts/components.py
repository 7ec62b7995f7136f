"""Components for the contract: one of each, any of them, and what people answer to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from gateway.core.components import (
    Button,
    Buttons,
    ButtonStyle,
    Card,
    Component,
    Fact,
    Feedback,
    FieldKind,
    Form,
    FormField,
    Option,
    Select,
)
from gateway.core.events import Action, ActionKind

OPTIONS: Final = tuple(
    Option(label=f"Size {size}", value=value)
    for size, value in [("small", "s"), ("medium", "m"), ("large, 100%", "l,100%2C")]
)
BUTTONS: Final = Buttons(
    buttons=(
        Button(id="vote", label="Yes", value="yes", style=ButtonStyle.PRIMARY),
        Button(id="vote", label="No: never", value="a:b", style=ButtonStyle.DANGER),
        Button(id="more", label="More <!channel>"),
        Button(id="page", label="Docs", url="https://docs.example/(page)?a=1&b=2"),
    )
)
SELECT: Final = Select(id="size", options=OPTIONS, placeholder="Which size?")
MULTISELECT: Final = Select(id="sizes", options=OPTIONS, multiple=True)
FORM: Final = Form(
    id="order",
    title="An order",
    label="Order now",
    submit="Send",
    fields=(
        FormField(id="name", label="Your name", placeholder="Ann"),
        FormField(id="wish", label="Anything else?", kind=FieldKind.MULTILINE, required=False),
        FormField(id="size", label="The size", kind=FieldKind.SELECT, options=OPTIONS),
        FormField(id="terms", label="I agree", kind=FieldKind.CHECKBOX),
        FormField(id="day", label="Until when", kind=FieldKind.DATE),
    ),
)
WISHES: Final = Form(
    id="wishes",
    title="Wishes",
    fields=(FormField(id="all", label="All", kind=FieldKind.MULTISELECT, options=OPTIONS),),
)
CARD: Final = Card(
    title="Ticket *42* <!here>",
    text="It is **late**, see [here](https://e.example/x).",
    facts=(Fact(name="State", value="**open**"), Fact(name="Owner", value="Ann & Bob")),
    image_url="https://e.example/i.png",
    url="https://e.example/42",
)
FEEDBACK: Final = Feedback(id="answer.1")
ONE_OF_EACH: Final = (BUTTONS, SELECT, MULTISELECT, FORM, WISHES, CARD, FEEDBACK)

WORDS: Final = "two words"
LINES: Final = "two\nlines, 100%"
DATE: Final = "2026-01-31"
TYPED: Final = {
    FieldKind.TEXT: WORDS,
    FieldKind.MULTILINE: LINES,
    FieldKind.DATE: DATE,
    FieldKind.CHECKBOX: "true",
}
"""What a person fills in; of options all that may be chosen, else the last one."""


def picked(options: Sequence[Option], *, multiple: bool) -> tuple[str, ...]:
    """The values that a person chooses."""
    return tuple(option.value for option in (options if multiple else options[-1:]))


def answer(field: FormField) -> tuple[str, ...]:
    """What a person answers to one question of a form."""
    if field.options:
        return picked(field.options, multiple=field.kind is FieldKind.MULTISELECT)
    return (TYPED[field.kind],)


def actions(components: Sequence[Component]) -> list[Action]:
    """What the agent hears when a person uses everything once, from the top to the bottom."""
    return [action for component in components for action in _actions(component)]


def _actions(component: Component) -> list[Action]:
    match component:
        case Buttons():
            return [
                Action(id=button.id, kind=ActionKind.BUTTON, values=(button.value,))
                for button in component.buttons
                if button.url is None
            ]
        case Select():
            values = picked(component.options, multiple=component.multiple)
            return [Action(id=component.id, kind=ActionKind.SELECT, values=values)]
        case Form():
            fields = {field.id: answer(field) for field in component.fields}
            return [Action(id=component.id, kind=ActionKind.FORM, fields=fields)]
        case Feedback():
            kind = ActionKind.FEEDBACK
            verdicts = ("positive", "negative")
            return [Action(id=component.id, kind=kind, values=(value,)) for value in verdicts]
        case Card():
            return []


_ODD = [
    *("\u202e", "\x1b", "\u200b"),
    "<!channel>",
    "@everyone",
    "<@U1>",
    "```",
    "**",
    "](x)",
    "|",
    "\\",
    "\n",
    "&",
    "😀",
    ":",
    ",",
]
_PLAIN = st.characters(codec="utf-8", exclude_characters="\x00")


def _text(min_chars: int, max_chars: int) -> st.SearchStrategy[str]:
    # Wide texts are what limits break at, and random ones are seldom wide.
    wide = st.sampled_from(["W", "&", "<", "😀", "* ", "|a\n", "```\n"]).map(
        lambda sign: (sign * max_chars)[:max_chars]
    )
    odd = st.lists(st.sampled_from(_ODD) | st.text(_PLAIN, max_size=5), max_size=8).map("".join)
    return (wide | odd.map(lambda text: text[:max_chars])).filter(
        lambda text: len(text) >= min_chars
    )


def _visible(max_chars: int) -> st.SearchStrategy[str]:
    return _text(1, max_chars).filter(lambda text: re.search(r"\S", text) is not None)


_VALUES = _text(0, 90).map(lambda text: re.sub(r"[\x00-\x1f\x7f]", "", text).strip())
IDS = st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True)
URLS = st.sampled_from(["https://e.example/a(b)?c=1&d=*_~#e", "http://h:8080", None]) | st.just(
    "https://e.example/" + "u" * 490
)
_OPTIONS = st.lists(
    st.builds(Option, label=_visible(75), value=_VALUES.map(lambda value: value[:90] or "-")),
    min_size=1,
    max_size=25,
    unique_by=lambda option: option.value,
).map(tuple)


@st.composite
def _fields(draw: st.DrawFn, field_id: str) -> FormField:
    kind = draw(st.sampled_from(FieldKind))
    has_options = kind in {FieldKind.SELECT, FieldKind.MULTISELECT}
    return FormField(
        id=field_id,
        label=draw(_visible(45)),
        kind=kind,
        required=draw(st.booleans()),
        placeholder=draw(st.none() | _visible(100)),
        options=draw(_OPTIONS) if has_options else (),
    )


@st.composite
def _forms(draw: st.DrawFn) -> Form:
    ids = draw(st.lists(IDS, min_size=1, max_size=5, unique=True))
    return Form(
        id=draw(IDS),
        title=draw(_visible(24)),
        fields=tuple(draw(_fields(field_id)) for field_id in ids),
        label=draw(_visible(75)),
        submit=draw(_visible(24)),
    )


_BUTTONS = st.builds(
    Button,
    id=IDS,
    label=_visible(75),
    value=_VALUES.map(lambda value: value[:50]),
    style=st.sampled_from(ButtonStyle),
    url=URLS,
)
_FACTS = st.builds(Fact, name=_visible(150), value=_visible(500))
CARDS = st.builds(
    Card,
    title=_visible(150),
    text=_text(0, 2000),
    facts=st.lists(_FACTS, max_size=10).map(tuple),
    image_url=URLS,
    url=URLS,
)
SELECTS = st.builds(
    Select,
    id=IDS,
    options=_OPTIONS,
    placeholder=st.none() | _visible(150),
    multiple=st.booleans(),
)
COMPONENTS = st.lists(
    st.builds(Buttons, buttons=st.lists(_BUTTONS, min_size=1, max_size=25).map(tuple))
    | SELECTS
    | _forms()
    | CARDS
    | st.builds(Feedback, id=IDS),
    min_size=1,
    max_size=10,
    # Nobody could tell which of two forms of one id was opened.
    unique_by=lambda component: component.id if isinstance(component, Form) else id(component),
)
FORMS = _forms()
