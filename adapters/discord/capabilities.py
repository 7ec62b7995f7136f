"""What Discord can do, and what becomes of what it cannot. Data, served to agents as it stands."""

from __future__ import annotations

from typing import Final

from gateway.core.capabilities import Ability, Capabilities, Capability, Support, TextLimits

_NATIVE: Final = Capability(support=Support.NATIVE)

CAPABILITIES: Final = Capabilities(
    abilities={
        **dict.fromkeys(Ability, _NATIVE),
        Ability.TYPING: Capability(
            support=Support.NATIVE, note="ends after ten seconds or with the next message"
        ),
        Ability.STREAMS: Capability(
            support=Support.DEGRADED, note="posted once, then edited about once a second"
        ),
        Ability.BUTTONS: Capability(
            support=Support.NATIVE,
            note="five rows in one message, five buttons or one menu each; the rest is left out",
        ),
        Ability.SELECTS: Capability(
            support=Support.NATIVE, note="a menu takes one of the five rows of a message"
        ),
        Ability.FORMS: Capability(
            support=Support.DEGRADED,
            note="a dialog, in which dates are typed: they may be no dates",
        ),
        Ability.CARDS: Capability(
            support=Support.NATIVE,
            note="the cards of a message share 6,000 characters: texts are cut, facts left out",
        ),
        Ability.FEEDBACK: Capability(
            support=Support.DEGRADED, note="two buttons in a row of the message"
        ),
        Ability.EPHEMERAL: Capability(
            support=Support.DEGRADED,
            note="as the answer to a command or component, for 15 minutes; else not posted",
        ),
        Ability.PROACTIVE: Capability(
            support=Support.NATIVE, note="to users only who share a server with the bot"
        ),
    },
    # https://docs.discord.com/developers/resources/message#create-message
    # https://docs.discord.com/developers/reference#uploading-files
    limits=TextLimits(part_chars=2_000, file_bytes=10 * 1024 * 1024),
)
