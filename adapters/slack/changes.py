"""Changes what stands in Slack: edits, deletions, emoji. All of it may be repeated without harm."""

from __future__ import annotations

from functools import partial

from adapters.slack.emoji import to_name
from adapters.slack.errors import rejected
from adapters.slack.outbound import update_call
from adapters.slack.posts import sent
from adapters.slack.tiers import kept_of
from adapters.slack.web_api import WebApi
from adapters.slack.writing import written
from gateway.core.errors import SendError
from gateway.core.messages import MessageEdit, ReactionChange, SentMessage, SentRef
from gateway.core.tenants import Credential


class SlackChanges:
    """Edits and Reacts."""

    def __init__(self, api: WebApi) -> None:
        self._api = api

    async def edit(self, change: MessageEdit, ref: SentRef, credential: Credential) -> SentMessage:
        """Replace text and blocks. Raises SendError.

        https://docs.slack.dev/reference/methods/chat.update
        """
        keep = kept_of("chat.update") if change.is_preview else 0
        call = partial(self._api.repeat, "chat.update", credential, keep=keep)
        answer = await written(change, partial(update_call, change, ref), call)
        return sent(answer.id("ts") or ref.id)

    async def delete(self, ref: SentRef, credential: Credential) -> None:
        """Remove it. What only one user sees stays: Slack has no way to it, and it fades by itself.

        Raises SendError. https://docs.slack.dev/reference/methods/chat.delete
        """
        body = {"channel": ref.conversation.channel, "ts": ref.id}
        await self._api.repeat("chat.delete", credential, body, excused={"message_not_found"})

    async def react(self, change: ReactionChange, ref: SentRef, credential: Credential) -> None:
        """Put the emoji on or take it off. Raises SendError.

        https://docs.slack.dev/reference/methods/reactions.add
        https://docs.slack.dev/reference/methods/reactions.remove
        """
        name = to_name(change.emoji)
        if name is None:
            raise rejected("emoji: is none that Slack has a name for here; name it as Slack does")
        verb, done = ("remove", "no_reaction") if change.remove else ("add", "already_reacted")
        body = {"channel": ref.conversation.channel, "timestamp": ref.id, "name": name}
        try:
            await self._api.repeat(f"reactions.{verb}", credential, body, excused={done})
        except SendError as exc:
            if exc.detail == "invalid_name":
                raise rejected("emoji: is none that the workspace has") from exc
            raise
