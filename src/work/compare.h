/* Holds the cost histories of two jobs against each other, bit by bit. */
#ifndef GRADD_WORK_COMPARE_H
#define GRADD_WORK_COMPARE_H

#include "store/store.h"

/* *ret_same: they have the same points in every field but time; true, too, if `other` is not there any more. */
err_code compare_histories(struct store *s, const char *job, const char *other, bool *ret_same, struct error *err);

#endif
