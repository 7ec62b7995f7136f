-- How a tenant's container is spoken to, and how OpenClaw's own HTTP surface is reached without its
-- plugin.

ALTER TABLE tenants
    ADD COLUMN mode text NOT NULL DEFAULT 'auto' CHECK (mode IN ('auto', 'plugin', 'direct')),
    ADD COLUMN direct jsonb,
    ADD COLUMN sealed_direct_token text;
