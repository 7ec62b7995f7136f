"""Embedded servers: a real Redis and PostgreSQL as private children, stopped with the gateway.

Used when REDIS_URL or DATABASE_URL is not set. Imports the standard library only.
"""

from gateway.embedded.binaries import Places, usual_places
from gateway.embedded.errors import EmbeddedServerError
from gateway.embedded.layout import default_data_dir
from gateway.embedded.servers import Endpoints, embedded_servers, join_or_start, running_servers

__all__ = [
    "EmbeddedServerError",
    "Endpoints",
    "Places",
    "default_data_dir",
    "embedded_servers",
    "join_or_start",
    "running_servers",
    "usual_places",
]
