"""What a decision was built upon, for its commit to check.

Whose a workspace is need not be waited for: what was read before may be acted upon, since it is
asked again in the very write that stores the decision. No re-binding can overtake that.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.tenants import Binding

MOST_REMEMBERED: Final = 16_384


class Premise(msgspec.Struct, frozen=True):
    """A workspace's look-up key, and the binding that must still stand there, as it is stored."""

    key: str
    value: bytes


def premise_keys(premise: Premise | None) -> list[str]:
    """Name the key that scripts look at; it is the last of theirs."""
    return [] if premise is None else [premise.key]


def premise_argument(premise: Premise | None) -> bytes:
    """Tell scripts what must stand there."""
    return b"" if premise is None else premise.value


class Recalled(msgspec.Struct, frozen=True):
    """A binding as it was last read. Worth nothing without a commit that checks its premise."""

    binding: Binding
    premise: Premise


class Recollection:
    """The bindings that were read last, by their keys."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, Recalled] = {}

    def note(self, key: str, value: bytes, binding: Binding) -> None:
        """Remember what stands at a key."""
        known = self._known.pop(key, None)
        if known is None or known.premise.value != value:
            known = Recalled(binding, Premise(key, value))
        self._known[key] = known
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]  # the one that was read longest ago

    def forget(self, key: str) -> None:
        """Nothing stands there."""
        self._known.pop(key, None)

    def at(self, key: str) -> Recalled | None:
        """Give what stood there."""
        return self._known.get(key)
