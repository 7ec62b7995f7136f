"""deploy/alerts.yml is built on metrics and labels that exist."""

from __future__ import annotations

import re
from pathlib import Path

from adapters.slack.observer import ENDS
from gateway.telemetry.metrics import Metrics

RULES = (Path(__file__).parents[1] / "deploy" / "alerts.yml").read_text()
_METRIC = re.compile(r"gateway_[a-z_]+")
_REASONS = re.compile(r'reason=~"([a-z_|]+)"')


def test_every_metric_of_an_alert_is_exposed() -> None:
    """An alert on a name that nobody exposes never fires."""
    text = Metrics().exposition().decode()
    exposed = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    named = set(_METRIC.findall(RULES))
    assert set() == named - exposed
    assert len(named) >= 5


def test_every_reason_of_an_alert_is_one() -> None:
    """Nor does one on a label's value that nobody uses."""
    named = {reason for found in _REASONS.findall(RULES) for reason in found.split("|")}
    assert set() == named - ENDS
    assert named


def test_every_alert_says_what_to_do() -> None:
    """Whoever is woken by it has not read the source."""
    counts = [RULES.count(f"{word}:") for word in ("- alert", "summary", "description", "severity")]
    assert 1 == len(set(counts)), counts
