-- Checkpoints: what training was between two steps, so that it goes on from there after a crash or a stop.

CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    step INTEGER NOT NULL CHECK (step >= 0), -- steps done
    epoch INTEGER NOT NULL CHECK (epoch >= 0), -- whole epochs done
    cost REAL, -- these three as in the job's row at that step
    best_cost REAL,
    validation_cost REAL,
    size INTEGER NOT NULL CHECK (size >= 0), -- of the state, in bytes
    digest TEXT NOT NULL, -- SHA-256 of the state
    UNIQUE (job, step)
) STRICT;

-- The state's bytes, opaque here, in parts of 1 MiB.
CREATE TABLE checkpoint_chunk (
    checkpoint INTEGER NOT NULL REFERENCES checkpoint (id) ON DELETE CASCADE,
    part INTEGER NOT NULL CHECK (part >= 0),
    bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 1048576),
    UNIQUE (checkpoint, part)
) STRICT;
