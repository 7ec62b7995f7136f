"""What Slack can do, and what becomes of what it cannot. Data, served to agents as it stands."""

from __future__ import annotations

from typing import Final

from gateway.core.capabilities import Ability, Capabilities, Capability, Support, TextLimits

_NATIVE: Final = Capability(support=Support.NATIVE)

CAPABILITIES: Final = Capabilities(
    abilities={
        **dict.fromkeys(Ability, _NATIVE),
        Ability.REPLIES: Capability(
            support=Support.DEGRADED, note="an answer to a message stands in its thread"
        ),
        Ability.STREAMS: Capability(
            support=Support.NATIVE,
            note="in threads, and in channels for a known recipient; else posted once, then edited "
            "as it grows",
        ),
        Ability.CARDS: Capability(
            support=Support.DEGRADED, note="shown as blocks, without a frame"
        ),
        Ability.TYPING: Capability(support=Support.DEGRADED, note="a status line, in threads only"),
        Ability.REACTIONS: Capability(
            support=Support.NATIVE, note="the common emoji, and all others by Slack's names of them"
        ),
        Ability.EPHEMERAL: Capability(
            support=Support.NATIVE, note="fades by itself, and cannot be edited or deleted"
        ),
        Ability.RAW: Capability(
            support=Support.NATIVE, note="blocks, attachments, unfurl_links, unfurl_media"
        ),
    },
    # https://docs.slack.dev/reference/methods/chat.postMessage
    # https://docs.slack.dev/messaging/working-with-files
    limits=TextLimits(part_chars=12_000, file_bytes=1_000_000_000),
)
