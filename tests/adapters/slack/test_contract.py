"""Slack passes the contract of what agents say."""

from tests.adapters.slack.client import SlackSubject
from tests.contracts.outbound import OutboundContract, TextContract


class TestSlack(OutboundContract):
    """Buttons, menus, forms, cards and thumbs."""

    subject = SlackSubject()


class TestSlackText(TextContract):
    """Markdown."""

    subject = SlackSubject()
