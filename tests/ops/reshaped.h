/* A case of tests/ops/cases in other shapes, for which no one made a dump. */
#ifndef GRADD_TESTS_OPS_RESHAPED_H
#define GRADD_TESTS_OPS_RESHAPED_H

#include "case.h"

/* The case with each size of its inputs replaced by another one, drawn from the seed: the same size becomes the same
 * everywhere, so that what fitted fits, and 0 and 1 stay, so that what is empty or broadcasts still does. Sizes only
 * grow, so an index stays in range. Values are the case's own, repeated, each moved a little (so little that one drawn
 * `grid` stays on its side of a kink); cotangent and directions are drawn. The derivatives are left out, for nobody has
 * computed them. False, with nothing to free, where the program has no such shapes (an attribute is tied to a size) or
 * they are the case's own. */
bool reshaped_case(const struct op_case *c, uint64_t seed, struct op_case *ret);

#endif
