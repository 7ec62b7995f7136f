-- What an installation is besides its token: how long that lasts, how it is renewed, whether it has
-- ended. An ended one stays as a row without secrets, so that its workspace stays the tenant's and an
-- operator can see what became of it.

ALTER TABLE installations
    ALTER COLUMN sealed_credential DROP NOT NULL,
    ADD COLUMN name text NOT NULL DEFAULT '',
    ADD COLUMN org_wide boolean NOT NULL DEFAULT false,
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{}',
    ADD COLUMN installed_by text NOT NULL DEFAULT '',
    ADD COLUMN sealed_refresh_token text,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN rotate_after timestamptz,
    ADD COLUMN rotation_failures int NOT NULL DEFAULT 0,
    ADD COLUMN trouble text NOT NULL DEFAULT '',
    ADD COLUMN ended_at timestamptz,
    ADD COLUMN ended text NOT NULL DEFAULT '';
CREATE INDEX ON installations (expires_at) WHERE sealed_refresh_token IS NOT NULL;

-- Links by which a workspace can be brought to a tenant, once. By digest: who reads the table cannot
-- use them.
CREATE TABLE install_links (
    digest bytea PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL REFERENCES tenants ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON install_links (tenant_id);
CREATE INDEX ON install_links (expires_at);

-- Browsers that are on their way through a platform's consent page, each begun with a link.
CREATE TABLE install_states (
    digest bytea PRIMARY KEY,
    link bytea NOT NULL REFERENCES install_links ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON install_states (link);
CREATE INDEX ON install_states (expires_at);
