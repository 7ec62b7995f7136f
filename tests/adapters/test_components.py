"""Ids that lead back to components, and plain text in places that read markup."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from adapters.components import (
    Trace,
    clipped,
    literal,
    one_line,
    read_trace,
    write_trace,
)
from gateway.core.events import ActionKind
from tests.contracts.components import IDS


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(ActionKind),
    number=st.integers(0, 99),
    component_id=IDS,
    value=st.text(max_size=50),
)
def test_an_id_leads_back(kind: ActionKind, number: int, component_id: str, value: str) -> None:
    """Whatever the value holds; and Discord's 100 characters are enough."""
    written = write_trace(kind, number, component_id, value)
    assert len(written) <= 100
    assert Trace(kind=kind, id=component_id, value=value) == read_trace(written)
    assert Trace(kind=kind, id=component_id) == read_trace(write_trace(kind, number, component_id))


@pytest.mark.parametrize(
    "written",
    [
        *("", "x", "gw", "gw:b0", "gw:b0:", "gw:x0:id", "gw:b:id", "gw:b1000:id", "GW:b0:id"),
        *("gw:b0:a b", "gw:b0:id\n", "\ngw:b0:id", "gw:b0:" + "x" * 41, "gw:b0:id:" + "x" * 51),
        *(None, 7, [], {}, b"gw:b0:id"),
    ],
)
def test_what_is_not_ours_leads_nowhere(written: object) -> None:
    """Other apps' components, older ones of ours, and anything that a client makes up."""
    assert read_trace(written) is None


@pytest.mark.parametrize(
    "text",
    ["a *b* _c_ ~~d~~ `e`", "[x](https://e.example) <b> &amp;", "\\ \\* | ! @everyone", "1. # -"],
)
def test_a_title_is_no_markdown(text: str) -> None:
    """Its signs are shown, on one line."""
    block, inline, _ = MarkdownIt("commonmark").parse(literal(f" {text}\n"))
    assert "paragraph_open" == block.type
    assert {"text", "text_special"} >= {token.type for token in inline.children or []}
    assert text == "".join(token.content for token in inline.children or [])


@pytest.mark.parametrize(
    ("text", "shown"),
    [("  a \n b\t", "a b"), ("\u202eexe.gnp\x1b[1m", "exe.gnp[1m"), ("\x1b", "\u200b")],
)
def test_a_label_holds_no_control_characters(text: str, shown: str) -> None:
    """And is never blank, which platforms refuse."""
    assert shown == one_line(text)


@pytest.mark.parametrize(
    ("limit", "shown"), [(6, "abcdef"), (5, "abcd…"), (1, "…"), (0, ""), (-1, "")]
)
def test_a_cut_is_seen(limit: int, shown: str) -> None:
    """As long as there is room for a sign."""
    assert shown == clipped("abcdef", limit)
