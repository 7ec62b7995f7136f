"""What agents may write beyond CommonMark: mentions, spoilers and tasks. Pure.

`@[user:<id>]` and `@[channel:<id>]` mention a user or a channel by the id that deliveries name
them with; an id has 1 to 128 of the characters A-Z a-z 0-9 . _ : @ = -. Each platform writes those
ids that are its own, and shows all else as it was written, as inside of code.
Addresses need no brackets: `https://...` in the text is a link.
`||hidden||` is a spoiler where there are spoilers. `- [ ] to do` and `- [x] done` are tasks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_MENTION = re.compile(r"@\[(?P<kind>user|channel):(?P<id>[A-Za-z0-9._:@=-]{1,128})\]")
# Not inside of words and not around spaces: `a||b||c` and `a || b` are code that lost its marks.
# Code goes before: a spoiler holds all of its backticks or none.
_SPOILER = re.compile(
    r"(?<![\w|])\|\|(?=[^\s|])((?:[^|`\n]|`[^|`\n]+`){1,1000})(?<!\s)\|\|(?![\w|])"
)
_SCHEME = re.compile(r"(?<![A-Za-z0-9])https?\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"://[^\s<>\[\]*`|\"]{1,1000}(?![^\s<>\[\]*`|\"])")
_SAFE_ADDRESS = re.compile(r"[\w.~:/?#@!$&'()+,;=%-]+", re.ASCII)
_TASKS = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


def extend(parser: MarkdownIt) -> MarkdownIt:
    """Teach `parser` mentions, spoilers and addresses."""
    parser.inline.add_terminator_char("|")
    parser.inline.ruler.before("link", "mention", _mention)
    parser.inline.ruler.before("link", "spoiler", _spoiler)
    parser.inline.ruler.before("escape", "address", _address)
    return parser


def mark_tasks(tokens: Sequence[Token]) -> None:
    """Turn the boxes at the head of list items into signs."""
    for item, _, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type == "list_item_open" and inline.children:
            first = inline.children[0]
            if first.type == "text" and (box := _TASKS.get(first.content[:4])):
                first.content = box + first.content[4:]


def _mention(state: StateInline, silent: bool) -> bool:
    match = _MENTION.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        token = state.push("mention", "", 0)
        token.content = match[0]
        token.meta = match.groupdict()
    state.pos = match.end()
    return True


def _spoiler(state: StateInline, silent: bool) -> bool:
    match = _SPOILER.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        end = state.posMax
        state.push("spoiler_open", "", 1)
        state.pos, state.posMax = match.span(1)
        state.md.inline.tokenize(state)
        state.push("spoiler_close", "", -1)
        state.posMax = end
    state.pos = match.end()
    return True


def _address(state: StateInline, silent: bool) -> bool:
    """Take an address out of the text, before its underscores are read as emphasis."""
    match = None if silent else _ADDRESS.match(state.src, state.pos, state.posMax)
    if match is None or not (scheme := _SCHEME.search(state.pending)):
        return False
    written = _without_tail(match[0])
    address = scheme[0] + unescapeAll(written)
    if len(written) <= len("://") or not _SAFE_ADDRESS.fullmatch(address):
        return False
    state.pending = state.pending[: scheme.start()]
    state.push("address", "", 0).content = address
    state.pos += len(written)
    return True


def _without_tail(address: str) -> str:
    """Drop what belongs to the sentence: a full stop, a bracket that was opened before."""
    while address[-1] in ".,:;!?'_~)":
        if address[-1] == ")" and address.count(")") <= address.count("("):
            break
        address = address[:-1]
    return address
