"""Reads one answer after the other from the bytes of a connection. Trusts the server in nothing."""

from __future__ import annotations

from typing import Final

from httptools import HttpParserError, HttpResponseParser

from plugin_bridge.classify import Answer
from plugin_bridge.transport import MAX_ANSWER_BYTES

MAX_HEAD_BYTES: Final = 1 << 16
# With what chunking adds. Without it, extensions and trailers of chunks could go on for ever.
_MAX_WIRE_BYTES: Final = 2 * MAX_ANSWER_BYTES
_WATCHED: Final = frozenset((b"content-length", b"transfer-encoding", b"retry-after"))


class BadAnswerError(Exception):
    """The server does not speak HTTP/1.1, or too much of it."""


class Reading:
    """The answer that is being read. Interim answers (1xx) are skipped."""

    __slots__ = (
        "_allowed_bytes",
        "_body",
        "_head",
        "_head_bytes",
        "_head_done",
        "_parser",
        "_received_bytes",
        "_status",
        "complete",
        "reusable",
    )

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.start()

    def start(self) -> None:
        """Be ready for the next answer."""
        self._head: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._head_bytes = self._received_bytes = 0
        self._allowed_bytes = MAX_HEAD_BYTES
        self._head_done = False
        self._status = 0
        self.complete = self.reusable = False

    def feed(self, data: bytes) -> None:
        """Read on. Sets `complete`, and then `reusable`: whether another request may follow.

        Raises BadAnswerError.
        """
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as exc:
            self.reusable = False
            if not self.complete:
                # What a callback of ours raised is the context of what the parser makes of it.
                raise BadAnswerError(str(exc.__context__ or exc)) from exc
        if self._received_bytes > self._allowed_bytes and not self.complete:
            if not self._head_done:
                raise BadAnswerError("the head is too long")
            self._drop_body()

    def end(self) -> None:
        """The server says no more: complete, if only the end could say where the body ends."""
        framed = b"content-length" in self._head or b"transfer-encoding" in self._head
        self.complete = self.complete or (self._head_done and not framed)
        self.reusable = False

    def answer(self) -> Answer:
        """What was read, once it is complete."""
        retry_after = self._head.get(b"retry-after")
        return Answer(
            status=self._status,
            body=bytes(self._body),
            retry_after=None if retry_after is None else retry_after.decode("latin-1").strip(),
        )

    def on_message_begin(self) -> None:
        """Called by the parser, as all that follow."""
        if self.complete:
            raise BadAnswerError("an answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers come here too: they count, and say nothing."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise BadAnswerError("the head is too long")
        name = name.lower()
        if name in _WATCHED and not self._head_done:
            self._head.setdefault(name, value)

    def on_headers_complete(self) -> None:
        """The head is at its end."""
        self._status = self._parser.get_status_code()
        if self._status >= 200:
            self._head_done = True
            self._allowed_bytes += _MAX_WIRE_BYTES

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._body += data
        if len(self._body) > MAX_ANSWER_BYTES:
            self._drop_body()
            raise BadAnswerError("the body is too long")

    def on_message_complete(self) -> None:
        """This answer is at its end; an interim one says nothing about the connection."""
        if self._head_done:
            self.complete = True
            self.reusable = self._parser.should_keep_alive()
        elif self._status == 101:
            raise BadAnswerError("a switch of protocols that nobody asked for")
        else:
            self._head.clear()

    def _drop_body(self) -> None:
        # An endless answer would hold the connection; its status is all that is needed.
        self._body.clear()
        self.complete = True
        self.reusable = False
