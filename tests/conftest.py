"""Makes the shared fixtures known to every test."""

import os

pytest_plugins = ["tests.support.servers", "tests.support.cluster", "tests.support.worlds"]

# A worker of pytest-xdist has a width of its own set, which every console would keep for ever.
os.environ.pop("COLUMNS", None)
