"""Slack mrkdwn to Markdown. Pure; any text is fine, none is refused.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re

import msgspec

MAX_TEXT_CHARS = 40_000
"""Slack's own limit of a message; what is longer did not come from a person."""

# Emphasis has to be found across links and code without looking into them, so these stand aside
# under a sign that no text may contain.
_HELD = "\ue000"

_ATOM = re.compile(r"```(?P<fence>.+?)```|`(?P<code>[^`\n]+)`|<(?P<angle>[^<>]*)>", re.DOTALL)
_BOLD = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])")
_STRIKE = re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])")
_MENTION = re.compile(r"<@([A-Z0-9]{1,64})(?:\|[^<>]*)?>")


class InboundText(msgspec.Struct, frozen=True, kw_only=True):
    """A message as Markdown. `mentions` are the ids of the users named in it, without the bot."""

    text: str
    mentions: tuple[str, ...] = ()
    mentions_bot: bool = False


def to_markdown(mrkdwn: str, *, bot: str = "") -> InboundText:
    """Translate `mrkdwn`; the leading mention of the user id `bot` is dropped."""
    source = _bounded(mrkdwn)
    mentioned = tuple(dict.fromkeys(_MENTION.findall(source)))
    if bot:
        source = re.sub(rf"\A\s*(?:<@{re.escape(bot)}(?:\|[^<>]*)?>[\s:,]*)+", "", source)
    return InboundText(
        text=_translate(source.replace(_HELD, "\ufffd")),
        mentions=tuple(user for user in mentioned if user != bot),
        mentions_bot=bool(bot) and bot in mentioned,
    )


def _bounded(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARS:
        return text
    return f"{text[:MAX_TEXT_CHARS]} [cut: {len(text) - MAX_TEXT_CHARS} more characters]"


def _translate(source: str) -> str:
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(_atom(match))
        return _HELD

    text = _ATOM.sub(hold, source)
    text = _STRIKE.sub(r"~~\1~~", _BOLD.sub(r"**\1**", text))
    atoms = iter(held)
    return re.sub(_HELD, lambda _: next(atoms), _unescaped(text))


def _atom(match: re.Match[str]) -> str:
    fence, code, angle = match.group("fence", "code", "angle")
    if fence is not None:
        return _fence(match, _code(fence))
    if code is not None:
        return f"`{_code(code)}`"
    return _angle(angle)


def _fence(match: re.Match[str], code: str) -> str:
    """Slack takes a fence anywhere; Markdown wants the fences of several lines to stand alone."""
    if "\n" not in code:
        return f"```{code}```"
    start, end = match.span()
    before = "\n" if start and match.string[start - 1] != "\n" else ""
    after = "\n" if end < len(match.string) and match.string[end] != "\n" else ""
    inside = code.removeprefix("\n").removesuffix("\n")
    return f"{before}```\n{inside}\n```{after}"


def _code(code: str) -> str:
    """Slack links addresses even inside code; Markdown would show the brackets."""
    return _unescaped(re.sub(r"<([^<>]*)>", lambda match: _shown(match.group(1)), code))


def _angle(content: str) -> str:
    target, _, label = content.partition("|")
    if not label or target.startswith(("@", "#", "!")) or target in {label, f"mailto:{label}"}:
        return _unescaped(_shown(content))
    shown = _unescaped(label).replace("[", "\\[").replace("]", "\\]")
    address = _unescaped(target).replace("(", "%28").replace(")", "%29").replace(" ", "%20")
    return f"[{shown}]({address})"


def _shown(content: str) -> str:
    """What a person reads of `<...>`, without its address."""
    target, _, label = content.partition("|")
    match target[:1]:
        case "@" | "#" as sign:
            return sign + (label or target[1:])
        case "!" if target.startswith("!date^"):
            return label or target
        case "!":
            return "@" + (label or target[1:].removeprefix("subteam^")).removeprefix("@")
    return label or target


def _unescaped(text: str) -> str:
    # The ampersand last: "&amp;lt;" is the text "&lt;".
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
