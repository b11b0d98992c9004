#include "products.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the products of a graph */

/* The last two axes swapped, the others kept. */
static bool is_transposition(const struct graph *g, node_id id)
{
    const struct node *n = graph_node(g, id);
    const int rank = n->shape.rank;
    if (n->op != OP_Transpose || rank < 2)
        return false;
    if (node_attribute(n, ATTRIBUTE_perm) == NULL)
        return rank == 2;
    size_t count = 0;
    const int64_t *perm = node_ints(n, ATTRIBUTE_perm, &count);
    for (int axis = 0; axis < rank - 2; axis++)
        if (perm[axis] != axis)
            return false;
    return perm[rank - 1] == rank - 2;
}

static int64_t elements_of(const struct graph *g, node_id id)
{
    int64_t elements = 0;
    if (!shape_elements(graph_node(g, id)->shape, &elements))
        give_up("a product has no size", NULL);
    return elements;
}

static void add_product(struct product_list *list, const struct product *p)
{
    for (size_t i = 0; i < list->count; i++) {
        struct product *q = &list->product[i];
        if (q->m == p->m && q->n == p->n && q->k == p->k && q->a_transposed == p->a_transposed &&
            q->b_transposed == p->b_transposed) {
            q->count += p->count;
            return;
        }
    }
    if (list->count == PRODUCTS_MAX)
        give_up("too many different products", NULL);
    list->product[list->count++] = *p;
}

static void add_node(const struct graph *g, node_id id, struct product_list *list)
{
    const struct node *n = graph_node(g, id);
    const struct shape a = graph_node(g, n->inputs[0])->shape;
    const struct shape b = graph_node(g, n->inputs[1])->shape;
    struct product p = {.n = b.rank > 1 ? b.dim[b.rank - 1] : 1,
                        .k = a.dim[a.rank - 1],
                        .a_transposed = is_transposition(g, n->inputs[0]),
                        .b_transposed = is_transposition(g, n->inputs[1])};
    const int64_t elements = elements_of(g, id);
    if (elements == 0 || p.k == 0)
        return;
    if (b.rank <= 2) /* all rows of a at once */
        p.m = elements / p.n;
    else
        p.m = a.rank > 1 ? a.dim[a.rank - 2] : 1;
    p.count = elements / (p.m * p.n);
    add_product(list, &p);
}

void products_of_graph(const struct graph *g, const node_id *outputs, size_t count, struct product_list *ret)
{
    unsigned char *needed = must_have(calloc(graph_size(g) + 1, 1));
    *ret = (struct product_list){0};
    graph_mark_needed(g, outputs, count, needed);
    for (size_t i = 0; i < graph_size(g); i++) {
        const enum op op = graph_node(g, (node_id)i)->op;
        if (needed[i] && (op == OP_MatMul || op == OP_Linear))
            add_node(g, (node_id)i, ret);
    }
    free(needed);
}

double products_flops(const struct product_list *list)
{
    double flops = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct product *p = &list->product[i];
        flops += 2 * (double)p->count * (double)p->m * (double)p->n * (double)p->k;
    }
    return flops;
}

/* ---- contests */

struct entry {
    struct operands operands;
    size_t ways;
    struct contender way[LIBRARY_COUNT * WAYS_MAX];
    double us[LIBRARY_COUNT * WAYS_MAX];
};

struct contest {
    size_t count;
    struct entry entry[];
};

/* A way that gives something else is no way: some elements are computed anew. */
static void check_way(const struct operands *o, const struct contender *way)
{
    enum { SAMPLES = 64 };
    const struct product *p = &o->product;
    way->multiply(way->context);
    const float *c = way->result(way->context);
    for (int64_t s = 0; s < SAMPLES; s++) {
        const int64_t i = s * 7919 % p->m;
        const int64_t j = s * 104729 % p->n;
        double sum = 0;
        double size = 0;
        for (int64_t k = 0; k < p->k; k++) {
            const double term = (double)o->a[p->a_transposed ? k * p->m + i : i * p->k + k] *
                                (double)o->b[p->b_transposed ? j * p->k + k : k * p->n + j];
            sum += term;
            size += fabs(term);
        }
        if (!(fabs((double)c[i * way->c_row + j] - sum) <= 1e-5 * size))
            give_up(way->how, NULL);
    }
}

static void open_entry(struct entry *e, const struct product *p)
{
    e->operands = (struct operands){*p, random_floats(p->m * p->k, 1), random_floats(p->k * p->n, 2)};
    e->ways = openblas_ways(&e->operands, e->way);
    e->ways += libxsmm_ways(&e->operands, e->way + e->ways);
    e->ways += gradd_ways(&e->operands, e->way + e->ways);
    for (size_t i = 0; i < e->ways; i++)
        check_way(&e->operands, &e->way[i]);
}

struct contest *contest_new(const struct product_list *list)
{
    struct contest *c = must_have(calloc(1, sizeof *c + list->count * sizeof c->entry[0]));
    c->count = list->count;
    for (size_t i = 0; i < list->count; i++)
        open_entry(&c->entry[i], &list->product[i]);
    return c;
}

static double take_turn(void *context, int64_t count)
{
    const struct contender *way = context;
    return time_calls(way->multiply, way->context, count);
}

size_t contest_contestants(struct contest *c, struct contestant *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++)
        for (size_t w = 0; w < c->entry[i].ways; w++, count++)
            if (ret != NULL)
                ret[count] = (struct contestant){.turn = take_turn, .context = &c->entry[i].way[w]};
    return count;
}

void contest_take(struct contest *c, const struct contestant *contestants)
{
    for (size_t i = 0; i < c->count; i++)
        for (size_t w = 0; w < c->entry[i].ways; w++)
            c->entry[i].us[w] = contestants++->us;
}

/* The quickest way of a library, or of all (LIBRARY_COUNT); NULL: it has none. */
static const struct contender *quickest(const struct entry *e, enum library library, double *ret_us)
{
    const struct contender *best = NULL;
    *ret_us = NAN;
    for (size_t w = 0; w < e->ways; w++)
        if ((library == LIBRARY_COUNT || e->way[w].library == library) && !(e->us[w] >= *ret_us)) {
            best = &e->way[w];
            *ret_us = e->us[w];
        }
    return best;
}

double contest_us(const struct contest *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->count; i++) {
        double us;
        (void)quickest(&c->entry[i], LIBRARY_COUNT, &us);
        sum += us * (double)c->entry[i].operands.product.count;
    }
    return sum;
}

void contest_print(const struct contest *c, const char *bench)
{
    static const char *const names[LIBRARY_COUNT] = {"openblas", "libxsmm", "gradd"};
    for (size_t i = 0; i < c->count; i++) {
        const struct entry *e = &c->entry[i];
        const struct product *p = &e->operands.product;
        double best;
        double own;
        const struct contender *winner = quickest(e, LIBRARY_COUNT, &best);
        printf("{\"bench\":\"%s\",\"m\":%lld,\"n\":%lld,\"k\":%lld,\"transposed\":\"%s%s\",\"count\":%lld", bench,
               (long long)p->m, (long long)p->n, (long long)p->k, p->a_transposed ? "a" : "",
               p->b_transposed ? "b" : "", (long long)p->count);
        for (enum library library = 0; library < LIBRARY_COUNT; library++) {
            const struct contender *way = quickest(e, library, &own);
            if (way == NULL)
                printf(",\"%s_us\":null", names[library]);
            else
                printf(",\"%s_us\":%.4g", names[library], own);
        }
        (void)quickest(e, LIBRARY_GRADD, &own);
        printf(",\"best\":\"%s\",\"gflops\":%.1f,\"times_best\":%.2f}\n", winner->how,
               2 * (double)p->m * (double)p->n * (double)p->k / best / 1000, own / best);
    }
}

void contest_free(struct contest *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++) {
        struct entry *e = &c->entry[i];
        for (size_t w = 0; w < e->ways; w++)
            e->way[w].end(e->way[w].context);
        free(e->operands.a);
        free(e->operands.b);
    }
    free(c);
}
