"""Holds a reply token to its one conversation."""

from __future__ import annotations

from gateway.web.errors import ApiError
from gateway.web.operations import Caller, Code


def check_scope(caller: Caller, conversation: str | None) -> None:
    """Raise ApiError 403 unless `caller` may speak into `conversation`; None is any that is not
    known yet.
    """
    if caller.scope is not None and caller.scope != conversation:
        message = "a reply token is good for the conversation of its delivery alone"
        raise ApiError(Code.OUT_OF_SCOPE, message, field="conversation")
