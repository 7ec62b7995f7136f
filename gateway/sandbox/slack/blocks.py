"""What Slack refuses in `blocks`: counts, lengths, unknown types, ids that come twice.

Refuses nothing else: what the documents put no number to is taken. https://docs.slack.dev/reference/block-kit/blocks/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.rules import BLOCKS_LIMIT, MARKDOWN_TEXT_LIMIT

_SECTION_CHARS: Final = 3_000
_FIELD_CHARS: Final = 2_000
_HEADER_CHARS: Final = 150
_ID_CHARS: Final = 255
_LABEL_CHARS: Final = 75
_PLACEHOLDER_CHARS: Final = 150
_OPTION_VALUE_CHARS: Final = 150
_VALUE_CHARS: Final = 2_000
_URL_CHARS: Final = 3_000
_MAX_FIELDS: Final = 10
_MAX_CONTEXT_ELEMENTS: Final = 10
_MAX_ACTIONS: Final = 25
_MAX_CONTEXT_ACTIONS: Final = 5
_MAX_OPTIONS: Final = 100

_Object = Mapping[object, object]
_Check = Callable[[_Object, str], None]


def read_blocks(call: Call) -> list[object] | None:
    """The blocks of a call, None when there are none. Raises SlackError as Slack would.

    https://docs.slack.dev/reference/methods/chat.postMessage/#errors
    """
    blocks = call.structure("blocks")
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    check_blocks(blocks, BLOCKS_LIMIT, "/blocks")
    _check_markdown_total(blocks)
    return blocks or None


def check_blocks(blocks: list[object], limit: int, pointer: str) -> None:
    """Refuse what is wrong with the blocks of a message or a view. Raises SlackError."""
    if len(blocks) > limit:
        raise _fault(f"no more than {limit} items allowed", pointer)
    for index, block in enumerate(blocks):
        _check_block(block, f"{pointer}/{index}")
    _check_unique(blocks, "block_id", pointer)


def _fault(problem: str, pointer: str) -> SlackError:
    located = f"{problem} [json-pointer:{pointer}]"
    return SlackError(
        "invalid_blocks",
        errors=[located],
        response_metadata={"messages": [f"[ERROR] {located}"]},
    )


def _check_block(block: object, pointer: str) -> None:
    if not isinstance(block, dict):
        raise _fault("must be an object", pointer)
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in _BLOCKS:
        raise _fault(f"unsupported type: {kind}", f"{pointer}/type")
    _check_length(block, "block_id", _ID_CHARS, pointer)
    check = _BLOCKS[kind]
    if check is not None:
        check(block, pointer)


def _check_section(block: _Object, pointer: str) -> None:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        raise _fault("missing required field: text", pointer)
    if block.get("text") is not None:
        _check_text(block["text"], _SECTION_CHARS, f"{pointer}/text")
    if fields is not None:
        for index, field in enumerate(_items(fields, _MAX_FIELDS, f"{pointer}/fields")):
            _check_text(field, _FIELD_CHARS, f"{pointer}/fields/{index}")
    if block.get("accessory") is not None:
        _check_element(block["accessory"], f"{pointer}/accessory")


def _check_header(block: _Object, pointer: str) -> None:
    _check_text(block.get("text"), _HEADER_CHARS, f"{pointer}/text", plain=True)


def _check_image(block: _Object, pointer: str) -> None:
    _check_length(block, "alt_text", _VALUE_CHARS, pointer, required=True)
    if block.get("slack_file") is None:
        _check_length(block, "image_url", _URL_CHARS, pointer, required=True)


def _check_context(block: _Object, pointer: str) -> None:
    _items(block.get("elements"), _MAX_CONTEXT_ELEMENTS, f"{pointer}/elements")


def _check_actions(block: _Object, pointer: str) -> None:
    elements = _items(block.get("elements"), _MAX_ACTIONS, f"{pointer}/elements")
    for index, element in enumerate(elements):
        _check_element(element, f"{pointer}/elements/{index}")
    _check_unique(elements, "action_id", f"{pointer}/elements")


def _check_context_actions(block: _Object, pointer: str) -> None:
    elements = _items(block.get("elements"), _MAX_CONTEXT_ACTIONS, f"{pointer}/elements")
    for index, element in enumerate(elements):
        kind = element.get("type") if isinstance(element, dict) else None
        if kind not in {"feedback_buttons", "icon_button"}:
            raise _fault(f"unsupported type: {kind}", f"{pointer}/elements/{index}/type")
        _check_element(element, f"{pointer}/elements/{index}")
    _check_unique(elements, "action_id", f"{pointer}/elements")


def _check_markdown(block: _Object, pointer: str) -> None:
    _check_length(block, "text", MARKDOWN_TEXT_LIMIT, pointer, required=True)


def _check_markdown_total(blocks: list[object]) -> None:
    texts = [
        str(block.get("text"))
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "markdown"
    ]
    if sum(map(len, texts)) > MARKDOWN_TEXT_LIMIT:
        # "A cumulative limit of 12,000 characters": .../block-kit/blocks/markdown-block/
        raise _fault(f"must be less than {MARKDOWN_TEXT_LIMIT + 1} characters", "/blocks")


def _check_element(element: object, pointer: str) -> None:
    if not isinstance(element, dict):
        raise _fault("must be an object", pointer)
    kind = element.get("type")
    if not isinstance(kind, str) or kind not in _ELEMENTS:
        raise _fault(f"unsupported type: {kind}", f"{pointer}/type")
    _check_length(element, "action_id", _ID_CHARS, pointer)
    check = _ELEMENTS[kind]
    if check is not None:
        check(element, pointer)


def _check_button(element: _Object, pointer: str) -> None:
    """https://docs.slack.dev/reference/block-kit/block-elements/button-element/"""
    _check_text(element.get("text"), _LABEL_CHARS, f"{pointer}/text", plain=True)
    _check_length(element, "value", _VALUE_CHARS, pointer)
    _check_length(element, "url", _URL_CHARS, pointer)
    if element.get("style") not in {None, "primary", "danger"}:
        raise _fault("must be a valid enum value", f"{pointer}/style")


def _check_select(element: _Object, pointer: str) -> None:
    """https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element/"""
    if element.get("placeholder") is not None:
        where = f"{pointer}/placeholder"
        _check_text(element["placeholder"], _PLACEHOLDER_CHARS, where, plain=True)
    if element.get("option_groups") is not None:
        return
    options = _items(element.get("options"), _MAX_OPTIONS, f"{pointer}/options")
    for index, option in enumerate(options):
        where = f"{pointer}/options/{index}"
        if not isinstance(option, dict):
            raise _fault("must be an object", where)
        _check_text(option.get("text"), _LABEL_CHARS, f"{where}/text")
        _check_length(option, "value", _OPTION_VALUE_CHARS, where, required=True)


def _check_feedback(element: _Object, pointer: str) -> None:
    """https://docs.slack.dev/reference/block-kit/block-elements/feedback-buttons-element/"""
    for name in ("positive_button", "negative_button"):
        button = element.get(name)
        if not isinstance(button, dict):
            raise _fault(f"missing required field: {name}", pointer)
        _check_text(button.get("text"), _LABEL_CHARS, f"{pointer}/{name}/text", plain=True)
        _check_length(button, "value", _VALUE_CHARS, f"{pointer}/{name}", required=True)


def _check_text(text: object, limit: int, pointer: str, *, plain: bool = False) -> None:
    """A text object. https://docs.slack.dev/reference/block-kit/composition-objects/text-object/"""
    if not isinstance(text, dict):
        raise _fault("must be an object", pointer)
    if text.get("type") not in ({"plain_text"} if plain else {"plain_text", "mrkdwn"}):
        raise _fault(f"unsupported type: {text.get('type')}", f"{pointer}/type")
    _check_length(text, "text", limit, pointer, required=True)


def _check_length(
    holder: _Object, name: str, limit: int, pointer: str, *, required: bool = False
) -> None:
    value = holder.get(name)
    if value is None and not required:
        return
    if not isinstance(value, str):
        raise _fault(f"missing required field: {name}", pointer)
    if len(value) > limit:
        raise _fault(f"must be less than {limit + 1} characters", f"{pointer}/{name}")
    if required and not value:
        raise _fault("must be more than 0 characters", f"{pointer}/{name}")


def _items(items: object, limit: int, pointer: str) -> list[object]:
    if not isinstance(items, list) or not items:
        raise _fault("must have at least 1 item", pointer)
    if len(items) > limit:
        raise _fault(f"no more than {limit} items allowed", pointer)
    return items


def _check_unique(items: list[object], name: str, pointer: str) -> None:
    """`action_id` within its block, `block_id` within its message."""
    ids = [item[name] for item in items if isinstance(item, dict) and item.get(name)]
    twice = next((each for each in ids if ids.count(each) > 1), None)
    if twice is not None:
        raise _fault(f"`{name}` `{twice}` already exists", pointer)


_BLOCKS: Final[Mapping[str, _Check | None]] = {
    "section": _check_section,
    "header": _check_header,
    "image": _check_image,
    "context": _check_context,
    "actions": _check_actions,
    "context_actions": _check_context_actions,
    "markdown": _check_markdown,
    **dict.fromkeys(
        ("divider", "rich_text", "input", "video", "file", "table", "task_card", "plan"), None
    ),
}
_ELEMENTS: Final[Mapping[str, _Check | None]] = {
    "button": _check_button,
    "static_select": _check_select,
    "multi_static_select": _check_select,
    "feedback_buttons": _check_feedback,
    **dict.fromkeys(
        (
            "icon_button",
            "image",
            "overflow",
            "checkboxes",
            "radio_buttons",
            "datepicker",
            "datetimepicker",
            "timepicker",
            "workflow_button",
            "users_select",
            "conversations_select",
            "channels_select",
            "external_select",
            "multi_users_select",
            "multi_conversations_select",
            "multi_channels_select",
            "multi_external_select",
        ),
        None,
    ),
}
