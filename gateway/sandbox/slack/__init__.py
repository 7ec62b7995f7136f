"""A stand-in for Slack: Web API, Socket Mode and the people who write in its workspaces."""

from gateway.sandbox.slack.assistant import Status
from gateway.sandbox.slack.book import Message
from gateway.sandbox.slack.directory import Channel, ChannelKind, Team
from gateway.sandbox.slack.envelopes import Delivery
from gateway.sandbox.slack.faults import (
    ApiError,
    Fault,
    HttpStatus,
    RateLimited,
    ResetAfter,
    ResetBefore,
    Slow,
)
from gateway.sandbox.slack.rules import TIERS, Rate, SlackRules
from gateway.sandbox.slack.sandbox import SlackSandbox
from gateway.sandbox.slack.views import View
from gateway.sandbox.slack.web_api import Request

__all__ = [
    "TIERS",
    "ApiError",
    "Channel",
    "ChannelKind",
    "Delivery",
    "Fault",
    "HttpStatus",
    "Message",
    "Rate",
    "RateLimited",
    "Request",
    "ResetAfter",
    "ResetBefore",
    "SlackRules",
    "SlackSandbox",
    "Slow",
    "Status",
    "Team",
    "View",
]
