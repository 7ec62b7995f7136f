"""The private Redis: its configuration file and how to start, recognise and stop it."""

import signal
from pathlib import Path

from gateway.embedded.folders import make_private
from gateway.embedded.layout import Layout
from gateway.embedded.probes import redis_answers
from gateway.embedded.program import Program

# As durable as the deliveries it holds: every write goes to the append-only file, nothing is
# evicted. `set-proc-title no` keeps the path of this file in the command line, by which a leftover
# server is recognised.
_CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
daemonize no
dir {home}
pidfile {pid_file}
logfile {log}
loglevel notice
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
set-proc-title no
"""


def redis_program(layout: Layout, redis_server: Path) -> Program:
    """Describe the Redis of `layout`; touches nothing before `prepare`."""
    home = layout.redis_dir
    return Program(
        name="redis-server",
        prepare=lambda: _prepare(layout),
        command=(redis_server, home / "redis.conf"),
        home=home,
        log=home / "redis.log",
        pid_file=home / "redis.pid",
        # SIGTERM flushes the append-only file, see "Signals" in the manual of Redis:
        # https://redis.io/docs/latest/operate/oss_and_stack/reference/signals/
        stop_signals=(signal.SIGTERM, signal.SIGKILL),
        answers=lambda: redis_answers(layout.redis_socket),
    )


def _prepare(layout: Layout) -> None:
    home = layout.redis_dir
    make_private(home)
    make_private(layout.redis_socket_dir)
    text = _CONFIGURATION.format(
        socket=_quoted(layout.redis_socket),
        home=_quoted(home),
        pid_file=_quoted(home / "redis.pid"),
        log=_quoted(home / "redis.log"),
    )
    (home / "redis.conf").write_text(text)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
