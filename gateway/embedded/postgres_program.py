"""The private PostgreSQL: its cluster, the account it runs as, and how to start and stop it.

PostgreSQL refuses to run as root, so root hands it to the account `nobody`, with programs and
folders that this account can reach.
"""

import os
import shutil
import signal
import stat
from collections.abc import Sequence
from pathlib import Path

from gateway.embedded.binaries import PostgresBinaries, version_of
from gateway.embedded.errors import EmbeddedServerError
from gateway.embedded.folders import can_enter, check_reachable, make_private
from gateway.embedded.layout import DATABASE_NAME, DATABASE_USER, POSTGRES_PORT, Layout
from gateway.embedded.probes import postgres_answers
from gateway.embedded.processes import Account, account_of, run
from gateway.embedded.program import Program

_ACCOUNT_NAME = "nobody"

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(POSTGRES_PORT),
    "max_connections": "100",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A line every five minutes in a file that nobody rotates.
    "log_checkpoints": "off",
}


def postgres_program(layout: Layout, binaries: PostgresBinaries) -> Program:
    """Describe the PostgreSQL of `layout`; may copy its programs to where its account can run them.

    Raises EmbeddedServerError if its account cannot reach the data directory.
    """
    account = _account()
    if account:
        check_reachable(layout.data_dir, account)
    bin_dir = _runnable(binaries, layout.programs, account)
    return Program(
        name="PostgreSQL",
        prepare=lambda: _prepare(layout, bin_dir, account),
        command=_command(layout, bin_dir),
        home=layout.postgres_dir,
        # Not in the account's own folder, where it could turn our log into a link to anywhere.
        log=layout.data_dir / "postgres.log",
        pid_file=layout.postgres_data / "postmaster.pid",
        # Fast, then immediate shutdown: https://www.postgresql.org/docs/current/server-shutdown.html
        # SIGKILL comes last, for it leaves the backends to find out by themselves.
        stop_signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
        answers=lambda: postgres_answers(layout.postgres_socket),
        account=account,
    )


def data_major(layout: Layout) -> int | None:
    """The major version that made the data; None if there are none yet (or they are hidden)."""
    try:
        return int((layout.postgres_data / "PG_VERSION").read_text())
    except (OSError, ValueError):
        return None


def _account() -> Account | None:
    if os.geteuid() != 0:
        return None
    try:
        return account_of(_ACCOUNT_NAME)
    except KeyError as exc:
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root and there is no account {_ACCOUNT_NAME} to run it: "
            "start the gateway as another user or set DATABASE_URL"
        ) from exc


def _command(layout: Layout, bin_dir: Path) -> tuple[str | Path, ...]:
    settings = _SETTINGS | {"unix_socket_directories": _listed(layout.postgres_socket_dir)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return (bin_dir / "postgres", "-D", layout.postgres_data, *options)


def _listed(path: Path) -> str:
    # The setting is a comma-separated list of names.
    escaped = str(path).replace('"', '""')
    return f'"{escaped}"'


def _prepare(layout: Layout, bin_dir: Path, account: Account | None) -> None:
    for folder in (layout.postgres_dir, layout.postgres_socket_dir):
        make_private(folder, account=account)
        if account:
            check_reachable(folder, account)
    # Whatever listened here is gone. PostgreSQL trusts the pid in a stale socket lock, and pids
    # start again with a container.
    for stale in layout.postgres_socket_dir.glob(".s.PGSQL.*"):
        stale.unlink()
    if not layout.postgres_data.exists():
        _make_cluster(layout, bin_dir, account)


def _make_cluster(layout: Layout, bin_dir: Path, account: Account | None) -> None:
    """Make cluster and database aside, then rename: half a cluster never looks like a whole one."""
    unfinished = layout.postgres_dir / "unfinished"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    choices = ("-U", DATABASE_USER, "--auth=trust", "--encoding=UTF8", "--no-locale")
    _must_run((bin_dir / "initdb", "-D", unfinished, *choices), account)
    single = ("--single", "-D", unfinished, "-c", "exit_on_error=true", "postgres")
    _must_run((bin_dir / "postgres", *single), account, text=f"CREATE DATABASE {DATABASE_NAME}\n")
    unfinished.rename(layout.postgres_data)


def _must_run(command: Sequence[str | Path], account: Account | None, text: str = "") -> None:
    ended = run(command, account=account, text=text)
    if ended.returncode != 0:
        raise EmbeddedServerError(
            f"{command[0]} failed, so there is no embedded PostgreSQL (set DATABASE_URL to use "
            f"another one):\n{ended.stderr.strip()}"
        )


def _runnable(binaries: PostgresBinaries, programs: Path, account: Account | None) -> Path:
    """Where `account` can run the programs: in place, else in a copy of their package."""
    if account is None or can_enter(binaries.bin_dir / "postgres", account):
        return binaries.bin_dir
    if binaries.package is None:
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root and the account {account.name}, which runs it, "
            f"cannot reach {binaries.bin_dir}: start the gateway as another user or "
            "set DATABASE_URL"
        )
    site = binaries.package.parent
    copy = programs / _version_name(binaries)
    if not copy.exists():
        # Beside its folder a wheel keeps the libraries that its programs were linked to.
        libraries = site / f"{binaries.package.name}.libs"
        _copy([binaries.bin_dir.parent, libraries], site, copy)
    return copy / binaries.bin_dir.relative_to(site)


def _version_name(binaries: PostgresBinaries) -> str:
    """A folder name that changes with every version, so that an upgraded package is copied anew."""
    return "postgres-{}.{}".format(*(version_of(binaries.bin_dir / "postgres") or (0, 0)))


def _copy(trees: list[Path], base: Path, target: Path) -> None:
    """Copy `trees`, given below `base`, into `target`, readable for everyone; all or nothing."""
    unfinished = target.with_name("unfinished")
    # The copies of earlier versions are of no more use, and each takes some 40 MB.
    shutil.rmtree(target.parent, ignore_errors=True)
    for tree in filter(Path.exists, trees):
        shutil.copytree(tree, unfinished / tree.relative_to(base), symlinks=True)
    for path in (target.parent, unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(stat.S_IMODE(mode) | (0o555 if mode & stat.S_IXUSR else 0o444))
    unfinished.rename(target)
