-- What a whole trainer tells of a job: the best of its epochs, why it stopped, its metrics, a second data set to validate
-- on, where a fork began, what a repetition came to, and how often it brought the process down.

ALTER TABLE job ADD COLUMN best_version INTEGER CHECK (best_version >= 1); -- made beside `version`; NULL too when the model is gone
ALTER TABLE job ADD COLUMN stopped TEXT CHECK (stopped IN ('early_stopping', 'nonfinite')); -- before its last step
ALTER TABLE job ADD COLUMN accuracy REAL; -- these three: the metrics of the last whole epoch
ALTER TABLE job ADD COLUMN mae REAL;
ALTER TABLE job ADD COLUMN r2 REAL;
ALTER TABLE job ADD COLUMN training_rows INTEGER NOT NULL DEFAULT 0 CHECK (training_rows >= 0); -- 0: not known
ALTER TABLE job ADD COLUMN data_bytes INTEGER NOT NULL DEFAULT 0 CHECK (data_bytes >= 0); -- of memory, beside memory_bytes
ALTER TABLE job ADD COLUMN validation_id INTEGER REFERENCES dataset (id); -- the second data set; NULL as dataset_id
ALTER TABLE job ADD COLUMN validation_digest TEXT;
ALTER TABLE job ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0 CHECK (deaths >= 0); -- of the process by it, since its last checkpoint
ALTER TABLE job ADD COLUMN forked_from TEXT; -- the id of a job; stays when that is deleted
ALTER TABLE job ADD COLUMN from_step INTEGER CHECK (from_step >= 0); -- of that job's checkpoint, whose parameters stand in job_start
ALTER TABLE job ADD COLUMN verifies TEXT; -- the id of the job that it repeats; stays likewise
ALTER TABLE job ADD COLUMN expected_digest TEXT; -- of that job's outcome
ALTER TABLE job ADD COLUMN same INTEGER CHECK (same IN (0, 1)); -- whether it came to the same bits

CREATE INDEX job_by_validation_id ON job (validation_id) WHERE validation_id IS NOT NULL;

-- The parameters that a job starts with, where they are no version's, in parts of 1 MiB.
CREATE TABLE job_start (
    job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    part INTEGER NOT NULL CHECK (part >= 0),
    bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 1048576),
    UNIQUE (job, part)
) STRICT;

-- As in the job's row at that step.
ALTER TABLE checkpoint ADD COLUMN accuracy REAL;
ALTER TABLE checkpoint ADD COLUMN mae REAL;
ALTER TABLE checkpoint ADD COLUMN r2 REAL;

-- The metrics of the segment's points, where the job has any: accuracy, mae, r2 of each (doubles, little-endian; NaN: not
-- told).
ALTER TABLE cost_segment ADD COLUMN scores BLOB CHECK (length(scores) = 24 * count);
