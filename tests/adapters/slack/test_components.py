"""Components as Block Kit, and what Slack tells of their use."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.slack.components import MAX_BLOCKS, sections, slack_blocks, slack_form_view
from adapters.slack.components_in import action_of, form_to_open, submission_of
from adapters.slack.outbound import render_mrkdwn
from gateway.core.components import Button, Buttons, Card, Component, Fact
from gateway.core.events import Action, ActionKind
from gateway.core.ids import MessageId
from tests.adapters.slack.client import SlackSubject
from tests.contracts.components import BUTTONS, CARD, FORM, MULTISELECT, ONE_OF_EACH, SELECT

MESSAGE = MessageId("msg_0000")
PRESSED = {"type": "button", "action_id": "gw:b0:vote", "block_id": "b1", "value": "yes"}


def blocks(*components: Component) -> list[dict[str, Any]]:
    """Their blocks."""
    return slack_blocks(components, render=render_mrkdwn, message=MESSAGE)


def plain(text: str) -> dict[str, object]:
    """A text without markup."""
    return {"type": "plain_text", "text": text, "emoji": True}


def test_buttons_are_one_row() -> None:
    """With ids of their own although the agent gave two of them one."""
    (row,) = blocks(BUTTONS)
    assert [
        {
            "type": "button",
            "text": plain("Yes"),
            "action_id": "gw:b0:vote",
            "value": "yes",
            "style": "primary",
        },
        {
            "type": "button",
            "text": plain("No: never"),
            "action_id": "gw:b1:vote",
            "value": "a:b",
            "style": "danger",
        },
        {"type": "button", "text": plain("More <!channel>"), "action_id": "gw:b2:more"},
        {
            "type": "button",
            "text": plain("Docs"),
            "action_id": "link:3",
            "url": "https://docs.example/(page)?a=1&b=2",
        },
    ] == row["elements"]


def test_a_menu_of_several_choices_stands_beside_a_text() -> None:
    """In an actions block Slack documents menus of one choice alone."""
    one, several = blocks(SELECT, MULTISELECT)
    assert ("actions", "static_select") == (one["type"], one["elements"][0]["type"])
    assert ("section", "multi_static_select") == (several["type"], several["accessory"]["type"])
    assert plain("Choose") == several["text"]


def test_a_card_is_a_section_its_facts_and_its_image() -> None:
    """The title is no Markdown; text and values are, and Slack looks for no mentions in them."""
    section, facts, image = blocks(CARD)
    assert "It is *late*, see <https://e.example/x|here>." == section["text"]["text"].split("\n")[1]
    assert section["text"]["text"].startswith("<https://e.example/42|Ticket ")
    assert [("mrkdwn", True)] * 2 == [(each["type"], each["verbatim"]) for each in facts["fields"]]
    assert ["*State*\n*open*", "*Owner*\nAnn &amp; Bob"] == [
        each["text"] for each in facts["fields"]
    ]
    assert ("https://e.example/i.png", "Ticket *42* <!here>") == (
        image["image_url"],
        image["alt_text"],
    )


def test_a_long_text_is_cut_between_lines_and_its_code_stays_code() -> None:
    """A section holds 3,000 characters, a message more."""
    lines = [f"line {number}" for number in range(400)]
    shown: list[Any] = [
        each["text"] for each in sections("\n".join(["Look:", "```", *lines, "```"]))
    ]
    texts = [each["text"] for each in shown]
    assert [2, 2] == [text.count("```") for text in texts]
    assert lines == [line for text in texts for line in text.split("\n") if line[:5] == "line "]


def test_a_card_that_is_too_long_is_cut_and_says_so() -> None:
    """6,000 characters of it are shown, and its facts."""
    card = Card(title="T", text="&" * 2000, facts=(Fact(name="N", value="<" * 500),))
    *sections, facts = blocks(card)
    assert 2 == len(sections)
    assert sections[-1]["text"]["text"].endswith("&amp;\n…")
    assert facts["fields"][0]["text"].endswith("&lt;\n…")


def test_ten_cards_and_a_text_are_not_too_many_blocks() -> None:
    """The largest message there can be."""
    card = Card(
        title="T",
        text="&" * 2000,
        facts=(Fact(name="N", value="V"),) * 10,
        image_url="https://e.example/i.png",
    )
    assert 40 + len(sections("word " * 2_400)) < MAX_BLOCKS
    assert 40 == len(blocks(*[card] * 10))


def test_a_form_is_a_button_and_a_dialog() -> None:
    """A box may be left without a tick, whatever was required."""
    (row,) = blocks(FORM)
    view: Any = slack_form_view(FORM, private_metadata="from here")
    button = row["elements"][0]
    assert ("order", MESSAGE) == (form_to_open(button), button["value"])
    assert ("modal", "gw:f0:order", "from here") == (
        view["type"],
        view["callback_id"],
        view["private_metadata"],
    )
    assert [
        ("name", "plain_text_input", False),
        ("wish", "plain_text_input", True),
        ("size", "static_select", False),
        ("terms", "checkboxes", True),
        ("day", "datepicker", False),
    ] == [
        (block["block_id"], block["element"]["type"], block["optional"]) for block in view["blocks"]
    ]


def test_a_press_is_the_agents_action() -> None:
    """With the value; a button without one has an empty one."""
    assert Action(id="vote", kind=ActionKind.BUTTON, values=("yes",)) == action_of(PRESSED)
    assert Action(id="vote", kind=ActionKind.BUTTON, values=("",)) == action_of(
        {"type": "button", "action_id": "gw:b0:vote"}
    )


@pytest.mark.parametrize(
    "element",
    [
        None,
        {},
        {"type": "button"},
        PRESSED | {"action_id": "approve"},
        PRESSED | {"action_id": "link:3", "url": "https://e.example"},
        PRESSED | {"action_id": "gw:f0:order"},
        PRESSED | {"action_id": "gw:t0:vote", "value": "maybe"},
        PRESSED | {"action_id": "gw:s0:vote"},
        PRESSED | {"type": "static_select"},
        PRESSED | {"value": 7},
        {"type": "static_select", "action_id": "gw:s0:x", "selected_option": "s"},
    ],
)
def test_what_is_no_use_of_a_component_is_no_action(element: object) -> None:
    """Links, buttons of forms, other apps' blocks, and what does not fit its id."""
    assert action_of(element) is None


def test_choices_can_be_taken_back() -> None:
    """A menu of several is then empty."""
    element = {"type": "multi_static_select", "action_id": "gw:s0:x", "selected_options": []}
    assert Action(id="x", kind=ActionKind.SELECT) == action_of(element)


def test_what_was_left_empty_is_no_answer() -> None:
    """A box without a tick is one."""
    state = {
        "name": {"answer": {"type": "plain_text_input", "value": None}},
        "size": {"answer": {"type": "static_select", "selected_option": None}},
        "day": {"answer": {"type": "datepicker", "selected_date": None}},
        "terms": {"answer": {"type": "checkboxes", "selected_options": []}},
        "odd id!": {"answer": {"type": "plain_text_input", "value": "x"}},
        "other": {"something": {"type": "plain_text_input", "value": "x"}},
    }
    view = {"callback_id": "gw:f0:order", "state": {"values": state}}
    assert Action(id="order", kind=ActionKind.FORM, fields={"terms": ("false",)}) == submission_of(
        view
    )


@pytest.mark.parametrize(
    "view",
    [
        None,
        {"callback_id": "other"},
        {"callback_id": "gw:b0:order"},
        {"callback_id": "gw:f0:order", "state": {"values": {"name": {"answer": "x"}}}},
    ],
)
def test_a_dialog_that_is_none_of_ours_is_no_answer(view: object) -> None:
    """Or one that is damaged."""
    assert submission_of(view) is None


def test_the_check_of_the_contract_sees_faults() -> None:
    """Else it would prove nothing."""
    subject = SlackSubject()
    shown: Any = subject.show(ONE_OF_EACH).payload
    shown["blocks"][1]["elements"][1]["action_id"] = "gw:b0:vote"
    shown["blocks"][1]["elements"][2]["text"] = plain("x" * 76)
    shown["blocks"] += blocks(*[Buttons(buttons=(Button(id="a", label="A"),))] * 50)
    faults = subject.faults(shown)
    assert "gw:b0:vote twice" in faults
    assert "more than 50 blocks" in faults
    assert any("75 characters" in fault for fault in faults)
