"""The numbers of Slack's documents, in one frozen object; tests shrink them, nothing else does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

TEXT_LIMIT: Final = 40_000
"""Longer `text` is cut. https://docs.slack.dev/reference/methods/chat.postMessage/"""

UPDATE_TEXT_LIMIT: Final = 4_000
"""Longer `text` is refused. https://docs.slack.dev/reference/methods/chat.update/"""

MARKDOWN_TEXT_LIMIT: Final = 12_000
BLOCKS_LIMIT: Final = 50
ATTACHMENTS_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` calls in the long run, `burst` at once."""

    per_second: float
    burst: int


TIERS: Final[Mapping[str, Rate]] = MappingProxyType(
    {
        "apps.connections.open": Rate(50 / 60, 50),
        "chat.update": Rate(50 / 60, 50),
        "chat.delete": Rate(50 / 60, 50),
        "chat.postEphemeral": Rate(100 / 60, 100),
        "chat.startStream": Rate(20 / 60, 20),
        "chat.appendStream": Rate(100 / 60, 100),
        "chat.stopStream": Rate(20 / 60, 20),
        "agents.sessions.setStatus": Rate(50 / 60, 50),
        "reactions.add": Rate(50 / 60, 50),
        "reactions.remove": Rate(20 / 60, 20),
        "conversations.open": Rate(50 / 60, 50),
        "conversations.info": Rate(50 / 60, 50),
        "conversations.list": Rate(20 / 60, 20),
        "conversations.history": Rate(50 / 60, 50),
        "conversations.replies": Rate(50 / 60, 50),
        "users.info": Rate(100 / 60, 100),
        "views.open": Rate(100 / 60, 100),
        "views.update": Rate(100 / 60, 100),
        "views.publish": Rate(100 / 60, 100),
        "files.getUploadURLExternal": Rate(100 / 60, 100),
        "files.completeUploadExternal": Rate(100 / 60, 100),
        "files.info": Rate(100 / 60, 100),
    }
)
"""Tiers per method, workspace and app. https://docs.slack.dev/apis/web-api/rate-limits/"""


@dataclass(frozen=True, slots=True)
class SlackRules:
    """How the sandbox behaves; the defaults are Slack's.

    - `ack_deadline_s`, `redelivery_delays_s`: an event not acknowledged in time is sent again after
      each delay, then given up. https://docs.slack.dev/apis/events-api/#retries
    - `post_rate`: chat.postMessage per channel; `method_rates`: per method and team (see TIERS).
      None and {} switch the limits off. https://docs.slack.dev/apis/web-api/rate-limits/
    - `max_sockets`, `disconnect_grace_s`, `ping_interval_s`:
      https://docs.slack.dev/apis/events-api/using-socket-mode/
    - `echo_own_messages`: the app's own posts come back to it as message events, as on Slack.
    - `file_share_delay_s`: after files.completeUploadExternal has answered; Slack scans first.
      https://docs.slack.dev/reference/methods/files.getUploadURLExternal/
    - `trigger_lifetime_s`: for opening a dialog after somebody has done something.
      https://docs.slack.dev/interactivity/handling-user-interaction/
    - `stream_lifetime_s`: after which a message grows no more, see streams.py.
    - `agent_view`: whether the app's manifest has it.
      https://docs.slack.dev/ai/migrating-to-agent-messaging/
    - `ticket_ttl_s`: a WebSocket URL works once and not for ever; 30 s is an assumption.
    """

    ack_deadline_s: float = 3.0
    redelivery_delays_s: tuple[float, ...] = (0.0, 60.0, 300.0)
    post_rate: Rate | None = Rate(per_second=1.0, burst=5)
    method_rates: Mapping[str, Rate] = field(default_factory=dict)
    echo_own_messages: bool = True
    max_sockets: int = 10
    ticket_ttl_s: float = 30.0
    ping_interval_s: float = 10.0
    disconnect_grace_s: float = 10.0
    file_share_delay_s: float = 0.0
    trigger_lifetime_s: float = 3.0
    stream_lifetime_s: float = 300.0
    agent_view: bool = True


class RateLimiter:
    """One token bucket per key. Owns no clock: the caller says what time it is."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, ...], tuple[float, float]] = {}

    def wait_s(self, key: tuple[str, ...], rate: Rate, now_s: float) -> int:
        """Take a token and return 0, or take none and return the whole seconds to wait for one."""
        tokens, since_s = self._buckets.get(key, (float(rate.burst), now_s))
        tokens = min(float(rate.burst), tokens + (now_s - since_s) * rate.per_second)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now_s)
        return 0 if allowed else max(1, math.ceil((1 - tokens) / rate.per_second))
