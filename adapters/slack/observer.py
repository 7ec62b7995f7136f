"""What a Slack source tells about itself, for metrics."""

from __future__ import annotations

from typing import Final, Protocol

ENDS: Final = frozenset(
    {
        "closed",
        "link_disabled",
        "missed",
        "other",
        "planned",
        "quiet",
        "refresh_requested",
        "refused",
        "silent",
        "stalled",
        "too_many_websockets",
        "uncounted",
        "unheard",
        "unreachable",
        "warning",
    }
)
"""Why a socket was replaced or could not be opened: Slack's own words, and those of watch.py."""


class SocketObserver(Protocol):
    """Called from the event loop; must neither block nor raise. All words are of closed sets."""

    def connected(self, open_sockets: int) -> None:
        """So many sockets are open now; called when one opens and when one has ended."""

    def counted(self, sockets: int) -> None:
        """So many sockets has the app by Slack's count, those of other processes included."""

    def disconnected(self, reason: str) -> None:
        """A socket was announced to end, was lost, was replaced, or could not be opened: ENDS."""

    def answered(self, after_s: float) -> None:
        """A ping was answered."""

    def silence(self, slot: int, lasting_s: float) -> None:
        """The sockets of a slot, numbered from 1, have brought no event for so long."""

    def frame(self, kind: str) -> None:
        """One of hello, disconnect, events_api, slash_commands, interactive, malformed, other."""

    def unacked(self, reason: str) -> None:
        """An envelope was left for Slack to send again: store_error, queue_full, dialog, fault,
        socket_closed, stopped. A request was not let in: bad_signature, stale, replayed, too_large,
        too_slow, busy.
        """


class Unobserved:
    """A SocketObserver that keeps everything to itself."""

    def connected(self, open_sockets: int) -> None:
        """Say nothing."""

    def counted(self, sockets: int) -> None:
        """Say nothing."""

    def disconnected(self, reason: str) -> None:
        """Say nothing."""

    def answered(self, after_s: float) -> None:
        """Say nothing."""

    def silence(self, slot: int, lasting_s: float) -> None:
        """Say nothing."""

    def frame(self, kind: str) -> None:
        """Say nothing."""

    def unacked(self, reason: str) -> None:
        """Say nothing."""
