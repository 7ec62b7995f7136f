-- Tenants and what is theirs. The look-up keys in Redis are written from here.

CREATE TABLE tenants (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'suspended')),
    endpoint_url text NOT NULL,
    timeout_s double precision NOT NULL CHECK (timeout_s > 0),
    agents jsonb NOT NULL,
    access jsonb NOT NULL,
    limits jsonb NOT NULL,
    retry jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE agent_keys (
    digest text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL REFERENCES tenants ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);
CREATE INDEX ON agent_keys (tenant_id);

CREATE TABLE signing_secrets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL REFERENCES tenants ON DELETE CASCADE,
    sealed text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);
CREATE INDEX ON signing_secrets (tenant_id);

-- Never reset and never reused: an epoch tells the work of an older binding from today's.
CREATE SEQUENCE binding_epochs AS bigint;

-- No cascade from tenants: a workspace must never lose its owner as a side effect.
CREATE TABLE bindings (
    platform text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    tenant_id text COLLATE "C" NOT NULL REFERENCES tenants,
    epoch bigint NOT NULL UNIQUE DEFAULT nextval('binding_epochs'),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (platform, workspace_id)
);
CREATE INDEX ON bindings (tenant_id);

CREATE TABLE installations (
    platform text COLLATE "C" NOT NULL,
    workspace_id text COLLATE "C" NOT NULL,
    sealed_credential text NOT NULL,
    bot_user text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (platform, workspace_id),
    FOREIGN KEY (platform, workspace_id) REFERENCES bindings ON DELETE CASCADE
);
