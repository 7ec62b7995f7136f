"""Files as agents ask for them: their own, and those that came with messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import msgspec
import pytest
from cryptography.fernet import Fernet

from adapters.slack.capabilities import CAPABILITIES
from adapters.slack.config import SlackConfig
from adapters.slack.files import SlackFiles
from adapters.slack.outbound import render
from gateway.archive.connection import connect as connect_archive
from gateway.archive.files import FileStore
from gateway.archive.migrations import migrate
from gateway.archive.records import TenantSpec
from gateway.archive.registry import Registry
from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.conversations import ConversationRef
from gateway.core.errors import SendError, StoreError
from gateway.core.events import Attachment
from gateway.core.files import FileRefusal, KeptFile, OpenedFile
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.messages import OutboundMessage, SentMessage
from gateway.core.ports import Download, Outlet
from gateway.core.tenants import Binding, Credential, Limits, Tenant, TenantStatus
from gateway.files import AttachmentTokens, Files
from gateway.sandbox.slack import HttpStatus, SlackSandbox
from gateway.sandbox.slack.files import SlackFile
from gateway.sealing import Seal
from gateway.store import connection
from gateway.store.keys import Pepper
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics

ACME, GLOBEX = TenantId("acme"), TenantId("globex")
TEAM, OTHER_TEAM = WorkspaceId("T0AAAA"), WorkspaceId("T0BBBB")
CHANNEL, ANN = "C0GENERAL", "U0ANN"
WHERE = ConversationRef(platform=Platform.SLACK, workspace=TEAM, channel=CHANNEL)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 500


class FilesOnly(SlackFiles):
    """Slack's end of these tests, in which nobody posts a message."""

    async def send(self, message: OutboundMessage, credential: Credential) -> SentMessage:
        """Refuse."""
        raise NotImplementedError


class Endless:
    """A platform whose files say nothing of their size and never end."""

    def __init__(self) -> None:
        self.is_open = False

    async def send(self, message: OutboundMessage, credential: Credential) -> SentMessage:
        """Refuse."""
        raise NotImplementedError

    @asynccontextmanager
    async def download(
        self, attachment: Attachment, credential: Credential
    ) -> AsyncIterator[Download]:
        """Begin one."""
        self.is_open = True
        try:
            yield Download(content=self._bytes(), size_bytes=None)
        finally:
            self.is_open = False

    async def _bytes(self) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000


@dataclass
class World:
    """Two tenants, the first of which has a Slack workspace."""

    slack: SlackSandbox
    seal: Seal
    lookup: TenantLookup
    store: FileStore
    outlet: Outlet
    records: list[AuditRecord] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def tokens(self) -> AttachmentTokens:
        """What makes ids of attachments."""
        return AttachmentTokens(self.seal)

    @property
    def files(self) -> Files:
        """What is tested."""
        return self.files_from(self.outlet)

    def files_from(self, outlet: Outlet) -> Files:
        """The same, with another platform behind it."""
        outlets = {Platform.SLACK: outlet}
        return Files(self.store, self.lookup, self.seal, outlets, self._record, self.metrics)

    async def bind(
        self,
        tenant: TenantId,
        *,
        token: str | None = f"xoxb-{TEAM}",
        limits: Limits | None = None,
        status: TenantStatus = TenantStatus.ACTIVE,
    ) -> None:
        """Give the workspace to a tenant, with or without a token."""
        sealed = None
        if token is not None:
            credential = msgspec.json.encode(Credential(bot_token=token)).decode()
            sealed = self.seal.seal(credential).encode()
        owner = Tenant(id=tenant, status=status, limits=limits or Limits())
        binding = Binding(tenant=owner, platform=Platform.SLACK, workspace=TEAM, epoch=1)
        await self.lookup.put_binding(binding, sealed)

    def shared(self, name: str = "photo.png", content: bytes = PNG, **told: object) -> str:
        """The id under which the first tenant's agent knows a file that a user has shared."""
        file = self.slack.share_file(TEAM, CHANNEL, ANN, name, content)
        return self.tokens.token(ACME, WHERE, _attachment(file, **told))

    async def _record(self, record: AuditRecord) -> None:
        self.records.append(record)


def _attachment(file: SlackFile, **told: object) -> Attachment:
    described = Attachment(
        id=file.file_id, name=file.name, media_type=file.mimetype, size_bytes=file.size
    )
    return msgspec.structs.replace(described, **told)


@pytest.fixture
async def world(clean_redis: str, fresh_database: str) -> AsyncIterator[World]:
    """The real stores and a Slack stand-in."""
    async with (
        connection.connect(clean_redis) as redis,
        connect_archive(fresh_database, max_size=4) as pool,
        SlackSandbox() as slack,
        aiohttp.ClientSession() as session,
    ):
        await migrate(pool)
        async with Registry(pool).writing() as writes:
            for tenant in (ACME, GLOBEX):
                await writes.add_tenant(
                    TenantSpec(id=tenant, endpoint_url="http://127.0.0.1:1/", limits=Limits())
                )
        config = SlackConfig(app_token=slack.app_token, api_base_url=slack.base_url)
        made = World(
            slack=slack,
            seal=Seal([Fernet.generate_key().decode()]),
            lookup=TenantLookup(redis, Pepper(b"a pepper for tests, long enough"), 4),
            store=FileStore(pool),
            outlet=Outlet(
                render=render, sender=FilesOnly(config, session), capabilities=CAPABILITIES
            ),
        )
        slack.add_team(TEAM)
        slack.add_channel(TEAM, CHANNEL)
        await made.bind(ACME)
        await made.lookup.mark_filled()
        yield made


async def opened(world: World, file_id: str, tenant: TenantId = ACME) -> OpenedFile:
    """A file that is given."""
    file = await world.files.open(tenant, file_id)
    assert isinstance(file, OpenedFile)
    return file


async def read(world: World, file_id: str, tenant: TenantId = ACME) -> bytes:
    """All bytes of a file that is given."""
    file = await opened(world, file_id, tenant)
    try:
        return b"".join([piece async for piece in file.content])
    finally:
        await file.aclose()


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """The bytes of an upload."""
    for part in parts:
        yield part


async def test_an_attachment_is_passed_on(world: World) -> None:
    """Byte for byte, with the name and the type that its bytes have."""
    file_id = world.shared(name="photo.png", media_type="text/html")

    file = await opened(world, file_id)
    assert ("photo.png", "image/png", len(PNG)) == (file.name, file.media_type, file.size_bytes)
    await file.aclose()
    assert PNG == await read(world, file_id)


@pytest.mark.parametrize("content", [b"", b"x", b"word " * 10_000])
async def test_small_files_too(world: World, content: bytes) -> None:
    """Those that end before enough is seen to tell the type."""
    assert content == await read(world, world.shared("notes.txt", content))


async def test_a_kept_file_is_given_back(world: World) -> None:
    """To its own tenant."""
    kept = await world.store.keep(ACME, "a.png", None, pieces(PNG), idempotency_key="k")
    assert isinstance(kept, KeptFile)

    assert PNG == await read(world, kept.id)
    assert FileRefusal.UNKNOWN == await world.files.open(GLOBEX, kept.id)


@pytest.mark.parametrize(
    "file_id",
    [
        "",
        "att_",
        "att_x",
        "att_" + "x" * 200,
        "att_" + "x" * 100_000,
        "att_\u00fc",
        "file_",
        "file_0123456789abcdef01234567",
        "file_" + "0" * 100_000,
        "F0AAAA",
        "../../etc/passwd",
    ],
)
async def test_what_is_no_id_is_unknown(world: World, file_id: str) -> None:
    """However long, and in whatever alphabet."""
    assert FileRefusal.UNKNOWN == await world.files.open(ACME, file_id)


async def test_a_changed_token_is_unknown(world: World) -> None:
    """Nobody can make one, nor change one to name another file."""
    file_id = world.shared()
    middle = len(file_id) // 2
    flipped = "A" if file_id[middle] != "A" else "B"

    changed = file_id[:middle] + flipped + file_id[middle + 1 :]
    assert FileRefusal.UNKNOWN == await world.files.open(ACME, changed)
    assert FileRefusal.UNKNOWN == await world.files.open(ACME, file_id[:-5])


async def test_another_tenants_token_is_unknown(world: World) -> None:
    """A leaked id is worth nothing without the key of its tenant."""
    assert FileRefusal.UNKNOWN == await world.files.open(GLOBEX, world.shared())


async def test_another_sealed_text_is_no_token(world: World) -> None:
    """The same keys seal tokens of platforms."""
    sealed = world.seal.seal(msgspec.json.encode(Credential(bot_token="xoxb-x")).decode())
    assert FileRefusal.UNKNOWN == await world.files.open(ACME, f"att_{sealed.rstrip('=')}")


async def test_a_workspace_that_changed_hands_gives_nothing_more(world: World) -> None:
    """The old tenant's ids were right once; the attempt is on record."""
    file_id = world.shared()
    await world.bind(GLOBEX)

    assert FileRefusal.UNKNOWN == await world.files.open(ACME, file_id)
    assert FileRefusal.UNKNOWN == await world.files.open(GLOBEX, file_id)
    (record,) = world.records
    assert (AuditAction.ISOLATION_VIOLATION, ACME, TEAM) == (
        record.action,
        record.tenant,
        record.workspace,
    )
    counted = world.metrics.registry.get_sample_value("gateway_isolation_violations_total")
    assert 1 == counted


async def test_an_unbound_workspace_gives_nothing_more(world: World) -> None:
    """Which is no crossing."""
    file_id = world.shared()
    await world.lookup.remove_binding(Platform.SLACK, TEAM)

    assert FileRefusal.UNKNOWN == await world.files.open(ACME, file_id)
    assert [] == world.records


async def test_store_trouble_is_not_an_unknown_file(world: World, clean_redis: str) -> None:
    """A Redis that lost its keys knows nobody (law 9)."""
    file_id = world.shared()
    async with connection.connect(clean_redis) as redis:
        await connection.run_everywhere(redis, "FLUSHALL")

    with pytest.raises(StoreError):
        await world.files.open(ACME, file_id)


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (None, TenantStatus.ACTIVE),
        ("xoxb-wrong", TenantStatus.ACTIVE),
        (f"xoxb-{TEAM}", TenantStatus.SUSPENDED),
    ],
)
async def test_without_a_right_to_see_it_a_file_is_out_of_reach(
    world: World, token: str | None, status: TenantStatus
) -> None:
    """No token, a wrong one, a tenant that is suspended."""
    file_id = world.shared()
    await world.bind(ACME, token=token, status=status)

    assert FileRefusal.UNREACHABLE == await world.files.open(ACME, file_id)


async def test_a_file_that_was_removed_is_gone(world: World) -> None:
    """Other trouble of the platform may pass."""
    file_id = world.shared()
    world.slack.fail_next("download", HttpStatus(404))
    assert FileRefusal.GONE == await world.files.open(ACME, file_id)

    world.slack.fail_next("download", HttpStatus(503))
    assert FileRefusal.UNREACHABLE == await world.files.open(ACME, file_id)
    assert PNG == await read(world, file_id)


async def test_too_large_a_file_is_not_fetched(world: World) -> None:
    """Neither one that its event said was too large, nor one that turns out to be."""
    await world.bind(ACME, limits=Limits(file_bytes=len(PNG) - 1))

    assert FileRefusal.TOO_LARGE == await world.files.open(ACME, world.shared())
    told_nothing = world.shared(size_bytes=None)
    assert FileRefusal.TOO_LARGE == await world.files.open(ACME, told_nothing)

    await world.bind(ACME, limits=Limits(file_bytes=len(PNG)))
    assert PNG == await read(world, told_nothing)


async def test_a_file_that_does_not_end_is_cut_with_a_fault(world: World) -> None:
    """Its server named no size, and what has been passed on cannot be taken back."""
    await world.bind(ACME, limits=Limits(file_bytes=100_000))
    source = Endless()
    outlet = Outlet(render=render, sender=source, capabilities=CAPABILITIES)
    files = world.files_from(outlet)
    file = await files.open(ACME, world.tokens.token(ACME, WHERE, Attachment(id="F0AAAA")))
    assert isinstance(file, OpenedFile)

    received = bytearray()
    with pytest.raises(SendError, match="too large"):
        await _drain(file, received)
    assert len(received) <= 100_000
    assert source.is_open
    await file.aclose()
    assert not source.is_open


async def _drain(file: OpenedFile, into: bytearray) -> None:
    async for piece in file.content:
        into += piece
