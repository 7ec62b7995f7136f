"""What may not be registered is refused with the name of its field."""

from __future__ import annotations

from contextlib import nullcontext

import msgspec
import pytest

from gateway.core.errors import RegistryError
from gateway.core.ids import AgentId, Platform, TenantId, WorkspaceId
from gateway.core.tenants import AccessPolicy, Agents, Credential, HistoryPolicy, Limits
from gateway.provisioning.operations import Provisioning
from gateway.provisioning.validation import check_binding, check_spec
from tests.provisioning.conftest import spec


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:18789/hook",
        "http://[::1]:8000/",
        "https://agent.example/events?x=1",
        "http://10.0.0.7/",
        "http://container-a/",
    ],
)
def test_endpoints_that_a_container_can_have(url: str) -> None:
    """Private addresses are where containers live."""
    check_spec(spec(endpoint_url=url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "agent.example",
        "ftp://agent.example/",
        "https://",
        "https:///path",
        "https://user:secret@agent.example/",
        "https://agent.example/#part",
        "https://agent.example:99999/",
        "https://agent.example:0/",
        "https://[::1/",
        "https://agent example/",
        "https://agent.example/\r\nX-Header: 1",
        "https://agent.example/" + "a" * 2048,
    ],
)
def test_endpoints_that_cannot_be_called(url: str) -> None:
    """Refused when it is typed, not when the first message is lost."""
    with pytest.raises(RegistryError, match=r"^endpoint_url: "):
        check_spec(spec(endpoint_url=url))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "0xa9fea9fe",
        "2852039166",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
        "[::]",
        "224.0.0.1",
    ],
)
def test_endpoints_that_would_leak_the_credentials_of_the_machine(host: str) -> None:
    """A cloud's metadata service answers on a link-local address, however that is written."""
    with pytest.raises(RegistryError, match="link-local"):
        check_spec(spec(endpoint_url=f"http://{host}/latest"))


def test_every_wrong_field_is_named_at_once() -> None:
    """One round for the operator, not one a field."""
    wrong = msgspec.structs.replace(
        spec("Acme:1", "nowhere"),
        name="a\x1b[2J",
        timeout_s=float("nan"),
        agents=Agents(default=AgentId("Main"), by_channel={"C 1": AgentId("main")}),
        access=AccessPolicy(allowed_users=("",), commanders=("owner", "the boss")),
        history=HistoryPolicy(messages=51),
        limits=Limits(concurrency=0, max_queued=-1, file_bytes=0, stored_file_bytes=2**41),
    )

    with pytest.raises(RegistryError) as caught:
        check_spec(wrong)
    assert [
        "id",
        "agents",
        "endpoint_url",
        "name",
        "timeout_s",
        "access.allowed_users",
        "access.commanders",
        "agents.by_channel",
        "limits.max_queued",
        "limits.concurrency",
        "limits.file_bytes",
        "limits.stored_file_bytes",
        "history.messages",
    ] == [line.partition(":")[0] for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(("messages", "can_be"), [(-1, False), (0, True), (50, True), (51, False)])
def test_a_history_is_bounded(messages: int, can_be: bool) -> None:
    """Every delivery carries it, and Redis keeps one for each conversation."""
    wanted = msgspec.structs.replace(spec(), history=HistoryPolicy(messages=messages))

    with nullcontext() if can_be else pytest.raises(RegistryError, match=r"^history\.messages: "):
        check_spec(wanted)


@pytest.mark.parametrize("token", ["xoxb-1", "xoxe.xoxb-1"])
def test_bot_tokens_of_slack(token: str) -> None:
    """With and without token rotation."""
    check_binding(Platform.SLACK, WorkspaceId("T1"), Credential(bot_token=token))


@pytest.mark.parametrize("token", ["", "xapp-1", "xoxp-1", "xoxb-1 2", "xoxb-1\n", "xoxb-\u00e9"])
def test_a_token_that_is_no_bot_token_is_refused_unseen(token: str) -> None:
    """An app-level token pasted by mistake must not end up in a log."""
    with pytest.raises(RegistryError, match=r"^bot_token: ") as caught:
        check_binding(Platform.SLACK, WorkspaceId("T1"), Credential(bot_token=token))
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("workspace", ["", " ", "T 1", "T\n", "T" * 129])
def test_a_workspace_id_that_cannot_be_is_refused(workspace: str) -> None:
    """It would never match an event."""
    with pytest.raises(RegistryError, match=r"^workspace: "):
        check_binding(Platform.SLACK, WorkspaceId(workspace), None)


async def test_nothing_is_stored_of_what_is_refused(provisioning: Provisioning) -> None:
    """The check comes before the first statement, for additions and for changes."""
    with pytest.raises(RegistryError, match="endpoint_url"):
        await provisioning.add_tenant(spec(endpoint_url="nowhere"))
    assert [] == await provisioning.tenants()
    await provisioning.add_tenant(spec())
    with pytest.raises(RegistryError, match="endpoint_url"):
        await provisioning.edit_tenant(
            TenantId("acme"), lambda old: msgspec.structs.replace(old, endpoint_url="nowhere")
        )
    with pytest.raises(RegistryError, match="id"):
        await provisioning.edit_tenant(
            TenantId("acme"), lambda old: msgspec.structs.replace(old, id=TenantId("globex"))
        )
    assert [spec()] == [record.spec for record in await provisioning.tenants()]
