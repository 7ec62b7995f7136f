"""What a Slack source tells about itself, for metrics."""

from __future__ import annotations

from typing import Protocol


class SocketObserver(Protocol):
    """Called from the event loop; must neither block nor raise. All words are of closed sets."""

    def connected(self, open_sockets: int) -> None:
        """So many sockets are open now; called when one opens and when one has ended."""

    def disconnected(self, reason: str) -> None:
        """A socket was announced to end, was lost, or could not be opened."""

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

    def disconnected(self, reason: str) -> None:
        """Say nothing."""

    def frame(self, kind: str) -> None:
        """Say nothing."""

    def unacked(self, reason: str) -> None:
        """Say nothing."""
