"""The memory of a process that has started and will now run for long."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress


def settle() -> None:
    """Give back what only the start has used, and let the collector look no more at what stays.

    Imports leave some ten megabytes behind, most of it what type annotations were made of, which
    glibc would keep for a growth that does not come. Where there is no glibc, nothing is trimmed.
    """
    gc.collect()
    gc.freeze()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
