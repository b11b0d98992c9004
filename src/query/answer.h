/* From a finished run to an answer that stands on its own. */
#ifndef GRADD_QUERY_ANSWER_H
#define GRADD_QUERY_ANSWER_H

#include "engine/run.h"
#include "query/planned.h"

/* Copies what the question asked for out of the run. */
err_code answer_make(const struct question *q, const struct planned *p, const struct run *run, struct answer *ret,
                     struct error *err);

#endif
