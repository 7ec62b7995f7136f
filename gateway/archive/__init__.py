"""PostgreSQL: the registry of tenants and the archive of decisions. Alone imports asyncpg."""
