"""Discord passes the contract of what agents say."""

from tests.adapters.discord.client import DiscordSubject
from tests.contracts.outbound import OutboundContract, TextContract


class TestDiscord(OutboundContract):
    """Buttons, menus, forms, cards and thumbs."""

    subject = DiscordSubject()


class TestDiscordText(TextContract):
    """Markdown."""

    subject = DiscordSubject()
