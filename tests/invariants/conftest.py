"""Servers that a test may break."""

from tests.support.own_servers import own_postgres, own_redis

__all__ = ["own_postgres", "own_redis"]
