/* A job as JSON, for whoever tells of jobs. */
#ifndef GRADD_API_JOBS_H
#define GRADD_API_JOBS_H

#include "api/reply.h"

void job_json(struct json *j, const struct app *app, const struct store_job *job);

#endif
