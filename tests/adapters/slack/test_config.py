"""Which hosts the adapter talks to, and what it keeps to itself."""

from __future__ import annotations

import pytest

from adapters.slack.config import SlackConfig


@pytest.mark.parametrize(
    ("url", "is_trusted"),
    [
        ("wss://wss-primary.slack.com/link/?ticket=1", True),
        ("wss://slack.com/link", True),
        ("wss://WSS.SLACK.COM/link", True),
        ("ws://wss-primary.slack.com/link", False),
        ("https://slack.com/link", False),
        ("wss://evilslack.com/link", False),
        ("wss://slack.com.example.net/link", False),
        ("wss://slack.com@example.net/link", False),
        ("wss://example.net/slack.com", False),
        ("wss://example.net\\@slack.com/link", False),
        ("wss:///link", False),
        ("wss://[::1/link", False),
        ("", False),
    ],
)
def test_sockets_are_slacks_own(url: str, is_trusted: bool) -> None:
    """Encrypted, and on an allowed host or below one."""
    config = SlackConfig(app_token="xapp-test")
    assert is_trusted == (config.trusted_socket_url(url) is not None)


@pytest.mark.parametrize(
    ("url", "is_trusted"),
    [
        ("ws://127.0.0.1:4010/link", True),
        ("wss://127.0.0.1/link", True),
        ("ws://127.0.0.2/link", False),
    ],
)
def test_another_base_url_allows_its_own_host(url: str, is_trusted: bool) -> None:
    """Plain only where the Web API is plain too: a stand-in on loopback."""
    config = SlackConfig(app_token="xapp-test", api_base_url="http://127.0.0.1:4009/api/")
    assert is_trusted == (config.trusted_socket_url(url) is not None)


def test_the_token_is_in_no_text() -> None:
    """Settings end up in logs and tracebacks."""
    assert "xapp" not in f"{SlackConfig(app_token='xapp-test')!r}"


@pytest.mark.parametrize("base_url", ["https://slack.com/api/", "https://slack.com/api"])
def test_methods_are_below_the_base_url(base_url: str) -> None:
    """With or without the slash at its end."""
    config = SlackConfig(app_token="xapp-test", api_base_url=base_url)
    assert config.method_url("auth.test") == "https://slack.com/api/auth.test"
