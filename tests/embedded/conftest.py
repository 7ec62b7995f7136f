"""A data directory for each test of the embedded servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import reachable_temp_dir


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory that does not exist yet, removed after the test.

    Its name has what configuration files, command lines and URLs must not stumble over.
    """
    with reachable_temp_dir() as path:
        yield path / 'data "5%" ü'
