"""Names and types of strangers' files."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.files import HEAD_BYTES, MAX_NAME_BYTES, media_type_of, safe_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.png", "photo.png"),
        ("r\u00e9sum\u00e9 2026.pdf", "r\u00e9sum\u00e9 2026.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\a.txt", "a.txt"),
        ("a/b\\c.txt", "c.txt"),
        ("tab\tand\nline\r\n.txt", "tabandline.txt"),
        ("nul\0.txt", "nul.txt"),
        ("gpj\u202egnp.exe", "gpjgnp.exe"),
        ("zero\u200bwidth.txt", "zerowidth.txt"),
        ("lone\ud800.txt", "lone.txt"),
        ("  many   spaces .txt ", "many spaces .txt"),
        (".bashrc", ".bashrc"),
        ("..", "file"),
        ("/", "file"),
        ("dir/", "file"),
        (" . ", "file"),
        ("", "file"),
        (None, "file"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
        ("\u00fc" * 300 + ".png", "\u00fc" * 125 + ".png"),
        ("x" * 300, "x" * 255),
        ("a." + "x" * 300, "a." + "x" * 253),
    ],
)
def test_names_are_made_harmless(name: str | None, expected: str) -> None:
    """No path, nothing that nobody sees, and short enough for any disk."""
    assert expected == safe_name(name)


@given(st.text(max_size=600))
def test_no_name_is_dangerous(name: str) -> None:
    """Whatever it was, and making it safe again changes nothing."""
    safe = safe_name(name)

    assert 1 <= len(safe.encode()) <= MAX_NAME_BYTES
    assert not set(safe) & set("/\\")
    assert safe not in {".", ".."}
    assert not [each for each in safe if unicodedata.category(each)[0] == "C"]
    assert safe == safe_name(safe)


@pytest.mark.parametrize(
    ("head", "declared", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "text/html", "image/png"),
        (b"\xff\xd8\xff\xe0\0", None, "image/jpeg"),
        (b"%PDF-1.7\nall of it text", "text/plain", "application/pdf"),
        (b"GIF89a\0\0", "image/png", "image/gif"),
        (b"hello", None, "text/plain"),
        (b"hello", "application/octet-stream", "text/plain"),
        (b"hello", "image/png", "text/plain"),
        (b"a,b\n1,2", "text/csv; charset=utf-8", "text/csv"),
        (b'{"a": 1}', "Application/JSON", "application/json"),
        (b"<svg/>", "image/svg+xml", "image/svg+xml"),
        (b"hello", "text/html\r\nX-Evil: 1", "text/plain"),
        (b"BMW is a car", None, "text/plain"),
        (b"MZ is Mozambique", "text/markdown", "text/markdown"),
        ("caf\u00e9".encode()[:-1], None, "text/plain"),
        (b"\xc3\x28 no UTF-8", "text/plain", "application/octet-stream"),
        (b"nul\0inside", "text/plain", "application/octet-stream"),
        (b"\x00\x01\x02", "video/mp4", "application/octet-stream"),
        (b"", "text/plain", "application/octet-stream"),
    ],
)
def test_types_are_told_by_the_bytes(head: bytes, declared: str | None, expected: str) -> None:
    """What a file was declared to be counts for text alone."""
    assert expected == media_type_of(head, declared)


@given(st.binary(max_size=HEAD_BYTES), st.none() | st.text(max_size=100))
def test_every_file_has_a_type(head: bytes, declared: str | None) -> None:
    """One that fits a header line."""
    assert media_type_of(head, declared).isascii()
    assert media_type_of(head, declared).isprintable()
