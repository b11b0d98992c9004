/* Jobs that come from another job: the same again, to compare its bits, or a fork with changes. */
#ifndef GRADD_WORK_ORIGIN_H
#define GRADD_WORK_ORIGIN_H

#include "work/work.h"

/* What a job takes over from the one that it comes from. */
struct origin {
    const struct store_job *job; /* borrowed; NULL: the job comes from none */
    bool verifies;
    int64_t from_step; /* 0: starts from a version; else from the parameters at that step */
    void *start;       /* owned; those parameters, in declared order, or NULL */
    size_t start_size;
    char start_digest[DIGEST_TEXT_MAX];
};
void origin_clear(struct origin *o);

/* Whether what the job stood on is there as it was: wrong_state if the model or a data set that the spec names again
 * was replaced or deleted. */
err_code origin_check(const struct origin *o, struct store *store, const struct job_spec *spec, struct error *err);

/* Fetches the parameters of from_step: from a checkpoint of the job, or, when it is verified, from where it started
 * itself. Mistakes are items at /from_step: out_of_range, if the job keeps no checkpoint of that step. wrong_state if
 * the checkpoint was written by another gradd. */
err_code origin_load(struct origin *o, struct store *store, const struct model *m, struct error *err);

#endif
