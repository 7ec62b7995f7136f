-- Every decision, for as long as retention keeps its month. No foreign key to tenants: a record
-- outlives its tenant, and events of unbound workspaces belong to the pseudo-tenant _unrouted.

CREATE TABLE audit (
    at timestamptz NOT NULL,
    id text COLLATE "C" NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    platform text NOT NULL,
    workspace text NOT NULL,
    conversation text NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    delivery_id text COLLATE "C" NOT NULL,
    direction text NOT NULL,
    agent text NOT NULL,
    attempt int NOT NULL,
    detail text NOT NULL,
    trail text[] NOT NULL,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);

CREATE INDEX ON audit (tenant_id, at DESC, id DESC);
CREATE INDEX ON audit (delivery_id, at DESC) WHERE delivery_id <> '';
CREATE INDEX ON audit (event_id, at DESC) WHERE event_id <> '';
