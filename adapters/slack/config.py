"""The settings of the Slack adapter. Reads no environment."""

from __future__ import annotations

import msgspec
from yarl import URL


class SlackConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One Slack app.

    `app_token` is the app's `xapp-` token with `connections:write`, and `authorizations:read` for
    shared channels; bot tokens come with each message. `sockets` of at most 10 share the events
    between them. A connection that brings no whole frame for `dead_after_s`, though it is pinged
    all the time, is replaced. `max_in_flight` events may wait for their commit before reading
    stops, or requests are refused.
    A frame over `max_frame_bytes` is ignored, one over four times that ends its socket.

    The wait before an attempt to connect is drawn from 0 to a ceiling: `backoff_base_s`, doubled by
    each failure up to `backoff_cap_s`, and anew after a connection that lived `healthy_after_s`. A
    refusal that only a person can lift is tried again after `refused_retry_s`. A socket that Slack
    announced to close is read for at most `linger_s` more. On a stop, commits under way have
    `drain_s` to end. `call_timeout_s` bounds one call of the Web API.

    Every `watch_every_s` watch.py looks for sockets that are open and deaf, by these: one that has
    brought nothing for `silent_after_s` although others did; one that was silent for as long as
    Slack waits before it sends an event again (`resends_after_s`, for each time); all, when nothing
    has come for `quiet_after_s`, `quiet_at_once` times and then once in `quiet_every_s`. None gets
    much older than `max_age_s`.

    Requests are verified by `signing_secrets`, newest first; one of more than `max_body_bytes`, or
    whose body takes longer than `body_timeout_s`, is refused. `command_reply` is what a person who
    used a slash command reads at once; nothing when it is empty. `agent_view` says that the app has
    the agent view, and with it sessions.
    """

    app_token: str = ""
    signing_secrets: tuple[str, ...] = ()
    api_base_url: str = "https://slack.com/api/"
    allowed_hosts: tuple[str, ...] = ("slack.com",)
    sockets: int = 2
    dead_after_s: float = 8.0
    max_in_flight: int = 256
    max_frame_bytes: int = 4 * 1024 * 1024
    backoff_base_s: float = 0.25
    backoff_cap_s: float = 8.0
    refused_retry_s: float = 8.0
    healthy_after_s: float = 5.0
    connect_timeout_s: float = 6.0
    call_timeout_s: float = 15.0
    linger_s: float = 30.0
    drain_s: float = 3.0
    max_body_bytes: int = 1024 * 1024
    body_timeout_s: float = 5.0
    command_reply: str = ""
    agent_view: bool = False
    watch_every_s: float = 1.0
    silent_after_s: float = 10.0
    resends_after_s: tuple[float, ...] = (3.0, 60.0, 300.0)
    quiet_after_s: float = 45.0
    quiet_at_once: int = 3
    quiet_every_s: float = 600.0
    max_age_s: float = 3600.0

    def __repr__(self) -> str:
        """Keep the token and the secrets out of logs and tracebacks."""
        return f"SlackConfig(api_base_url={self.api_base_url!r}, sockets={self.sockets})"

    def method_url(self, method: str) -> str:
        """Where a Web API method is."""
        return f"{self.api_base_url.rstrip('/')}/{method}"

    def trusted_socket_url(self, text: str) -> URL | None:
        """Return the URL that apps.connections.open gave, None when it must not be connected to.

        Whoever answers that call would otherwise choose which host the gateway talks to. What was
        checked is returned parsed, so that nobody parses it in another way.
        """
        try:
            base, url = URL(self.api_base_url), URL(text)
        except ValueError:
            return None
        host = (url.host or "").rstrip(".").lower()
        schemes = {"ws", "wss"} if base.scheme == "http" else {"wss"}
        known = host == base.host or any(
            host == allowed or host.endswith(f".{allowed}") for allowed in self.allowed_hosts
        )
        return url if host and url.scheme in schemes and known else None
