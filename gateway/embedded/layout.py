"""Where an embedded data directory keeps what. Owns the paths; makes no folder."""

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from gateway.embedded.errors import EmbeddedServerError

DATABASE_NAME = "gateway"
DATABASE_USER = "gateway"
# No TCP port, yet the number names the socket file of PostgreSQL and PGPORT must not change it.
POSTGRES_PORT = 5432

# sun_path holds 108 bytes on Linux and 104 on macOS, the last one a NUL.
_SOCKET_PATH_LIMIT_BYTES = 103


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one data directory; the socket directories may lie elsewhere (see layout_of)."""

    data_dir: Path
    redis_socket_dir: Path
    postgres_socket_dir: Path

    @property
    def lock(self) -> Path:
        return self.data_dir / "lock"

    @property
    def sockets(self) -> Path:
        return self.data_dir / "sockets.json"

    @property
    def keeper_log(self) -> Path:
        return self.data_dir / "keeper.log"

    @property
    def programs(self) -> Path:
        return self.data_dir / "programs"

    @property
    def redis_dir(self) -> Path:
        return self.data_dir / "redis"

    @property
    def postgres_dir(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def postgres_data(self) -> Path:
        return self.postgres_dir / "data"

    @property
    def redis_socket(self) -> Path:
        return self.redis_socket_dir / "redis.sock"

    @property
    def postgres_socket(self) -> Path:
        return self.postgres_socket_dir / f".s.PGSQL.{POSTGRES_PORT}"

    @property
    def redis_url(self) -> str:
        return f"unix://{quote(str(self.redis_socket))}"

    @property
    def database_url(self) -> str:
        host = quote(str(self.postgres_socket_dir))
        return f"postgresql://{DATABASE_USER}@/{DATABASE_NAME}?host={host}&port={POSTGRES_PORT}"

    def write_sockets(self) -> None:
        """Note the socket directories for commands whose TMPDIR is another than ours."""
        names = {"redis": str(self.redis_socket_dir), "postgres": str(self.postgres_socket_dir)}
        self.sockets.write_text(json.dumps(names))

    def remove_short_socket_dirs(self) -> None:
        """Leave no empty folder in the temp directory; one that still holds a socket stays."""
        for path in (self.redis_socket_dir, self.postgres_socket_dir):
            if not path.is_relative_to(self.data_dir):
                with suppress(OSError):
                    path.rmdir()

    def with_sockets_in_use(self) -> "Layout":
        """This layout with the noted socket directories; unchanged if none are noted."""
        try:
            names = json.loads(self.sockets.read_text())
            redis, postgres = Path(names["redis"]), Path(names["postgres"])
        except (OSError, ValueError, KeyError):
            return self
        return replace(self, redis_socket_dir=redis, postgres_socket_dir=postgres)


def layout_of(data_dir: Path) -> Layout:
    """Lay out `data_dir`; sockets go to the temp directory when its path cannot hold them.

    Raises EmbeddedServerError if the temp directory's path cannot either.
    """
    root = data_dir.expanduser().resolve()
    inside = Layout(root, root / "redis", root / "postgres")
    if _fits(inside):
        return inside
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()).resolve() / f"channel-gateway-{digest}"
    outside = Layout(root, Path(f"{short}-redis"), Path(f"{short}-postgres"))
    if _fits(outside):
        return outside
    raise EmbeddedServerError(
        f"neither {root} nor {short.parent} is short enough for a unix socket: "
        "pick a shorter --data-dir or TMPDIR"
    )


def default_data_dir() -> Path:
    """Where the servers keep their data unless --data-dir says otherwise.

    root gets a place that the account of PostgreSQL can reach, which a home directory rarely is.
    Others get the state directory of https://specifications.freedesktop.org/basedir-spec/latest/
    """
    if os.geteuid() == 0:
        return Path("/var/lib/channel-gateway")
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return base / "channel-gateway"


def _fits(layout: Layout) -> bool:
    paths = [os.fsencode(path) for path in (layout.redis_socket, layout.postgres_socket)]
    # A comma parts the hosts of a PostgreSQL URL, even an escaped one.
    return all(len(path) <= _SOCKET_PATH_LIMIT_BYTES and b"," not in path for path in paths)
