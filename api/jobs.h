/* A job as JSON, for whoever tells of jobs. */
#ifndef GRADD_API_JOBS_H
#define GRADD_API_JOBS_H

#include "api/reply.h"
#include "store/store.h"

void put_scores(struct json *j, const struct job_scores *scores); /* the member `scores`: those that are known */
void job_json(struct json *j, const struct store_job *job);

#endif
