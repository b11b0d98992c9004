-- Data sets and their values.

CREATE TABLE dataset (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    name TEXT UNIQUE CHECK (name <> ''), -- NULL: an upload that is not published, or on its way out; nobody sees it
    rows INTEGER CHECK (rows >= 0),
    digest TEXT CHECK (digest <> ''), -- of the table
    info BLOB, -- columns and their statistics; opaque here
    created_at INTEGER NOT NULL,
    size INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0), -- bytes of values
    CHECK (name IS NULL OR (rows IS NOT NULL AND digest IS NOT NULL AND info IS NOT NULL))
) STRICT;

-- The values as one run of bytes, cut every MiB: all chunks but the last are full.
CREATE TABLE dataset_chunk (
    dataset_id INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    part INTEGER NOT NULL CHECK (part >= 0),
    bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 1048576),
    UNIQUE (dataset_id, part)
) STRICT;
