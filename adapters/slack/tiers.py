"""How often Slack lets an app call each method in a workspace.
https://docs.slack.dev/apis/web-api/rate-limits

A method that does not stand here is not counted. chat.postMessage is one of them: its rate is one
of each channel, kept by the lanes (gateway/egress/pace.py), and the workspace's own, above that,
Slack does not tell; when it is reached, each channel is told so by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.core.budgets import CallRate

TIER_2: Final = CallRate(per_minute=20, burst=5)
TIER_3: Final = CallRate(per_minute=50, burst=10)
TIER_4: Final = CallRate(per_minute=100, burst=20)

RATES: Final[Mapping[str, CallRate]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "chat.startStream",
                "chat.stopStream",
                "conversations.list",
                "reactions.remove",
            ),
            TIER_2,
        ),
        **dict.fromkeys(
            (
                "agents.sessions.setStatus",
                "chat.delete",
                "chat.update",
                "conversations.history",
                "conversations.info",
                "conversations.open",
                "conversations.replies",
                "reactions.add",
            ),
            TIER_3,
        ),
        **dict.fromkeys(
            (
                "chat.appendStream",
                "chat.postEphemeral",
                "conversations.members",
                "files.completeUploadExternal",
                "files.getUploadURLExternal",
                "files.info",
                "users.info",
                "views.open",
                "views.update",
            ),
            TIER_4,
        ),
    }
)
"""By the pages of the methods, such as https://docs.slack.dev/reference/methods/chat.update"""

LANES: Final = frozenset({"chat.postMessage"})
"""Methods whose limit is one of each channel: a refusal holds the channel, and nothing else."""


def kept_of(method: str) -> int:
    """How much of the burst previews leave to what has to be seen."""
    rate = RATES.get(method)
    return 0 if rate is None else rate.burst // 2
