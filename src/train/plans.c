#include "train/plans.h"

#include "base/size.h"
#include "graph/losses.h"
#include "train/lbfgs.h"
#include "train/scorer.h"
#include "train/step.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct shape leaf_shape(const struct model *m, node_id leaf)
{
    return graph_node(m->graph, leaf)->shape;
}

static const char *leaf_name(const struct model *m, node_id leaf)
{
    return graph_node(m->graph, leaf)->name;
}

/* ---- what can be trained ---- */

/* Rows of a table become rows of an input: its first axis must be `batch`. */
static err_code check_inputs(const struct model *m, struct error *err)
{
    unsigned char *needed = calloc(graph_size(m->graph), 1);
    if (needed == NULL)
        return error_set(err, ERR_out_of_memory, "no memory to look through a model");
    graph_mark_needed(m->graph, &m->cost, 1, needed);
    err_code code = ERR_ok;
    for (size_t i = 0; i < m->input_count; i++) {
        struct shape shape = leaf_shape(m, m->inputs[i]);
        if (!needed[m->inputs[i]] || (shape.rank > 0 && shape.dim[0] == DIM_BATCH))
            continue;
        char text[SHAPE_TEXT_MAX];
        code = error_add(err, ERR_shape_mismatch, (struct place){.pointer = "/model"},
                         "input '%.64s' is %s: its first axis must be batch, to be bound to rows of a data set",
                         leaf_name(m, m->inputs[i]), shape_text(shape, text));
    }
    free(needed);
    return code;
}

static bool is_parameter(const struct model *m, const char *name)
{
    for (size_t p = 0; p < m->parameter_count; p++)
        if (strcmp(leaf_name(m, m->parameters[p].node), name) == 0)
            return true;
    return false;
}

static bool is_frozen(const struct train_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->freeze_count; i++)
        if (strcmp(spec->freeze[i], name) == 0)
            return true;
    return false;
}

static err_code check_frozen(const struct model *m, const struct train_spec *spec, struct error *err)
{
    err_code code = ERR_ok;
    size_t trained = 0;
    for (size_t i = 0; i < spec->freeze_count; i++) {
        char pointer[32];
        (void)snprintf(pointer, sizeof pointer, "/freeze/%zu", i);
        if (!is_parameter(m, spec->freeze[i]))
            code = error_add(err, ERR_unknown_name, (struct place){.pointer = pointer},
                             "the model has no parameter '%.64s'", spec->freeze[i]);
    }
    for (size_t p = 0; p < m->parameter_count; p++)
        trained += !is_frozen(spec, leaf_name(m, m->parameters[p].node));
    if (trained == 0)
        code = error_add(err, ERR_invalid_value, (struct place){.pointer = "/freeze"},
                         "every parameter is frozen, so there is nothing to train");
    return code;
}

static err_code check_weights(const struct model *m, const struct train_spec *spec, struct error *err)
{
    unsigned char *marks = spec->weighted ? calloc(graph_size(m->graph) + 1, 1) : NULL;
    if (!spec->weighted)
        return ERR_ok;
    if (marks == NULL)
        return error_set(err, ERR_out_of_memory, "no memory to look through a model");
    const size_t count = graph_mark_losses(m->graph, m->cost, marks);
    free(marks);
    if (count > 0)
        return ERR_ok;
    return error_add(err, ERR_invalid_value, (struct place){.pointer = "/weight"},
                     "the cost has no loss op that averages over rows, so there is nothing to weigh");
}

static err_code check_model(const struct model *m, const struct train_spec *spec, struct error *err)
{
    const struct place at_model = {.pointer = "/model"};
    if (m->cost == NODE_NONE)
        return error_add(err, ERR_no_cost, at_model, "the model has no cost, so it can't be trained");
    if (m->parameter_count == 0)
        return error_add(err, ERR_invalid_value, at_model, "the model has no parameters, so it can't be trained");
    struct shape cost = leaf_shape(m, m->cost);
    if (cost.rank != 0) {
        char text[SHAPE_TEXT_MAX];
        return error_add(err, ERR_no_cost, at_model, "the cost is %s; only a scalar can be minimised",
                         shape_text(cost, text));
    }
    struct scorer ignored;
    err_code inputs = check_inputs(m, err), frozen = check_frozen(m, spec, err);
    err_code metrics = scorer_make(m, spec->metrics, &ignored, err), weights = check_weights(m, spec, err);
    if (spec->optimizer.name == OPTIMIZER_LBFGS && spec->clip_gradient_norm > 0)
        return error_add(err, ERR_invalid_value, (struct place){.pointer = "/clip_gradient_norm"},
                         "LBFGS searches along the true gradient, which can't be clipped");
    const err_code codes[] = {inputs, frozen, metrics, weights};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] != ERR_ok)
            return codes[i];
    return ERR_ok;
}

/* ---- plans ---- */

err_code train_plans_make(const struct model *m, const struct train_spec *spec, const struct layout *l,
                          struct plan *ret[PHASE_COUNT], struct error *err)
{
    struct plan *plans[PHASE_COUNT] = {0};
    err_code code = check_model(m, spec, err);
    for (int phase = 0; phase < PHASE_COUNT && code == ERR_ok; phase++) {
        if (l->batch[phase] == 0)
            continue;
        if (phase == PHASE_VALIDATE || phase == PHASE_VALIDATE_REST)
            code = cost_plan(m, spec, l->batch[phase], &plans[phase], err);
        else
            code = step_plan(m, spec, l->batch[phase], phase != PHASE_STEP, &plans[phase], err);
    }
    if (code != ERR_ok) {
        train_plans_free(plans);
        return code;
    }
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        ret[phase] = plans[phase];
    return ERR_ok;
}

void train_plans_free(struct plan *plans[PHASE_COUNT])
{
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        plan_free(plans[phase]);
        plans[phase] = NULL;
    }
}

/* ---- sizes ---- */

bool train_plans_have_state(struct plan *const plans[PHASE_COUNT], size_t p)
{
    char name[LEAF_NAME_MAX];
    size_t ignored;
    for (int phase = PHASE_STEP; phase <= PHASE_POINT_REST; phase++)
        if (plans[phase] != NULL) /* each of them updates the same */
            return plan_find_input(plans[phase], state_leaf(p, 0, name), &ignored);
    return false;
}

static void add_bytes(size_t *sum, size_t bytes)
{
    if (!size_add(*sum, bytes, sum))
        *sum = SIZE_MAX;
}

/* What it remembers, a copy of that, what it works with, and the point. */
static void add_lbfgs(size_t *sum, size_t elements, size_t history)
{
    size_t memory = lbfgs_memory(elements, history), doubles = lbfgs_scratch(elements, history);
    bool fits = size_add(doubles, elements, &doubles) && size_add(doubles, memory, &doubles) &&
                size_add(doubles, memory, &doubles) && size_mul(doubles, sizeof(double), &doubles);
    add_bytes(sum, fits ? doubles : SIZE_MAX);
}

size_t train_plans_memory(const struct model *m, const struct train_spec *spec, const struct layout *l,
                          struct plan *const plans[PHASE_COUNT])
{
    size_t bytes = ((size_t)(l->training + l->validation) + layout_most_rows(l)) * sizeof(uint32_t);
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        if (plans[phase] != NULL)
            add_bytes(&bytes, plan_arena_bytes(plans[phase]));
    for (size_t p = 0; p < m->parameter_count; p++) {
        int64_t elements = 0;
        shape_elements(leaf_shape(m, m->parameters[p].node), &elements);
        size_t states = train_plans_have_state(plans, p) ? optimizer_state_count(&spec->optimizer) : 0;
        size_t copies = 2 * (1 + states) + (spec->early_stopping.patience > 0 ? 1 : 0);
        add_bytes(&bytes, copies * (size_t)elements * dtype_size(m->dtype));
    }
    struct scorer scorer = {0};
    if (scorer_make(m, spec->metrics, &scorer, NULL) == ERR_ok)
        add_bytes(&bytes, scorer_bytes(&scorer));
    if (spec->optimizer.name == OPTIMIZER_LBFGS)
        add_lbfgs(&bytes, (size_t)model_parameter_elements(m), (size_t)spec->optimizer.history);
    return bytes;
}
