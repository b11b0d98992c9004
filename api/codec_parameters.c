/* The parameters of a model from JSON: all of them, by name. */
#include "api/codec.h"
#include "api/codec_tensor.h"
#include "api/lift.h"
#include "base/names.h"
#include <stdlib.h>
#include <string.h>

static const struct node *parameter_node(const struct model *m, size_t i)
{
    return graph_node(m->graph, m->parameters[i].node);
}

static bool is_parameter(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->parameter_count; i++) {
        if (strcmp(parameter_node(m, i)->name, name) == 0)
            return true;
    }
    return false;
}

static void check_names(const json_t *given, const struct model *m, const struct where *at, struct error *err)
{
    const char *name;
    json_t *ignored;
    json_object_foreach((json_t *)given, name, ignored)
    {
        if (is_parameter(m, name))
            continue;
        struct where name_at = {.up = at, .key = name};
        struct guess guess = {.name = name};
        for (size_t i = 0; i < m->parameter_count; i++)
            guess_offer(&guess, parameter_node(m, i)->name);
        if (guess.best)
            mistake(err, ERR_unknown_name, &name_at, "the model has no parameter '%.64s'; did you mean '%s'?", name,
                    guess.best);
        else
            mistake(err, ERR_unknown_name, &name_at, "the model has no parameter '%.64s'", name);
    }
}

static void read_parameter(const json_t *given, struct lifted *lifted, const struct model *m, size_t i,
                           const struct limits *limits, const struct where *at, struct tensor **ret, struct error *err)
{
    const struct node *n = parameter_node(m, i);
    struct where value_at = {.up = at, .key = n->name};
    char expected[SHAPE_TEXT_MAX], actual[SHAPE_TEXT_MAX];
    const json_t *value = json_object_get(given, n->name);
    if (!value)
        mistake(err, ERR_missing_field, &value_at, "the parameter '%s' is missing: all of them are replaced at once",
                n->name);
    else if ((lifted_take(lifted, value, m->dtype, limits, &value_at, ret) ||
              read_tensor(value, m->dtype, limits, &value_at, ret, err)) &&
             !shape_equal((*ret)->shape, n->shape))
        mistake(err, ERR_shape_mismatch, &value_at, "the parameter '%s' is %s; this is %s", n->name,
                shape_text(n->shape, expected), shape_text((*ret)->shape, actual));
}

static void read_parameters(const json_t *body, struct lifted *lifted, const struct model *m,
                            const struct limits *limits, struct tensor **tensors, struct error *err)
{
    static const char *const known[] = {"parameters", NULL};
    struct where root = {0}, at = {.up = &root, .key = "parameters"};
    (void)read_object(body, known, &root, err);
    const json_t *given = json_is_object(body) ? required_field(body, "parameters", &root, err) : NULL;
    if (given && !json_is_object(given)) {
        mistake(err, ERR_wrong_type, &at, "`parameters` is an object of tensors by name, not %s", json_kind(given));
    } else if (given) {
        check_names(given, m, &at, err);
        for (size_t i = 0; i < m->parameter_count; i++)
            read_parameter(given, lifted, m, i, limits, &at, &tensors[i], err);
    }
}

struct parameters_decoding {
    const struct model *model;
    const struct limits *limits;
    struct tensor **ret;
};

static err_code decode(void *context, const json_t *body, struct lifted *lifted, struct error *err)
{
    struct parameters_decoding *d = context;
    const struct model *m = d->model;
    struct tensor **tensors = calloc(m->parameter_count + 1, sizeof *tensors);
    struct error found = {0};
    if (tensors)
        read_parameters(body, lifted, m, d->limits, tensors, &found);
    else
        error_set(&found, ERR_out_of_memory, NULL);
    err_code code = found.total ? error_close(&found, ERR_invalid_request, "the parameters") : found.code;
    error_move(err, &found);
    if (code == ERR_ok)
        d->ret = tensors;
    else if (tensors)
        tensors_free(tensors, m->parameter_count);
    return code;
}

static void undo(void *context)
{
    const struct parameters_decoding *d = context;
    tensors_free(d->ret, d->model->parameter_count);
}

err_code decode_parameters(const char *bytes, size_t size, const struct model *m, const struct limits *limits,
                           struct tensor ***ret, struct error *err)
{
    struct parameters_decoding d = {.model = m, .limits = limits};
    const struct body_reader reader = {.read = decode, .undo = undo, .context = &d};
    err_code code = lifted_decode(bytes, size, limits->json_nesting, &reader, err);
    if (code == ERR_ok)
        *ret = d.ret;
    return code;
}
