#include "graph/naming.h"
#include <stdio.h>

enum { NUMBERED_MAX = 16 };

/* The next _N that no node has. */
static const char *next_name(const struct graph *g, struct arena *arena, unsigned *number)
{
    char name[NUMBERED_MAX];
    int length;
    do {
        length = snprintf(name, sizeof name, "_%u", ++*number);
    } while (graph_find(g, name) != NODE_NONE);
    return arena_copy(arena, name, (size_t)length);
}

err_code graph_names(const struct graph *g, struct arena *arena, const char ***ret, struct error *err)
{
    const char **names = arena_array(arena, graph_size(g) + 1, sizeof *names);
    if (!names)
        return error_set(err, ERR_out_of_memory, NULL);
    unsigned number = 0;
    for (size_t i = 0; i < graph_size(g); i++) {
        const char *name = graph_node(g, (node_id)i)->name;
        names[i] = name ? name : next_name(g, arena, &number);
        if (!names[i])
            return error_set(err, ERR_out_of_memory, NULL);
    }
    *ret = names;
    return ERR_ok;
}
