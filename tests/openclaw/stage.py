"""The whole road with real agents: platform, gateway process, one OpenClaw a tenant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path

import msgspec

from gateway.core.ids import TenantId
from gateway.core.tenants import AccessPolicy, Reactions
from gateway.demo.world import Company, World, open_world
from tests.openclaw.install import Installed
from tests.openclaw.model import Model, open_model
from tests.openclaw.platforms import Place, PlatformSide, Seen, SlackSide
from tests.openclaw.program import EVENTS, PATIENCE_S, OpenClaw, free_port
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, PATIENT, QUICK, companies


@dataclass(slots=True)
class Stage:
    """What is running, and what tests do with it."""

    world: World
    models: dict[TenantId, Model]
    containers: dict[TenantId, OpenClaw]
    side: PlatformSide
    gateway_port: int
    _keys: count[int] = field(default_factory=lambda: count(1))

    @property
    def acme(self) -> OpenClaw:
        """The container of the first tenant."""
        return self.containers[ACME]

    @property
    def model(self) -> Model:
        """The model of the first tenant."""
        return self.models[ACME]

    def direct(self) -> Place:
        """A direct message that nothing has been said in."""
        return self.side.direct(ACME_TEAM, f"TRY{next(self._keys)}")

    def channel(self) -> Place:
        """A channel that nothing has been said in."""
        return self.side.channel(ACME_TEAM, f"TRY{next(self._keys)}")

    async def answer(self, place: Place, condition: Callable[[Seen], bool]) -> Seen:
        """Wait for a message of the bot's that is so."""

        def found() -> Seen | None:
            return next(filter(condition, self.side.seen(place)), None)

        try:
            return await eventually(found, timeout_s=PATIENCE_S)
        except AssertionError as exc:
            texts = [text[:200] for text in self.texts(place)]
            log = self.acme.log()[-3000:]
            raise AssertionError(f"{exc}; the bot said {texts}\n{log}") from exc

    def texts(self, place: Place) -> list[str]:
        """What the bot's messages there say."""
        return [each.text for each in self.side.seen(place)]

    async def settled(self, tenant: TenantId = ACME) -> None:
        """Wait until the container has nothing left to do."""
        container = self.containers[tenant]
        await eventually(container.is_idle, timeout_s=PATIENCE_S)

    async def restart_gateway(self) -> None:
        """End the gateway as a power cut would, and start it again where it was."""
        await self.world.gateway.kill()
        await self.start_gateway()

    async def start_gateway(self) -> None:
        """Start it on the port that the containers know."""
        await self.world.start_gateway({"GATEWAY_PORT": str(self.gateway_port)})


@asynccontextmanager
async def open_stage(
    redis_url: str, database_url: str, installed: Installed, folder: Path
) -> AsyncIterator[Stage]:
    """Start everything; two containers take half a minute."""
    access = AccessPolicy(reactions=Reactions.ALL, commanders=("U0ANNA",))
    quiet = [
        Company(
            tenant=each.tenant,
            team=each.team,
            name=each.name,
            retry=QUICK,
            access=access,
            reply=lambda _: None,
        )
        for each in companies()
    ]
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(
            open_world(redis_url, database_url, quiet, rules=PATIENT)
        )
        models = {each.tenant: await stack.enter_async_context(open_model()) for each in quiet}
        stage = Stage(
            world=world,
            models=models,
            containers={},
            side=SlackSide(world.slack),
            gateway_port=free_port(),
        )
        for tenant in (ACME, GLOBEX):
            container = OpenClaw(installed, folder / tenant, models[tenant].url)
            stack.push_async_callback(container.stop)
            stage.containers[tenant] = container
            await _move_in(stage, tenant, container)
        await stage.start_gateway()
        await asyncio.gather(*(each.ready() for each in stage.containers.values()))
        yield stage


async def _move_in(stage: Stage, tenant: TenantId, container: OpenClaw) -> None:
    """Let the tenant's deliveries go to its container, and give that its key and secret."""
    provisioning = stage.world.stores.provisioning
    secret = await provisioning.rotate_signing_secret(tenant, timedelta(0))
    container.variables["AEGIS_AGENT_KEY"] = stage.world.keys[tenant]
    container.configure(
        gatewayUrl=f"http://127.0.0.1:{stage.gateway_port}",
        agentKey="${AEGIS_AGENT_KEY}",
        webhookSecrets=[secret],
    )
    url = f"{container.url}{EVENTS}"
    await provisioning.edit_tenant(
        tenant, lambda spec: msgspec.structs.replace(spec, endpoint_url=url)
    )
    await container.start()
