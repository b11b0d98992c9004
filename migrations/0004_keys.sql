-- Keys of retried requests, and what each has made.

CREATE TABLE idempotency_key (
    key TEXT NOT NULL PRIMARY KEY,
    request_digest TEXT NOT NULL,
    model_id INTEGER REFERENCES model (id) DEFERRABLE INITIALLY DEFERRED, -- follows a model that is replaced
    job TEXT REFERENCES job (id),
    created_at INTEGER NOT NULL,
    gone_at INTEGER, -- when what it made was deleted
    CHECK ((model_id IS NOT NULL) + (job IS NOT NULL) + (gone_at IS NOT NULL) = 1)
) STRICT;

CREATE INDEX idempotency_key_by_model ON idempotency_key (model_id) WHERE model_id IS NOT NULL;
CREATE INDEX idempotency_key_by_job ON idempotency_key (job) WHERE job IS NOT NULL;
CREATE INDEX idempotency_key_by_gone ON idempotency_key (gone_at) WHERE gone_at IS NOT NULL;
