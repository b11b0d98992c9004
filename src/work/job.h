/* What a job is, once its request has been read: every field checked on its own, names not yet looked up. */
#ifndef GRADD_WORK_JOB_H
#define GRADD_WORK_JOB_H

#include "data/transform.h"
#include "train/trainer.h"

struct job_bind {
    char *input;
    char **columns;
    size_t column_count;
    enum transform_kind transform;
};

struct job_label {
    char *key, *value;
};

/* Which rows validate: a fraction of them, which stands in train_spec, or one of these. Owned. */
struct job_validation {
    char *dataset; /* all of a second one; NULL */
    char *column;  /* the rows that have in this column */
    char *label;   /* this label, */
    double number; /* or, where that is NULL, this number */
};

/* When training is kept to go on from, and how many of those are. */
struct job_checkpoint {
    int64_t every_epochs, every_steps; /* 0: not asked for; neither: by time */
    int64_t keep;                      /* 1 and up: the newest, beside the one of the lowest cost */
};

/* All strings and arrays are owned. */
struct job_spec {
    char *model, *dataset;
    struct job_bind *binds; /* those written; inputs without one take the column of their name, untransformed */
    size_t bind_count;
    struct train_spec train;
    char **freeze; /* train.freeze */
    size_t freeze_count;
    int64_t from_version; /* 0: the newest at acceptance */
    char *weight;         /* a column; NULL: rows weigh the same */
    int64_t priority;
    struct job_validation validation;
    struct job_checkpoint checkpoint;
    struct job_label *labels;
    size_t label_count;
};
void job_spec_clear(struct job_spec *spec);

/* Reads a job's canonical spec; the codec's. */
typedef err_code job_decoder(const char *spec, struct job_spec *ret, struct error *err);

#endif
