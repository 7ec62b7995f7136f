-- What a tenant says of the agent protocol. The defaults are those of the code for whoever said nothing.

ALTER TABLE tenants
    ADD COLUMN history jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN require_reply_token boolean NOT NULL DEFAULT false;
