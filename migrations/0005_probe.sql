-- One row that is written to see whether writing works.

CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    written_at INTEGER NOT NULL
) STRICT;

INSERT INTO probe (id, written_at) VALUES (1, 0);
