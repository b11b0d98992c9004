/* GET /v1/models/{m}/graph: the graph of a model as JSON that can be posted again, or as Graphviz text. */
#include "api/member.h"
#include "api/models.h"
#include "api/nodes.h"
#include "api/routes.h"
#include "graph/naming.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- JSON ---- */

static void put_inputs(struct json *j, const struct model *m)
{
    put_key(j, "inputs");
    put_object(j);
    for (size_t i = 0; i < m->input_count; i++) {
        const struct node *n = graph_node(m->graph, m->inputs[i]);
        put_key(j, n->name);
        put_object(j);
        put_key(j, "shape");
        put_shape(j, n->shape);
        put_object_end(j);
    }
    put_object_end(j);
}

static void put_parameters(struct json *j, const struct model *m, bool flat)
{
    put_key(j, "parameters");
    put_object(j);
    for (size_t i = 0; i < m->parameter_count; i++) {
        const struct parameter *p = &m->parameters[i];
        const struct node *n = graph_node(m->graph, p->node);
        put_key(j, n->name);
        put_object(j);
        put_key(j, "shape");
        put_shape(j, n->shape);
        put_key(j, "init");
        if (p->init == INIT_VALUE) {
            put_object(j);
            put_key(j, "value");
            put_tensor(j, p->value, flat);
            put_object_end(j);
        } else {
            put_string(j, initializer_name(p->init));
        }
        put_object_end(j);
    }
    put_object_end(j);
}

static void put_role(struct json *j, const char *key, const struct model *m, node_id node)
{
    if (node != NODE_NONE) {
        put_key(j, key);
        put_string(j, graph_node(m->graph, node)->name);
    }
}

err_code put_model_graph(struct json *j, const struct model *m, bool flat, struct error *err)
{
    struct arena *arena = arena_new();
    const char **names = NULL;
    err_code code = arena ? graph_names(m->graph, arena, &names, err) : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        put_key(j, "nodes");
        put_nodes(j, m->graph, names, flat);
        put_inputs(j, m);
        put_parameters(j, m, flat);
        put_role(j, "cost", m, m->cost);
        put_role(j, "output", m, m->output);
        member_string(j, "dtype", dtype_name(m->dtype));
        member_whole(j, "seed", (int64_t)m->seed);
    }
    arena_free(arena);
    return code;
}

static err_code write_json(struct text *to, const struct model *m, bool flat, struct error *err)
{
    struct json j = {.text = to};
    put_object(&j);
    err_code code = put_model_graph(&j, m, flat, err);
    put_key(&j, "outputs");
    put_array(&j);
    if (m->output != NODE_NONE)
        put_string(&j, graph_node(m->graph, m->output)->name);
    if (m->cost != NODE_NONE && m->cost != m->output)
        put_string(&j, graph_node(m->graph, m->cost)->name);
    put_array_end(&j);
    put_object_end(&j);
    return code;
}

/* ---- Graphviz ---- */

/* A quoted string: only '"' and '\' mean something in it. */
static void add_quoted(struct text *t, const char *value)
{
    text_putc(t, '"');
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_putc(t, '\\');
        text_putc(t, *c);
    }
    text_putc(t, '"');
}

static const char *look_of(const struct model *m, node_id id)
{
    for (size_t i = 0; i < m->parameter_count; i++) {
        if (m->parameters[i].node == id)
            return "shape=box, style=filled, fillcolor=lightyellow";
    }
    if (graph_node(m->graph, id)->op == OP_Input)
        return "shape=box, style=filled, fillcolor=lightblue";
    return id == m->cost ? "shape=doubleoctagon" : id == m->output ? "shape=doublecircle" : "shape=ellipse";
}

/* Names are identifiers, so a label needs no escaping; \n in it is Graphviz's line break. */
static void add_node(struct text *to, const struct model *m, node_id id, const char *name)
{
    const struct node *n = graph_node(m->graph, id);
    char shape[SHAPE_TEXT_MAX];
    text_printf(to, "  n%u [label=\"%s\\n%s %s\", %s];\n", (unsigned)id, name, op_name(n->op),
                shape_text(n->shape, shape), look_of(m, id));
    for (uint32_t i = 0; i < n->input_count; i++)
        text_printf(to, "  n%u -> n%u;\n", (unsigned)n->inputs[i], (unsigned)id);
}

static err_code write_graphviz(struct text *to, const char *title, const struct model *m, struct error *err)
{
    struct arena *arena = arena_new();
    const char **names = NULL;
    err_code code = arena ? graph_names(m->graph, arena, &names, err) : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        text_puts(to, "digraph ");
        add_quoted(to, title);
        text_puts(to, " {\n  rankdir=BT;\n");
        for (size_t i = 0; i < graph_size(m->graph); i++)
            add_node(to, m, (node_id)i, names[i]);
        text_puts(to, "}\n");
    }
    arena_free(arena);
    return code;
}

/* ---- the resource ---- */

enum handled model_graph(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct held_model m = {0};
    bool flat = request_flat(r, &err);
    const char *type = request_accepts(r, r->route->answers);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = catalog_hold_model(r->app->catalog, r->arguments[0], &m, &err);
    bool is_json = !type || strcmp(type, "application/json") == 0;
    if (code == ERR_ok)
        code = is_json ? write_json(&ret->body, m.model, flat, &err)
                       : write_graphviz(&ret->body, m.record.name, m.model, &err);
    if (code == ERR_ok) {
        char revision[32];
        snprintf(revision, sizeof revision, "%" PRId64, m.record.id);
        ret->content_type = is_json ? "application/json" : "text/vnd.graphviz";
        reply_tagged(ret, r, revision);
    } else {
        reply_problem(ret, r, &err);
    }
    catalog_release_model(r->app->catalog, &m);
    return HANDLED;
}
