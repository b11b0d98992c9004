-- The order in which jobs change, for those who follow them: every change of a row takes the next number.

CREATE TABLE change (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL -- never used again, also when the job that had it is deleted
) STRICT;

INSERT INTO change (id, last) VALUES (1, 0);

ALTER TABLE job ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN state_changed INTEGER NOT NULL DEFAULT 0; -- as `changed`, of its state alone

CREATE INDEX job_by_change ON job (changed);

CREATE TRIGGER job_added AFTER INSERT ON job BEGIN
    UPDATE change SET last = last + 1;
    UPDATE job SET (changed, state_changed) = (SELECT last, last FROM change) WHERE id = new.id;
END;

CREATE TRIGGER job_updated AFTER UPDATE OF revision ON job BEGIN
    UPDATE change SET last = last + 1;
    UPDATE job SET changed = (SELECT last FROM change),
        state_changed = CASE WHEN old.state = new.state THEN state_changed ELSE (SELECT last FROM change) END
        WHERE id = new.id;
END;

UPDATE job SET revision = revision + 1;
