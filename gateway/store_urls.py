"""Where the stores are: as the settings say, or embedded ones, which run while they are used."""

from __future__ import annotations

from contextlib import AsyncExitStack

from gateway.core.errors import ConfigError
from gateway.embedded import EmbeddedServerError, join_or_start
from gateway.settings import Settings


async def store_urls(settings: Settings, stack: AsyncExitStack) -> tuple[str, str]:
    """Return the URLs of Redis and PostgreSQL; what is embedded runs until `stack` is closed.

    Raises ConfigError when it cannot.
    """
    redis_url, database_url = settings.redis_url, settings.database_url
    if redis_url and database_url:
        return redis_url, database_url
    try:
        embedded = await stack.enter_async_context(
            join_or_start(settings.data_dir, redis=not redis_url, postgres=not database_url)
        )
    except EmbeddedServerError as exc:
        raise ConfigError(str(exc)) from exc
    return redis_url or embedded.redis_url or "", database_url or embedded.database_url or ""
