"""The seam for platforms on which one credential reaches into workspaces of several tenants."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from gateway.core.conversations import ConversationRef
from gateway.core.ids import WorkspaceId
from gateway.core.tenants import Credential


@runtime_checkable
class Places(Protocol):
    """Knows where conversations stand, whatever workspace the text of their ids names.

    An agent can write any id. Where a credential opens one workspace the platform itself refuses
    the conversations of others; where it opens many, only the platform can tell whose each is.
    """

    async def reaches_further(self, workspace: WorkspaceId, credential: Credential) -> bool:
        """Whether the credential of `workspace` opens others, too. Asked before every act: known
        from memory but for the first time. Raises SendError when it cannot be known.
        """

    async def workspaces_of(
        self, ref: ConversationRef, credential: Credential
    ) -> frozenset[WorkspaceId]:
        """Name the workspaces that the conversation belongs to.

        `ref.workspace` alone when it is one of them; together with them when it is the organisation
        above them. Without it, it is a conversation of others; empty when there is none. Raises
        SendError when it cannot be known.
        """
