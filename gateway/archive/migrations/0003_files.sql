-- Files that agents brought, in pieces, so that none is ever whole in memory. Short-lived: a sweep
-- removes them after a day, and what was never completed much sooner.

CREATE TABLE files (
    id text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL DEFAULT 0,
    sha256 bytea,
    -- Of the idempotency key, so that a key of any length fits an index.
    key_digest bytea NOT NULL,
    complete boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
-- Among the complete ones only: two uploads under one key may run at once, and the first to end wins.
CREATE UNIQUE INDEX ON files (tenant_id, key_digest) WHERE complete;
CREATE INDEX ON files (tenant_id, created_at) INCLUDE (size_bytes);
CREATE INDEX ON files (created_at);

CREATE TABLE file_chunks (
    file_id text COLLATE "C" NOT NULL REFERENCES files ON DELETE CASCADE,
    number int NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (file_id, number)
);
-- Out of line and as they are: most files are compressed already, and trying again costs CPU.
ALTER TABLE file_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
