/* What the tests of train/ share: models made from a program, tables of random numbers, and a trainer driven to its
 * end. */
#ifndef GRADD_TESTS_TRAIN_LESSON_H
#define GRADD_TESTS_TRAIN_LESSON_H

#include "graph/model.h"
#include "support/near.h"
#include "train/trainer.h"

/* A leaf of a program, with its shape; a parameter unless it is one of the first `inputs`. */
struct leaf {
    const char *name;
    struct shape shape;
};

/* The node `cost` is the cost. Every leaf of the program must be listed. */
struct model *make_model(const char *program, enum dtype dtype, const struct leaf *leaves, size_t inputs, size_t count);
void free_model(struct model *m);

/* The lesson's network, `in` to `hidden` to 1. */
struct model *make_lesson(enum dtype dtype, int64_t in, int64_t hidden);

/* Parameters drawn from a standard normal times `scale`; tensors_free(). */
struct tensor **make_start(const struct model *m, double scale, uint64_t seed);

/* A table of rows for every input of a model, in its dtype, drawn from a standard normal; owns the memory. */
struct rows {
    void *tables[4];
    const void *inputs[4];
    struct train_data data;
};
void make_rows(const struct model *m, size_t rows, uint64_t seed, struct rows *ret);
void free_rows(struct rows *r);

/* One trained to its end. Its error is shown, and fails the test. */
struct trainer *train_to_end(const struct model *m, const struct train_spec *spec, const struct train_data *data,
                             struct tensor *const *start);
/* Fails the test with what err says, unless code is ERR_ok. */
void assert_ok(err_code code, struct error *err);

/* Takes the instruction set from the environment (GRADD_ISA), as the server does. A setup of a group of tests. */
int select_isa(void **state);

#endif
