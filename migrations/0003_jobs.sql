-- Jobs, their labels, and the history of their cost.

CREATE TABLE job (
    id TEXT NOT NULL PRIMARY KEY, -- UUIDv7: sorts by time
    model TEXT NOT NULL, -- names stay when the model or the data set is replaced or deleted; ids become NULL
    model_id INTEGER REFERENCES model (id),
    dataset TEXT NOT NULL,
    dataset_id INTEGER REFERENCES dataset (id),
    spec TEXT NOT NULL, -- canonical; opaque here
    labels TEXT NOT NULL, -- a line each, "team:a"
    from_version INTEGER NOT NULL CHECK (from_version >= 1),
    epochs INTEGER NOT NULL CHECK (epochs >= 0), -- planned
    steps INTEGER NOT NULL CHECK (steps >= 0), -- planned
    memory_bytes INTEGER NOT NULL CHECK (memory_bytes >= 0),
    priority INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')),
    created_at INTEGER NOT NULL,
    started_at INTEGER, -- when a worker first took it
    finished_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- how often a worker took it
    epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    step INTEGER NOT NULL DEFAULT 0 CHECK (step >= 0),
    cost REAL,
    best_cost REAL,
    validation_cost REAL,
    samples_per_second REAL,
    version INTEGER, -- that it made; NULL too when the model is gone
    digest TEXT, -- of that version; stays
    model_digest TEXT,
    dataset_digest TEXT,
    start_digest TEXT,
    gradd_version TEXT, -- that accepted it
    error_code TEXT,
    error_detail TEXT,
    revision INTEGER NOT NULL DEFAULT 1, -- grows with every change of the row
    FOREIGN KEY (model_id, version) REFERENCES version (model_id, version),
    CHECK ((finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'cancelled'))),
    CHECK ((error_code IS NOT NULL) = (state = 'failed')),
    CHECK (version IS NULL OR state = 'succeeded'),
    CHECK (state <> 'running' OR attempts > 0)
) STRICT;

CREATE INDEX job_by_state ON job (state, id);
CREATE INDEX job_by_model ON job (model, id);
CREATE INDEX job_by_model_id ON job (model_id, version) WHERE model_id IS NOT NULL;
CREATE INDEX job_by_dataset_id ON job (dataset_id) WHERE dataset_id IS NOT NULL;
-- What a worker takes next.
CREATE INDEX job_queue ON job (priority DESC, id) WHERE state = 'queued';

-- The lines of job.labels, to find jobs by.
CREATE TABLE job_label (
    label TEXT NOT NULL,
    job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    PRIMARY KEY (label, job)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_label_by_job ON job_label (job);

-- Points of the cost history in the order of their steps, packed: a row holds up to 4096 points of 56 bytes, each
-- step, epoch (64-bit integers), cost, validation_cost, learning_rate, gradient_norm (doubles; NaN: not told), time
-- (64-bit integer), all little-endian.
CREATE TABLE cost_segment (
    job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    last_step INTEGER NOT NULL, -- of its last point
    count INTEGER NOT NULL CHECK (count BETWEEN 1 AND 4096),
    points BLOB NOT NULL,
    UNIQUE (job, last_step),
    CHECK (length(points) = 56 * count)
) STRICT;
