"""Make the folders of a data directory, open only to the account that runs a server.

Changes nothing it did not make: a folder of another account is refused, never taken over.
"""

import os
import stat
from pathlib import Path

from gateway.embedded.errors import EmbeddedServerError
from gateway.embedded.processes import Account, run


def make_data_dir(path: Path) -> None:
    """Make the data directory. Others may pass through it; what lies inside is private."""
    if path.is_dir():
        return
    path.mkdir(parents=True, exist_ok=True)
    # A umask of 077 must not lock the account of PostgreSQL out of a folder that we made for it.
    path.chmod(0o755)


def make_private(path: Path, *, account: Account | None = None) -> None:
    """Make `path` a folder that only `account` (None: we ourselves) and root can open.

    Raises EmbeddedServerError if it belongs to someone else: under the temp directory anybody could
    have put a folder of that name there to answer in place of our servers.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    info = path.lstat()
    owner = account.uid if account else os.geteuid()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid not in (owner, os.geteuid()):
        raise EmbeddedServerError(
            f"{path} belongs to another account (uid {info.st_uid}): "
            "run the gateway as that account or pick another --data-dir"
        )
    if account:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    path.chmod(0o700)


def check_reachable(path: Path, account: Account) -> None:
    """Raise EmbeddedServerError if `account` may not enter the folder `path`."""
    if not can_enter(path, account):
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root and the account {account.name}, which runs it, "
            f"cannot reach {path}: pick another --data-dir, such as /var/lib/channel-gateway, "
            "or set DATABASE_URL"
        )


def can_enter(path: Path, account: Account) -> bool:
    # The kernel answers, not the mode bits: access lists and mount options count as well.
    return run(["/bin/sh", "-c", 'test -x "$0"', path], account=account).returncode == 0
