"""Ids that become parts of keys, labels and headers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ids import (
    UNROUTED,
    new_delivery_id,
    new_message_id,
    parse_agent_id,
    parse_tenant_id,
)


@pytest.mark.parametrize("text", ["a", "0", "acme", "acme-2", "a" * 63])
def test_a_slug_is_taken_as_it_is(text: str) -> None:
    """Letters, digits and dashes, up to 63."""
    assert text == parse_tenant_id(text)
    assert text == parse_agent_id(text)


@pytest.mark.parametrize(
    "text",
    ["", "-a", "A", "a_b", "a:b", "{s1}", "a b", "a\n", "a.b", "ä", "a" * 64, "a\x1fb", UNROUTED],
)
def test_what_could_break_out_of_a_key_is_no_slug(text: str) -> None:
    """The pseudo-tenant of unrouted events can never be registered either."""
    with pytest.raises(ValueError, match="tenant id"):
        parse_tenant_id(text)
    with pytest.raises(ValueError, match="agent id"):
        parse_agent_id(text)


@given(text=st.text(max_size=70))
def test_only_slugs_are_taken(text: str) -> None:
    """What gets through has the one shape."""
    try:
        parse_tenant_id(text)
    except ValueError:
        return
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text, re.ASCII)


def test_new_ids_are_unlike_each_other_and_hold_no_dot() -> None:
    """Standard Webhooks joins id, time and body by dots: one in the id would be ambiguous."""
    ids = [*(new_delivery_id() for _ in range(100)), *(new_message_id() for _ in range(100))]

    assert 200 == len(set(ids))
    assert [] == [each for each in ids if not re.fullmatch(r"(dlv|msg)_[0-9a-f]{24}", each)]


_FORKS = """
import os
from gateway.core.ids import new_delivery_id

made = [new_delivery_id()]
ours, theirs = os.pipe()
if os.fork() == 0:
    os.write(theirs, new_delivery_id().encode())
    os._exit(0)
os.wait()
made += [new_delivery_id() for _ in range(1000)]
print(os.read(ours, 100).decode(), *made)
"""


def test_a_forked_process_makes_other_ids_than_its_parent() -> None:
    """Both go on from the same memory, where ids lie ready."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _FORKS], capture_output=True, text=True, check=True
    )
    of_child, *of_parent = done.stdout.split()

    assert re.fullmatch(r"dlv_[0-9a-f]{24}", of_child)
    assert 1001 == len(of_parent)
    assert of_child not in of_parent
