"""What a tenant's things say of themselves."""

from __future__ import annotations

from gateway.core.conversations import ConversationRef
from gateway.core.ids import MessageId, Platform, WorkspaceId
from gateway.core.messages import OutboundMessage
from gateway.core.tenants import Credential


def test_a_credential_keeps_its_token_out_of_texts() -> None:
    """It may stand in a traceback or in a log line."""
    credential = Credential(bot_token="xoxb-placeholder", bot_user="U0BOT")

    assert "Credential(bot_user='U0BOT')" == repr(credential) == str(credential)


def test_parts_of_one_answer_have_markers_of_their_own() -> None:
    """A lost answer to part 2 must not be found in part 1."""
    ref = ConversationRef(platform=Platform.SLACK, workspace=WorkspaceId("T0A"), channel="C0A")
    first, second = (
        OutboundMessage(id=MessageId("msg_1"), conversation=ref, text="x", part=part, parts=2)
        for part in (1, 2)
    )

    assert ("msg_1-1", "msg_1-2") == (first.marker, second.marker)
