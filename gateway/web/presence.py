"""Operations that leave nothing behind: showing that the agent is at work, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from gateway.core.capabilities import Capabilities
from gateway.core.ids import Platform, TenantId
from gateway.egress.requests import Refusal
from gateway.web.models import PlatformCapabilities, TypingHeld, TypingRequest
from gateway.web.operations import Call, Code, Operation
from gateway.web.refusals import granted
from gateway.web.scope import check_scope


class HoldTyping(Protocol):
    """Leases of the typing sign. Raises StoreError."""

    async def hold(
        self, tenant: TenantId, conversation: str, *, for_s: float
    ) -> Refusal | None: ...

    async def release(self, tenant: TenantId, conversation: str) -> Refusal | None: ...


class PresenceOperations:
    """Handlers of /v1/typing and /v1/capabilities."""

    def __init__(self, typing: HoldTyping, capabilities: Mapping[Platform, Capabilities]) -> None:
        self._typing = typing
        self._capabilities = PlatformCapabilities(
            platforms={platform.value: each for platform, each in capabilities.items()}
        )

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                verb="POST",
                path="/v1/typing",
                name="holdTyping",
                summary="Show that the agent is at work, for some seconds",
                handle=self.hold_typing,
                speaks=True,
                body=TypingRequest,
                answer=TypingHeld,
                status=200,
                codes=(Code.UNKNOWN_CONVERSATION,),
            ),
            Operation(
                verb="GET",
                path="/v1/capabilities",
                name="getCapabilities",
                summary="Tell what each platform can do, and what is done instead",
                handle=self.capabilities,
                answer=PlatformCapabilities,
                status=200,
            ),
        ]

    async def hold_typing(self, call: Call[TypingRequest]) -> TypingHeld:
        """Begin, renew or end a lease."""
        tenant, body = call.caller.tenant, call.body
        check_scope(call.caller, body.conversation)
        if body.for_s > 0:
            granted(await self._typing.hold(tenant, body.conversation, for_s=body.for_s))
        else:
            granted(await self._typing.release(tenant, body.conversation))
        return TypingHeld(conversation=body.conversation, for_s=body.for_s)

    async def capabilities(self, _call: Call[msgspec.Struct]) -> PlatformCapabilities:
        """Answer the table."""
        return self._capabilities
