"""/openapi.json is valid, and says what the server does."""

from __future__ import annotations

import re
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.web.operations import STATUS_OF, Code
from tests.web.conftest import Client


async def described(agent: Client) -> dict[str, Any]:
    """Fetch the document, as anybody may."""
    async with agent.session.get(f"{agent.url}/openapi.json") as response:
        assert 200 == response.status
        document: dict[str, Any] = await response.json()
        return document


async def test_the_document_is_valid(agent: Client) -> None:
    """OpenAPI 3.1."""
    document = await described(agent)

    OpenAPIV31SpecValidator(document).validate()
    assert "3.1.0" == document["openapi"]


async def test_every_code_has_a_status_and_stands_in_the_document(agent: Client) -> None:
    """A code that no operation names would be a surprise to agents."""
    document = await described(agent)

    told = {
        name
        for path in document["paths"].values()
        for operation in path.values()
        for response in operation["responses"].values()
        for name in re.findall(r"`(\w+)`[,)]", response["description"])
    }
    # These two are ends of what is no operation.
    assert set(STATUS_OF) - {Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED} == {
        Code(each) for each in told
    }


async def test_every_property_of_a_request_is_bounded(agent: Client) -> None:
    """A text without a limit, or an object that takes any field, is a hole."""
    document = await described(agent)
    schemas = document["components"]["schemas"]
    requests = {
        body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path in document["paths"].values()
        for operation in path.values()
        if "application/json" in (body := operation.get("requestBody", {})).get("content", {})
    }

    assert requests
    for name in requests:
        assert schemas[name]["additionalProperties"] is False, name
