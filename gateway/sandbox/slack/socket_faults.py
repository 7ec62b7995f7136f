"""What goes wrong with the app's sockets: each is a call of its own, and takes effect at once."""

from __future__ import annotations

from gateway.sandbox.slack.ledger import SlackLedger


class SlackSocketFaults(SlackLedger):
    """The part of SlackSandbox that breaks sockets."""

    def disconnect_all(self, reason: str, *, grace_s: float | None = None) -> None:
        """Send a `disconnect` frame to every open connection and close each after `grace_s`.

        `reason`: warning, refresh_requested, link_disabled or too_many_websockets.
        """
        self._sockets.disconnect_all(reason, grace_s)

    def close_announced(self) -> None:
        """Close the connections that `disconnect_all` told of, now."""
        self._sockets.close_announced()

    def lose_patience(self) -> None:
        """Let `ack_deadline_s` be over now for all that was sent and is not acknowledged."""
        self._courier.lose_patience()

    def hang_up_on(self, times: int, reason: str) -> None:
        """Greet the next `times` connections, and send them away at once for `reason`."""
        self._sockets.hang_up_on(times, reason)

    def drop_sockets(self) -> None:
        """Reset every connection (TCP RST)."""
        self._sockets.reset_all()

    def freeze_sockets(self) -> None:
        """Keep every open connection but neither read nor write on it again."""
        self._sockets.freeze_all()

    def stall_sockets(self, *, drip_every_s: float | None = None) -> None:
        """Stop every connection in the middle of a frame, which then drips or stands still."""
        self._sockets.stall_all(drip_every_s)

    def deafen_sockets(self, *numbers: int) -> None:
        """Answer pings on these connections and bring nothing; on all open ones if none is named.

        They go on getting their share of the events, as the many reports have it:
        https://github.com/slackapi/python-slack-sdk/issues/1701
        """
        self._sockets.deafen(numbers)

    def forget_sockets(self, count: int) -> None:
        """Count so many connections less than are open (`num_connections`), from now on."""
        self._sockets.forget(count)

    def refuse_upgrades(self, times: int) -> None:
        """Answer the next handshakes with HTTP 503."""
        self._sockets.refuse(times)

    def spoil_tickets(self, times: int) -> None:
        """Let the next WebSocket URLs be too old by the time they are used (HTTP 403)."""
        self._sockets.spoil_tickets(times)

    def greet_nobody(self, times: int) -> None:
        """Accept the next connections and never say hello on them, nor anything else."""
        self._sockets.greet_nobody(times)
