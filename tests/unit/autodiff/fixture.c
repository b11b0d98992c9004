#include "fixture.h"

#include "graph/notation.h"

#include <string.h>

struct graph *graph_of(const char *program, size_t nodes_max)
{
    const struct shape scalar = {0}, vector = shape_of(1, (const int64_t[]){2}),
                       matrix = shape_of(2, (const int64_t[]){2, 2}), batch = shape_of(2, (const int64_t[]){3, 2});
    const struct named_shape known[] = {
        {.name = "x", .shape = vector}, {.name = "y", .shape = vector}, {.name = "z", .shape = vector},
        {.name = "s", .shape = scalar}, {.name = "t", .shape = scalar}, {.name = "X", .shape = batch},
        {.name = "W", .shape = matrix}, {.name = "b", .shape = vector},
    };
    const struct notation_options options = {.pointer = "/program"};
    struct error err = {0};
    struct program *p = NULL;
    struct graph *g = NULL;
    assert_int_equal(notation_parse(program, strlen(program), &options, &p, &err), ERR_ok);
    struct named_shape used[8];
    size_t count = 0;
    for (size_t i = 0; i < 8; i++)
        if (program_find(p, known[i].name) != NODE_NONE)
            used[count++] = known[i];
    assert_int_equal(graph_build(p, used, count, nodes_max, &g, &err), ERR_ok);
    program_free(p);
    return g;
}

size_t count_of(const struct graph *g, enum op op)
{
    size_t count = 0;
    for (size_t i = 0; i < graph_size(g); i++)
        count += graph_node(g, (node_id)i)->op == op;
    return count;
}

node_id chain(struct graph *g, size_t length)
{
    node_id last = graph_find(g, "x");
    for (size_t i = 0; i < length; i++) {
        const struct node sine = {.op = OP_Sin, .inputs = &(node_id){last}, .input_count = 1};
        assert_int_equal(graph_add(g, &sine, &last, NULL), ERR_ok);
    }
    return last;
}
