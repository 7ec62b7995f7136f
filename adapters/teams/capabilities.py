"""What Teams can do, and what becomes of what it cannot. Data, served to agents as it stands."""

from __future__ import annotations

from typing import Final

from gateway.core.capabilities import Ability, Capabilities, Capability, Support, TextLimits

_NATIVE: Final = Capability(support=Support.NATIVE)

CAPABILITIES: Final = Capabilities(
    abilities={
        **dict.fromkeys(Ability, _NATIVE),
        Ability.REPLIES: Capability(
            support=Support.DEGRADED,
            note="in a channel an answer stands in the thread, in a chat below the others",
        ),
        Ability.THREADS: Capability(
            support=Support.DEGRADED, note="in channels; a chat is one conversation"
        ),
        Ability.REACTIONS: Capability(
            support=Support.NONE, note="bots cannot react; they hear of others' reactions"
        ),
        Ability.TYPING: Capability(
            support=Support.DEGRADED, note="for a few seconds, and not in every client"
        ),
        Ability.STREAMS: Capability(
            support=Support.DEGRADED,
            note="native for two minutes in one-to-one chats; else posted once, then edited",
        ),
        Ability.FILES_IN: Capability(
            support=Support.DEGRADED,
            note="from one-to-one chats, and images; other files stay with Microsoft",
        ),
        Ability.FILES_OUT: Capability(
            support=Support.DEGRADED,
            note="in one-to-one chats once the user consents; else a link to the file",
        ),
        Ability.SELECTS: Capability(
            support=Support.DEGRADED, note="a menu and a button that sends the choice"
        ),
        Ability.FORMS: Capability(
            support=Support.DEGRADED, note="opens inside the message; there is no dialog"
        ),
        Ability.CARDS: Capability(
            support=Support.NATIVE,
            note="what makes the components of a message larger than 40 KB is left out",
        ),
        Ability.FEEDBACK: Capability(
            support=Support.DEGRADED, note="two buttons below the message"
        ),
        Ability.EPHEMERAL: Capability(
            support=Support.NONE,
            note="not posted: targeted messages are a preview that no client has to show",
        ),
        Ability.PROACTIVE: Capability(
            support=Support.DEGRADED, note="where the app is installed, and to its users"
        ),
    },
    # A text has at most 24,000 bytes of UTF-16 (see outbound.py). Teams documents no size of files:
    # this one is ours.
    # https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/format-your-bot-messages
    limits=TextLimits(part_chars=12_000, file_bytes=100_000_000),
)
