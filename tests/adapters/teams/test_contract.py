"""Teams passes the contract of what agents say."""

from tests.adapters.teams.client import TeamsSubject
from tests.contracts.outbound import OutboundContract, TextContract


class TestTeams(OutboundContract):
    """Buttons, menus, forms, cards and thumbs."""

    subject = TeamsSubject()


class TestTeamsText(TextContract):
    """Markdown."""

    subject = TeamsSubject()
