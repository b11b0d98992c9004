/* Rows of the table `job` as records, for the files that write them. */
#ifndef GRADD_STORE_JOB_ROWS_H
#define GRADD_STORE_JOB_ROWS_H

#include "store/inside.h"

/* What job_row_read() reads, for SELECT and RETURNING. */
#define JOB_COLUMNS                                                                                                    \
    "id, model, model_id, dataset, dataset_id, spec, labels, from_version, epochs, steps, memory_bytes, priority,"     \
    " state, created_at, started_at, finished_at, attempts, epoch, step, cost, best_cost, validation_cost,"            \
    " samples_per_second, version, digest, model_digest, dataset_digest, start_digest, gradd_version, error_code,"     \
    " error_detail, revision, best_version, stopped, training_rows, data_bytes,"                                       \
    " validation_id, validation_digest, accuracy, mae, r2,"                                                            \
    " forked_from, from_step, verifies, expected_digest, same"

void job_row_read(struct query *q, struct store_job *ret);
/* Ends a query that answers one job or none. */
err_code job_row_end(struct query *q, struct store_job *ret, bool *ret_found, struct error *err);
err_code job_row_find(struct db *db, const char *id, struct store_job *ret, struct error *err); /* not_found */

#endif
