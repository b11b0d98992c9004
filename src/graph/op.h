/* Ops and their attributes, made from ops.def, the only list of ops. */
#ifndef GRADD_GRAPH_OP_H
#define GRADD_GRAPH_OP_H

#include "base/tensor.h"

enum op {
#define OP(name, least, most, attributes, shape_rule) OP_##name,
#include "graph/ops.def"
    OP_COUNT
};

/* Every attribute that some op has. The kind is the same wherever the name occurs. */
enum attribute_key {
#define ATTRIBUTE(name, kind) ATTRIBUTE_##name,
#include "graph/attributes.def"
#undef ATTRIBUTE
    ATTRIBUTE_COUNT
};

enum attribute_kind { KIND_INT, KIND_FLOAT, KIND_BOOL, KIND_INTS, KIND_STRING, KIND_TENSOR };

/* Memory behind items, string and tensor belongs to the program or graph that holds the attribute. */
struct attribute {
    enum attribute_key key;
    enum attribute_kind kind;
    union {
        int64_t integer; /* KIND_INT, KIND_BOOL */
        double number;   /* KIND_FLOAT */
        struct {
            const int64_t *items;
            size_t count;
        } ints;
        const char *string;
        const struct tensor *tensor; /* float64 */
    };
};

const char *op_name(enum op op);                             /* canonical: "MatMul" */
bool op_find(const char *name, size_t length, enum op *ret); /* without regard to case; knows Sum and Mean */
int op_least_inputs(enum op op);
int op_most_inputs(enum op op); /* INPUTS_ANY: no bound but the limits */
enum { INPUTS_ANY = 1 << 20 };
const char *attribute_name(enum attribute_key key);
bool attribute_find(const char *name, size_t length, enum attribute_key *ret);
enum attribute_kind attribute_kind_of(enum attribute_key key);
const char *attribute_kind_text(enum attribute_kind kind); /* "a list of integers" */

/* Whether the op has the attribute, and whether it must be given; *ret_default is its default, written only where it
 * has one. Both may be NULL. */
bool op_has_attribute(enum op op, enum attribute_key key, bool *ret_required, struct attribute *ret_default);

/* The op's attributes, one by one in the order of ops.def; false at the end. */
enum attribute_presence { ATTRIBUTE_REQUIRED, ATTRIBUTE_OPTIONAL, ATTRIBUTE_DEFAULTED };
struct attribute_spec {
    enum attribute_key key;
    enum attribute_presence presence;
    struct attribute fallback; /* ATTRIBUTE_DEFAULTED only */
};
bool op_attribute(enum op op, size_t index, struct attribute_spec *ret);

#endif
