-- Models, their versions, and the parameters of each version.

CREATE TABLE model (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: caches know models by it
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    spec TEXT NOT NULL, -- canonical; opaque here
    digest TEXT NOT NULL CHECK (digest <> ''), -- of the spec
    created_at INTEGER NOT NULL, -- milliseconds since 1970 UTC, as all times
    version INTEGER NOT NULL CHECK (version >= 1) -- the newest
) STRICT;

CREATE TABLE version (
    model_id INTEGER NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    version INTEGER NOT NULL CHECK (version >= 1), -- 1, 2, 3, ... of the model
    created_at INTEGER NOT NULL,
    job TEXT REFERENCES job (id) ON DELETE SET NULL, -- that made it
    epoch INTEGER CHECK (epoch >= 0), -- NULL: not made by a job
    step INTEGER CHECK (step >= 0),
    cost REAL,
    digest TEXT NOT NULL CHECK (digest <> ''), -- of the parameters
    transforms BLOB, -- opaque; NULL: none
    size INTEGER NOT NULL CHECK (size >= 0), -- bytes of parameters
    UNIQUE (model_id, version)
) STRICT;

CREATE INDEX version_by_job ON version (job) WHERE job IS NOT NULL;

-- The parameters in declared order as one run of bytes, cut every MiB.
CREATE TABLE version_chunk (
    model_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    part INTEGER NOT NULL CHECK (part >= 0),
    bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 1048576),
    UNIQUE (model_id, version, part),
    FOREIGN KEY (model_id, version) REFERENCES version (model_id, version) ON DELETE CASCADE
) STRICT;
