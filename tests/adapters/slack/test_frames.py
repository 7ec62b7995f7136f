"""What stands in a frame."""

from __future__ import annotations

import pytest

from adapters.slack.frames import Disconnect, Envelope, Frame, Hello, read_frame
from gateway.core.events import Ignored, IgnoredReason


@pytest.mark.parametrize(
    ("raw", "frame"),
    [
        (b'{"type":"hello","num_connections":1}', Hello(connections=1)),
        (b'{"type":"disconnect","reason":"warning"}', Disconnect(reason="warning")),
        (b'{"type":"disconnect","reason":"whim"}', Disconnect(reason="other")),
        (b'{"type":"disconnect"}', Disconnect(reason="other")),
        (
            b'{"type":"events_api","envelope_id":"e1","payload":{"a":1},"retry_attempt":2}',
            Envelope(id="e1", type="events_api", payload={"a": 1}, retry=2),
        ),
        (
            b'{"type":"slash_commands","envelope_id":"e1","accepts_response_payload":true}',
            Envelope(id="e1", type="slash_commands", payload=None, retry=0, answerable=True),
        ),
        (
            b'{"type":"hologram","envelope_id":"e1","retry_attempt":"x"}',
            Envelope(id="e1", type="other", payload=None, retry=0),
        ),
        (b'{"type":"hologram"}', Ignored(IgnoredReason.NOT_AN_EVENT, "type is not known")),
        (
            b'{"type":"events_api","envelope_id":7}',
            Ignored(IgnoredReason.MALFORMED, "envelope_id is missing"),
        ),
        (b"[]", Ignored(IgnoredReason.MALFORMED, "the frame is not an object")),
        (b"\xff", Ignored(IgnoredReason.MALFORMED, "the frame is no JSON")),
        (b" " * 201, Ignored(IgnoredReason.MALFORMED, "the frame is too large")),
    ],
)
def test_frames(raw: bytes, frame: Frame) -> None:
    """Types and reasons become labels, so strangers cannot make up new ones."""
    assert frame == read_frame(raw, max_bytes=200)
