"""What an operator sets for installs, and what nobody pays for who does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.settings import Settings

KEYS = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "a-secret-of-the-app"}


def problems(**given: str) -> list[str]:
    """What is wrong with these settings."""
    return Settings.model_validate(given).problems_of_installs()


def test_both_keys_or_neither() -> None:
    """Half of them would look like a working set-up until somebody installs."""
    assert ([], []) == (problems(), problems(**KEYS))
    for name, value in KEYS.items():
        [problem] = problems(**{name: value})
        assert problem.startswith("SLACK_CLIENT_ID and SLACK_CLIENT_SECRET")
        assert value not in problem


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://gateway.example", True),
        ("https://gateway.example:8443/", True),
        ("http://127.0.0.1:8081", True),
        ("http://localhost:8081", True),
        ("http://gateway.example", False),
        ("https://gateway.example/path", False),
        ("https://gateway.example?x=1", False),
        ("https://user@gateway.example", False),
        ("gateway.example", False),
        ("https://", False),
    ],
)
def test_the_public_address_is_an_origin(url: str, good: bool) -> None:
    """Codes come back to it, so it is encrypted wherever it leaves the machine."""
    assert good == (not problems(public_url=url))


def test_the_sdk_is_loaded_by_nobody_who_does_not_install() -> None:
    """It is large, and none of it is on the road of a message."""
    program = (
        "import gateway.app, gateway.installing, adapters.registry, adapters.slack.oauth.tokens,"
        " adapters.slack.oauth.manifest, adapters.slack.http_source, adapters.slack.source, sys;"
        "print([name for name in sys.modules if name.partition('.')[0]"
        " in ('slack_bolt', 'slack_sdk')])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )

    assert "[]" == done.stdout.strip()
