"""Where data and sockets lie."""

import tempfile
from pathlib import Path

import pytest

from gateway.embedded.errors import EmbeddedServerError
from gateway.embedded.layout import default_data_dir, layout_of


def test_sockets_lie_in_the_data_directory(tmp_path: Path) -> None:
    """One folder holds everything where its path allows it."""
    layout = layout_of(Path("/srv/gateway"))

    assert "unix:///srv/gateway/redis/redis.sock" == layout.redis_url
    assert (
        "postgresql://gateway@/gateway?host=/srv/gateway/postgres&port=5432" == layout.database_url
    )


def test_long_data_directories_get_short_sockets_of_their_own() -> None:
    """The kernel cuts socket paths at some 107 bytes; two directories must never share a socket."""
    long, other = (layout_of(Path("/srv") / (letter * 120)) for letter in "ab")

    assert Path(tempfile.gettempdir()).resolve() == long.redis_socket_dir.parent
    assert len(bytes(long.postgres_socket)) <= 103
    assert 4 == len(
        {
            long.redis_socket,
            long.postgres_socket.parent,
            other.redis_socket,
            other.postgres_socket.parent,
        }
    )


def test_no_short_place_for_sockets_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deep TMPDIR fails with a remedy, not with the server's `path too long`."""
    monkeypatch.setattr(tempfile, "tempdir", "/srv/" + "t" * 120)

    with pytest.raises(EmbeddedServerError, match="pick a shorter --data-dir or TMPDIR"):
        layout_of(Path("/srv") / ("d" * 120))


def test_default_follows_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """root's home is closed to the account of PostgreSQL; others keep their state at home."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert Path("/var/lib/channel-gateway") == default_data_dir()

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/state")
    assert Path("/srv/state/channel-gateway") == default_data_dir()

    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", "/home/someone")
    assert Path("/home/someone/.local/state/channel-gateway") == default_data_dir()
