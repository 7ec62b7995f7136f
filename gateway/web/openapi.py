"""/openapi.json, version 3.1, made from the operations and the types that validate their requests.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from gateway.web.models import MAX_KEY_CHARS, ErrorBody
from gateway.web.operations import STATUS_OF, Code, Operation
from plugin_bridge.wire import InlineReplies, WireEvent

Json: TypeAlias = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_REASONS: Final[Mapping[int, str]] = {
    400: "the request is malformed; `field` names what is wrong",
    401: "no valid key",
    403: "the key does not allow it",
    404: "there is no such thing of yours",
    405: "not this verb",
    408: "the body did not come in time",
    409: "it contradicts what was asked before",
    413: "too large",
    415: "not this kind of body",
    422: "well-formed, but it means nothing",
    429: "your queue is full",
    500: "the gateway failed",
    503: "a store or the platform is away: try again with the same key",
}
_PATH_PARAMETER: Final = re.compile(r"\{(\w+)\}")


def document(operations: Sequence[Operation]) -> Json:
    """Describe the operations."""
    schemas = _schemas(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.verb.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Channel Gateway agent API",
            "version": "1",
            "description": "What a tenant's agent says to the gateway. See docs/agent-protocol.md.",
        },
        "security": [{"agentKey": []}],
        "paths": paths,
        "webhooks": {"delivery": {"post": _delivery()}},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "agentKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The tenant's agent key, or a reply token of one conversation.",
                }
            },
        },
    }


def _schemas(operations: Iterable[Operation]) -> Json:
    shapes: dict[type[msgspec.Struct], None] = {
        ErrorBody: None,
        WireEvent: None,
        InlineReplies: None,
    }
    for operation in operations:
        for shape in (operation.body, operation.answer):
            if shape is not None and issubclass(shape, msgspec.Struct):
                shapes[shape] = None
    _, components = msgspec.json.schema_components(list(shapes), ref_template=_REF)
    return dict(components)


def _delivery() -> Json:
    """What the gateway sends, and what an agent may answer."""
    return {
        "summary": "An event, signed by Standard Webhooks",
        "security": [],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(WireEvent)}},
        },
        "responses": {
            "202": {"description": "taken; answers come later"},
            "200": {
                "description": "taken, and these are the answers",
                "content": {"application/json": {"schema": _ref(InlineReplies)}},
            },
            "410": {"description": "this endpoint is gone: it is disabled"},
            "default": {"description": "408, 409, 425, 429, 5xx: tried again; else a dead letter"},
        },
    }


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.body is bytes:
        described["requestBody"] = {
            "required": True,
            "content": {"application/octet-stream": {"schema": {}}, "*/*": {"schema": {}}},
        }
    elif operation.body is not None:
        described["requestBody"] = {
            "required": bool(_required(operation.body)),
            "content": {"application/json": {"schema": _ref(operation.body)}},
        }
    return described


def _required(shape: type) -> Sequence[str]:
    return [field.name for field in msgspec.structs.fields(shape) if field.required]


def _parameters(operation: Operation) -> list[Json]:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PATH_PARAMETER.findall(operation.path)
    ]
    if operation.keyed:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "The same key with the same request gives the first answer again.",
                "schema": {
                    "type": "string",
                    "pattern": "^[!-~]+$",
                    "minLength": 1,
                    "maxLength": MAX_KEY_CHARS,
                },
            }
        )
    if operation.query is not None:
        _, components = msgspec.json.schema_components([operation.query], ref_template=_REF)
        shape = components[operation.query.__name__]
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in shape.get("required", ()),
                "schema": schema,
            }
            for name, schema in shape["properties"].items()
        ]
    return parameters


def _responses(operation: Operation) -> Json:
    content: Json = (
        {"*/*": {"schema": {}}}
        if operation.answer is bytes
        else {"application/json": {"schema": _ref(operation.answer)}}
    )
    responses: Json = {str(operation.status): {"description": "done", "content": content}}
    by_status: dict[int, list[Code]] = {}
    for code in operation.all_codes():
        by_status.setdefault(STATUS_OF[code], []).append(code)
    for status, codes in sorted(by_status.items()):
        names = ", ".join(f"`{code.value}`" for code in codes)
        responses[str(status)] = {
            "description": f"{_REASONS[status]} ({names})",
            "content": {"application/json": {"schema": _ref(ErrorBody)}},
        }
    return responses


def _ref(shape: type) -> Json:
    return {"$ref": _REF.format(name=shape.__name__)}
