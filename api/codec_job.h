/* What the files of the codec of jobs share. */
#ifndef GRADD_API_CODEC_JOB_H
#define GRADD_API_CODEC_JOB_H

#include "api/codec.h"
#include "api/codec_read.h"

enum { CANONICAL_NESTING = 8 }; /* of the canonical text */

/* A job that is being read: mistakes are added to err, and reading goes on. */
struct job_reading {
    const json_t *body;
    const struct where *root;
    struct job_spec *spec;
    struct error *err;
};

/* ---- codec_job.c ---- */

/* A copy; NULL, and an error, without memory. */
char *job_keep(struct job_reading *r, const char *text);
/* A field, and where it stands; NULL: it is not there. */
const json_t *job_field(const struct job_reading *r, const char *name, struct where *ret_at);
/* Reads the whole of it. */
void job_take(struct job_reading *r);
/* Hands over what was read, or what was found wrong with it. */
err_code job_settle(struct error *found, struct job_spec *spec, struct job_spec *ret, struct error *err);
/* Hands over what was read, with its canonical text. */
err_code job_with_canonical(struct job_spec *spec, struct job_spec *ret, char **ret_canonical, struct error *err);

/* ---- codec_job_optimizer.c ---- */

/* What a number called `name` must be. */
struct number_range {
    const char *name;
    double least, most; /* inclusive; `least_open`, `most_open`: exclusive */
    bool least_open, most_open;
};
void job_number(struct job_reading *r, const struct number_range *f, const json_t *value, const struct where *at,
                double *ret);
void job_optimizer(struct job_reading *r);
void job_schedule(struct job_reading *r);

/* ---- codec_job_rows.c ---- */

void job_binds(struct job_reading *r);
void job_validation(struct job_reading *r);
void job_weight(struct job_reading *r);

/* ---- codec_job_write.c ---- */

/* The job as text that reads back to it; NULL without memory. */
char *job_text(const struct job_spec *spec);

#endif
