#include "api/nodes.h"

static void put_ints(struct json *j, const struct attribute *a)
{
    put_array(j);
    for (size_t i = 0; i < a->ints.count; i++)
        put_whole(j, a->ints.items[i]);
    put_array_end(j);
}

static void put_attribute(struct json *j, const struct attribute *a, bool flat)
{
    put_key(j, attribute_name(a->key));
    switch (a->kind) {
    case KIND_INT:
    case KIND_BOOL:
        put_whole(j, a->integer);
        return;
    case KIND_FLOAT:
        put_number(j, a->number);
        return;
    case KIND_INTS:
        put_ints(j, a);
        return;
    case KIND_STRING:
        put_string(j, a->string);
        return;
    case KIND_TENSOR:
        put_tensor(j, a->tensor, flat);
        return;
    }
}

void put_attributes(struct json *j, const struct node *n, bool flat)
{
    put_object(j);
    for (size_t i = 0; i < n->attribute_count; i++)
        put_attribute(j, &n->attributes[i], flat);
    put_object_end(j);
}

void put_nodes(struct json *j, const struct graph *g, const char *const *names, bool flat)
{
    put_array(j);
    for (size_t i = 0; i < graph_size(g); i++) {
        const struct node *n = graph_node(g, (node_id)i);
        put_object(j);
        put_key(j, "name");
        put_string(j, names[i]);
        put_key(j, "op");
        put_string(j, op_name(n->op));
        put_key(j, "inputs");
        put_array(j);
        for (uint32_t k = 0; k < n->input_count; k++)
            put_string(j, names[n->inputs[k]]);
        put_array_end(j);
        put_key(j, "attributes");
        put_attributes(j, n, flat);
        put_key(j, "shape");
        put_shape(j, n->shape);
        put_object_end(j);
    }
    put_array_end(j);
}
