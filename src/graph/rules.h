/* The shape rules that ops.def names, one function each. Inside graph/ only. */
#ifndef GRADD_GRAPH_RULES_H
#define GRADD_GRAPH_RULES_H

#include "graph/infer.h"

typedef err_code shape_rule(struct inference *i);

#define OP(name, least, most, attributes, rule) shape_rule shape_##rule;
#include "graph/ops.def"

/* The rule of each op: also a way to ask whether two ops have shapes alike. */
extern shape_rule *const shape_rules[OP_COUNT];

#endif
