#include "support/small.h"

#include "base/text.h"
#include "data/csv.h"
#include "data/table_record.h"
#include "graph/notation.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEAVES_MAX = 16, NAME_MAX_SMALL = 32 };

struct limits small_limits(void)
{
    struct config config = {0};
    struct error err = {0};
    assert_ok(config_read(0, NULL, &config, &err), &err);
    struct limits limits = config.limits;
    limits.memory_bytes = (int64_t)1 << 30;
    config_clear(&config);
    return limits;
}

void small_begin(struct small *s)
{
    *s = (struct small){.limits = small_limits()};
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/gradd-small-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->path, sizeof s->path, "%s/test.db", s->folder);
    small_open(s);
}

void small_open(struct small *s)
{
    struct error err = {0};
    assert_ok(store_open(s->path, &s->store, &err), &err);
}

void small_close(struct small *s)
{
    store_close(s->store);
    s->store = NULL;
}

void small_end(struct small *s)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-lock", "-deaths"};
    small_close(s);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[160];
        (void)snprintf(name, sizeof name, "%s%s", s->path, endings[i]);
        (void)unlink(name);
    }
    assert_int_equal(rmdir(s->folder), 0);
}

/* ---- models ---- */

struct leaves {
    struct named_shape shapes[LEAVES_MAX];
    char names[LEAVES_MAX][NAME_MAX_SMALL];
    bool is_input[LEAVES_MAX];
    size_t count;
};

static bool read_leaf(char *line, struct leaves *l)
{
    char *rest = NULL;
    const char *role = strtok_r(line, " ", &rest), *name = strtok_r(NULL, " ", &rest);
    if (!role || !name || l->count == LEAVES_MAX || (strcmp(role, "input") != 0 && strcmp(role, "parameter") != 0))
        return false;
    struct named_shape *leaf = &l->shapes[l->count];
    *leaf = (struct named_shape){.name = l->names[l->count]};
    (void)snprintf(l->names[l->count], NAME_MAX_SMALL, "%s", name);
    for (const char *dim = strtok_r(NULL, " ", &rest); dim && leaf->shape.rank < RANK_MAX;
         dim = strtok_r(NULL, " ", &rest))
        leaf->shape.dim[leaf->shape.rank++] = strcmp(dim, "batch") == 0 ? DIM_BATCH : strtoll(dim, NULL, 10);
    l->is_input[l->count++] = strcmp(role, "input") == 0;
    return true;
}

static void assign_leaves(struct model *m, const struct leaves *l)
{
    m->inputs = calloc(LEAVES_MAX, sizeof *m->inputs);
    m->parameters = calloc(LEAVES_MAX, sizeof *m->parameters);
    assert_non_null(m->inputs);
    assert_non_null(m->parameters);
    for (size_t i = 0; i < l->count; i++) {
        node_id node = graph_find(m->graph, l->names[i]);
        if (l->is_input[i])
            m->inputs[m->input_count++] = node;
        else
            m->parameters[m->parameter_count++] = (struct parameter){.node = node, .init = INIT_NORMAL};
    }
    m->cost = graph_find(m->graph, "cost");
    m->output = graph_find(m->graph, "out");
}

err_code small_decode_model(const char *spec, const struct limits *limits, struct model **ret, struct error *err)
{
    struct leaves leaves = {.count = 0};
    char dtype[16] = "", *copy = strdup(spec), *rest = NULL;
    unsigned long long seed = 0;
    assert_non_null(copy);
    const char *head = strtok_r(copy, "\n", &rest);
    enum dtype type = DTYPE_FLOAT32;
    /* NOLINTNEXTLINE(cert-err34-c): the tests' own text */
    bool right = head && sscanf(head, "%15s %llu", dtype, &seed) == 2 && dtype_find(dtype, &type);
    while (right) {
        char *line = strtok_r(NULL, "\n", &rest);
        if (line && strcmp(line, "program") == 0)
            break;
        right = line && read_leaf(line, &leaves);
    }
    if (!right) {
        free(copy);
        return error_set(err, ERR_invalid_model, "the tests have no such model");
    }
    const struct notation_options options = {.pointer = "/program"};
    struct program *program = NULL;
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    *m = (struct model){.dtype = type, .seed = seed};
    err_code code = notation_parse(rest, strlen(rest), &options, &program, err);
    if (code == ERR_ok)
        code = graph_build(program, leaves.shapes, leaves.count, (size_t)limits->nodes, &m->graph, err);
    if (code == ERR_ok)
        assign_leaves(m, &leaves);
    program_free(program);
    free(copy);
    if (code != ERR_ok) {
        model_free(m);
        return code;
    }
    *ret = m;
    return ERR_ok;
}

struct model *small_model(const char *spec)
{
    struct limits limits = small_limits();
    struct error err = {0};
    struct model *m = NULL;
    assert_ok(small_decode_model(spec, &limits, &m, &err), &err);
    return m;
}

/* ---- tables ---- */

void small_put_csv(struct store *s, const char *name, const char *csv)
{
    struct error err = {0};
    struct table_memory memory = {0};
    struct csv_reader *reader = NULL;
    struct table_info info = {0};
    struct text record = {0};
    int64_t stage = 0;
    assert_ok(csv_new(NULL, 0, table_memory_sink, &memory, &reader, &err), &err);
    assert_ok(csv_feed(reader, csv, strlen(csv), &err), &err);
    assert_ok(csv_finish(reader, &info, &err), &err);
    assert_ok(table_info_encode(&info, &record, &err), &err);
    assert_ok(store_stage_new(s, &stage, &err), &err);
    assert_ok(store_stage_append(s, stage, memory.values, memory.count * sizeof(double), &err), &err);
    struct store_dataset d = {.name = (char *)(uintptr_t)name,
                              .rows = info.rows,
                              .digest = info.digest,
                              .info = record.data,
                              .info_size = record.length};
    struct store_dataset made = {0};
    enum put_result result;
    assert_ok(store_stage_publish(s, stage, &d, &made, &result, &err), &err);
    store_dataset_clear(&made);
    text_clear(&record);
    table_info_clear(&info);
    free(memory.values);
    csv_free(reader);
}

/* ---- errors ---- */

char *small_items(const struct error *err)
{
    struct text t = {0};
    for (size_t i = 0; i < err->item_count; i++)
        text_printf(&t, "%s %s %s\n", err_name(err->items[i].code), err->items[i].pointer ? err->items[i].pointer : "-",
                    err->items[i].detail);
    char *taken = text_take(&t);
    assert_non_null(taken);
    return taken;
}

void check_ok(err_code code, const struct error *err, const char *file, int line)
{
    if (code == ERR_ok)
        return;
    char *items = small_items(err);
    print_error("%s: %s\n%s", err_name(code), err->detail ? err->detail : "", items);
    free(items);
    _fail(file, line);
}

void check_items(struct error *err, const char *expected, const char *file, int line)
{
    char *items = small_items(err);
    bool same = strcmp(items, expected) == 0;
    if (!same)
        print_error("the items are\n%sand not\n%s", items, expected);
    free(items);
    error_clear(err);
    if (!same)
        _fail(file, line);
}
