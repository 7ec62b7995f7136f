"""Settings: every problem at once, each by the name an operator sets, and never a secret."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from gateway.core.errors import ConfigError
from gateway.core.ids import Platform
from gateway.sealing import Seal
from gateway.settings import (
    DEMO_PEPPER,
    DEMO_SEALING_KEY,
    MIN_PEPPER_CHARS,
    Role,
    Settings,
    load_settings,
)

PEPPER = "p" * MIN_PEPPER_CHARS
KEY, OLD_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
GOOD = {
    "GATEWAY_PEPPER": PEPPER,
    "GATEWAY_SEALING_KEYS": KEY,
    "SLACK_APP_TOKEN": "xapp-1-placeholder",
}
_NAMES = ("GATEWAY_", "SLACK_", "REDIS_URL", "DATABASE_URL")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_NAMES):
            monkeypatch.delenv(name)


def _set(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def _problems(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> list[str]:
    _set(monkeypatch, env)
    with pytest.raises(ConfigError) as caught:
        load_settings(serving=True).checked_for_serving()
    assert None is caught.value.__cause__
    assert None is caught.value.__context__
    return str(caught.value).splitlines()


def _named(problems: list[str]) -> set[str]:
    return {problem.replace(":", " ").split()[0] for problem in problems}


def test_good_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each under its own name; lists are separated by commas."""
    _set(monkeypatch, GOOD)
    _set(monkeypatch, {"GATEWAY_SEALING_KEYS": f"{KEY}, {OLD_KEY},", "GATEWAY_PORT": "0"})
    _set(monkeypatch, {"REDIS_URL": "redis://127.0.0.1:6379/1", "GATEWAY_ROLES": "bridge,egress"})

    settings = load_settings(serving=True).checked_for_serving()

    assert [KEY, OLD_KEY] == [key.get_secret_value() for key in settings.sealing_keys]
    assert (0, "redis://127.0.0.1:6379/1", None) == (
        settings.port,
        settings.redis_url,
        settings.database_url,
    )
    assert (Role.BRIDGE, Role.EGRESS) == settings.roles
    assert (Platform.SLACK,) == settings.platforms


def test_roles_of_the_command_line_win_and_the_rest_is_still_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment is that of all processes, the role that of one."""
    _set(monkeypatch, {**GOOD, "GATEWAY_ROLES": "ingress", "GATEWAY_PORT": "81"})

    settings = load_settings(serving=True, roles=["bridge", "egress"])

    assert ((Role.BRIDGE, Role.EGRESS), 81) == (settings.roles, settings.port)


def test_an_empty_environment_lists_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run tells everything that a first start needs."""
    problems = _problems(monkeypatch, {})

    assert {"GATEWAY_PEPPER", "GATEWAY_SEALING_KEYS", "SLACK_APP_TOKEN"} == _named(problems)


def test_problems_of_every_kind_are_listed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read, what is out of range, what is missing and what does not fit."""
    env = {
        "GATEWAY_PORT": "eighty",
        "GATEWAY_SHARDS": "0",
        "GATEWAY_LOG_LEVEL": "loud",
        "GATEWAY_PLATFORMS": "slack,irc",
        "GATEWAY_PEPPER": "short",
        "GATEWAY_SEALING_KEYS": "not-a-key",
        "SLACK_APP_TOKEN": "xoxb-not-an-app-token",
        "SLACK_API_BASE_URL": "http://slack.example/api/",
        "REDIS_URL": "localhost:6379",
        "DATABASE_URL": "mysql://localhost/gateway",
    }

    problems = _problems(monkeypatch, env)

    assert set(env) == _named(problems)
    assert len(env) == len(problems)


def test_each_way_in_wants_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets the app token, requests the signing secret, both of them both."""
    both = {"SLACK_MODE": "both", "SLACK_APP_TOKEN": ""}

    assert {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"} == _named(
        _problems(monkeypatch, {**GOOD, **both})
    )
    _set(monkeypatch, {"SLACK_MODE": "http", "SLACK_SIGNING_SECRET": "new, old"})
    settings = load_settings(serving=True).checked_for_serving()
    assert ["new", "old"] == [each.get_secret_value() for each in settings.slack_signing_secrets]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, True),
        ({"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s"}, False),
        ({"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s", "SLACK_RECOVERY": "on"}, True),
        ({"SLACK_RECOVERY": "off"}, False),
    ],
)
def test_gaps_are_filled_where_slack_allows_it(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], expected: bool
) -> None:
    """An app that workspaces install by themselves may read a history once a minute."""
    _set(monkeypatch, {**GOOD, **env})
    assert expected is load_settings(serving=True).checked_for_serving().recovers


@pytest.mark.parametrize(
    "env",
    [
        {"GATEWAY_SEALING_KEYS": "super-secret"},
        {"GATEWAY_SEALING_KEYS": f"{KEY},super-secret"},
        {"GATEWAY_SEALING_KEYS": f"super-secret,{KEY}"},
        {"GATEWAY_PEPPER": "super-secret"},
        {"SLACK_APP_TOKEN": "super-secret"},
        {"SLACK_MODE": "super-secret"},
        {"SLACK_COMMAND_REPLY": "super-secret" * 200},
        {"REDIS_URL": "http://:super-secret@10.0.0.7"},
        {"DATABASE_URL": "http://u:super-secret@10.0.0.7/db"},
        {"GATEWAY_PORT": "super-secret"},
        {"GATEWAY_DEMO": "super-secret"},
        {"SLACK_API_BASE_URL": "http://u:super-secret@slack.example/"},
    ],
    ids=lambda env: next(iter(env)),
)
def test_no_message_quotes_what_was_set(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str]
) -> None:
    """It may be a secret, or one that was put under the wrong name."""
    problems = _problems(monkeypatch, {**GOOD, **env})

    assert set(env) == _named(problems)
    assert "super-secret" not in "\n".join(problems)
    assert KEY not in "\n".join(problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [("GATEWAY_PEPPER", DEMO_PEPPER), ("GATEWAY_SEALING_KEYS", f"{KEY},{DEMO_SEALING_KEY}")],
    ids=["pepper", "sealing keys"],
)
def test_secrets_that_everybody_knows_are_for_the_demo_only(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Set by hand as well as left out; also for commands that serve nothing."""
    _set(monkeypatch, {**GOOD, name: value})

    with pytest.raises(ConfigError, match=name):
        load_settings().checked()

    monkeypatch.setenv("GATEWAY_DEMO", "1")
    assert load_settings().checked().demo


def test_the_demo_needs_no_secrets_but_not_any_form_will_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The demo's own sealing key is a real one."""
    _set(monkeypatch, {"GATEWAY_DEMO": "1"})
    assert load_settings().checked().demo

    _set(monkeypatch, {"GATEWAY_SEALING_KEYS": "not-a-key"})
    with pytest.raises(ConfigError, match="Fernet keys"):
        load_settings().checked()


def test_commands_that_do_not_serve_need_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tenant add` on another machine has nothing to do with Slack's app."""
    _set(monkeypatch, {**GOOD, "SLACK_APP_TOKEN": "", "GATEWAY_PORT": "eighty"})

    with pytest.raises(ConfigError) as caught:
        load_settings()

    assert {"GATEWAY_PORT"} == _named(str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://slack.com/api/", True),
        ("https://slack-gov.com/api/", True),
        ("http://127.0.0.1:8000/api/", True),
        ("http://[::1]:8000/api/", True),
        ("http://slack.com/api/", False),
        ("http://127.0.0.1.evil.example/api/", False),
        ("http://127.0.0.1@evil.example/api/", False),
        ("http://[::1", False),
        ("https://", False),
        ("ftp://127.0.0.1/", False),
        ("slack.com", False),
        ("", False),
    ],
)
def test_tokens_travel_encrypted_or_not_at_all(url: str, good: bool) -> None:
    """http is for this machine only, and a name that begins like it is another machine."""
    settings = Settings(
        pepper=SecretStr(PEPPER),
        sealing_keys=(SecretStr(KEY),),
        slack_app_token=SecretStr("xapp-1"),
        slack_api_base_url=url,
    )

    named = _named(settings.problems(serving=True))

    assert (set() if good else {"SLACK_API_BASE_URL"}) == named


def test_a_platform_without_an_adapter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Better than a gateway that is deaf on it."""
    problems = _problems(monkeypatch, {**GOOD, "GATEWAY_PLATFORMS": "teams,slack"})

    assert ["GATEWAY_PLATFORMS: teams has no adapter yet"] == problems


def test_a_process_without_intake_needs_no_app_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bridges post to containers; only the ingress opens sockets."""
    _set(monkeypatch, {**GOOD, "SLACK_APP_TOKEN": "", "GATEWAY_ROLES": "bridge"})

    assert (Role.BRIDGE,) == load_settings(serving=True).checked_for_serving().roles


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"GATEWAY_WORKERS": "0"}, "greater than or equal to 1"),
        ({"GATEWAY_WORKERS": "-1"}, "greater than or equal to 1"),
        ({"GATEWAY_WORKERS": "65"}, "less than or equal to 64"),
        ({"GATEWAY_WORKERS": "two"}, "valid integer"),
        ({"GATEWAY_WORKERS": "17"}, "16 shards"),
        ({"GATEWAY_WORKERS": "2", "GATEWAY_ROLES": "ingress"}, "GATEWAY_ROLES is ingress alone"),
    ],
)
def test_numbers_of_workers_that_cannot_be_are_named(
    monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str], said: str
) -> None:
    """None, less than none, more than a machine has, more than there is work for."""
    [problem] = _problems(monkeypatch, {**GOOD, **env})

    assert problem.startswith("GATEWAY_WORKERS")
    assert said in problem


def test_the_number_of_workers_of_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with roles."""
    _set(monkeypatch, {**GOOD, "GATEWAY_WORKERS": "2"})

    assert (2, 4) == (load_settings().workers, load_settings(workers=4).workers)


def test_secrets_are_not_in_the_settings_own_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may end up in a traceback."""
    _set(monkeypatch, GOOD)

    text = repr(load_settings())

    assert [] == [secret for secret in GOOD.values() if secret in text]


def test_the_demos_sealing_key_is_a_real_key() -> None:
    """It opens what it seals."""
    seal = Seal([DEMO_SEALING_KEY])

    assert "x" == seal.open(seal.seal("x"))


def _serve(env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_NAMES)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "gateway", *arguments],
        env={**clean, "COLUMNS": "200", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_serve_lists_every_problem_and_exits_with_2() -> None:
    """Through the command line: no traceback, nothing on stdout, nothing secret."""
    env = {
        "GATEWAY_PORT": "eighty",
        "GATEWAY_SEALING_KEYS": "super-secret",
        "SLACK_APP_TOKEN": "super-secret",
    }

    done = _serve(env, "serve")

    lines = [line.strip() for line in done.stderr.splitlines()]
    assert (2, "") == (done.returncode, done.stdout)
    assert "These settings do not work:" == lines[0]
    assert {*env, "GATEWAY_PEPPER"} == _named(lines[1:])
    assert "Traceback" not in done.stderr
    assert "super-secret" not in done.stderr


def test_another_command_lists_its_problems_the_same_way() -> None:
    """`tenant list` has the same words and the same exit code."""
    done = _serve({"GATEWAY_SHARDS": "0"}, "tenant", "list")

    assert 2 == done.returncode
    assert "GATEWAY_SHARDS: Input should be greater than or equal to 1" in done.stderr
    assert "GATEWAY_PEPPER is not set" in done.stderr
    assert "SLACK_APP_TOKEN" not in done.stderr
    assert "Traceback" not in done.stderr
