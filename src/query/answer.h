/* From finished runs to an answer that stands on its own. */
#ifndef GRADD_QUERY_ANSWER_H
#define GRADD_QUERY_ANSWER_H

#include "engine/run.h"
#include "query/planned.h"

/* Zeros of the answer's shapes, with `each` items on the leading axis of those that have one. */
err_code answer_begin(const struct question *q, const struct planned *p, int64_t each, struct answer *ret,
                      struct error *err);
/* Copies out of the run what the `at`-th execution gives. */
void answer_take(const struct planned *p, const struct run *run, int64_t at, struct answer *a);
/* The trace, of a run that has executed once, and whether all is finite. On failure the answer stays the caller's to
 * clear. */
err_code answer_end(const struct question *q, const struct planned *p, const struct run *run, struct answer *a,
                    struct error *err);

#endif
