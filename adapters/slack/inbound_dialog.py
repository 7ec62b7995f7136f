"""What a dialog of ours remembers: from where it was opened. Pure.

Slack keeps it as the view's `private_metadata`, unseen by people, and gives it back with what they
filled in. https://docs.slack.dev/reference/views/modal-views/
"""

from __future__ import annotations

import msgspec


class DialogOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation's id, the `ts` of the message whose button opened it, and the form's id
    (for those who read a log: the form itself answers by its `callback_id`).
    """

    conversation: str = msgspec.field(name="c")
    message_id: str = msgspec.field(name="m", default="")
    form: str = msgspec.field(name="f", default="")


def write_origin(origin: DialogOrigin) -> str:
    """Write the `private_metadata` of a view."""
    return msgspec.json.encode(origin).decode()


def read_origin(private_metadata: str) -> DialogOrigin | None:
    """Read it back; None when the view is none of ours."""
    try:
        return msgspec.json.decode(private_metadata, type=DialogOrigin)
    except msgspec.DecodeError:
        return None
