"""A process of the bench: started, asked and ended by the one that started it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_END_S = 10.0
_TOLD_BYTES = 4000


class ChildError(Exception):
    """A process of the bench ended, or did not answer in time. The message ends in its stderr."""


class Child:
    """Speaks JSON lines with a process (commands.py is the other end)."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], stderr: Path) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018
        self.name = name
        self.pid = process.pid
        self._process = process
        self._stderr = stderr
        self._stdin = process.stdin.fileno()
        self._stdout = process.stdout.fileno()
        self._rest = b""

    def ask(self, do: str, *, timeout_s: float = 60.0, **fields: Any) -> dict[str, Any]:
        """Send a command and wait for its answer. Raises ChildError."""
        self.tell(do, **fields)
        return self.answer(timeout_s, do)

    def tell(self, do: str, **fields: Any) -> None:
        """Send a command that nobody answers. Raises ChildError."""
        line = json.dumps({"do": do, **fields}).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._stdin, line) :]
        except BrokenPipeError as exc:
            raise self._fault("has ended") from exc

    def answer(self, timeout_s: float, do: str = "start") -> dict[str, Any]:
        """Wait for one line. Raises ChildError."""
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._rest:
            left_s = deadline - time.monotonic()
            ready, _, _ = select.select([self._stdout], [], [], max(left_s, 0.0))
            if not ready:
                raise self._fault(f"did not answer {do!r} in {timeout_s:g} s")
            data = os.read(self._stdout, 1 << 20)
            if not data:
                raise self._fault("has ended")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _fault(self, what: str) -> ChildError:
        said = self._stderr.read_bytes()[-_TOLD_BYTES:].decode(errors="replace").strip()
        return ChildError(f"{self.name} {what}\n{said}".strip())


@contextmanager
def running(name: str, argv: Sequence[str], *, start_s: float = 30.0) -> Iterator[Child]:
    """Start a process and wait until it is ready; end it with the block. Raises ChildError.

    A session of its own, so that Ctrl-C reaches the bench alone and the ends come in order.
    """
    with tempfile.NamedTemporaryFile(prefix=f"bench-{name}-", suffix=".log") as stderr:
        process = subprocess.Popen(  # noqa: S603 - the bench's own programs
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        try:
            child = Child(name, process, Path(stderr.name))
            child.answer(start_s)
            yield child
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
