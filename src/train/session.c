#include "train/session.h"

#include "train/lbfgs.h"
#include "train/step.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is trained ---- */

static void trained_free(struct trained *t)
{
    tensors_free(t->parameters, t->parameter_count);
    tensors_free(t->states, t->parameter_count * t->state_count);
    free(t->memory);
    *t = (struct trained){0};
}

static void fill(const struct tensor *t, double value)
{
    for (int64_t i = 0, count = tensor_elements(t); i < count; i++)
        if (t->dtype == DTYPE_FLOAT32)
            ((float *)t->data)[i] = (float)value;
        else
            ((double *)t->data)[i] = value;
}

/* Parameters of zeros, and states as the optimizer begins with them, only where the step's plan has them. */
static err_code trained_new(const struct model *m, const struct optimizer *o, struct plan *const *plans,
                            struct trained *ret, struct error *err)
{
    struct trained t = {.parameter_count = m->parameter_count, .state_count = optimizer_state_count(o)};
    t.parameters = calloc(t.parameter_count, sizeof(struct tensor *));
    t.states = calloc(t.parameter_count * t.state_count + 1, sizeof(struct tensor *));
    if (o->name == OPTIMIZER_LBFGS)
        t.memory_count = lbfgs_memory((size_t)model_parameter_elements(m), (size_t)o->history);
    t.memory = t.memory_count > 0 ? calloc(t.memory_count, sizeof *t.memory) : NULL;
    err_code code = ERR_ok;
    if (t.parameters == NULL || t.states == NULL || (t.memory_count > 0 && t.memory == NULL))
        code = error_set(err, ERR_out_of_memory, "no memory for the parameters");
    for (size_t p = 0; p < t.parameter_count && code == ERR_ok; p++) {
        struct shape shape = graph_node(m->graph, m->parameters[p].node)->shape;
        size_t states = train_plans_have_state(plans, p) ? t.state_count : 0;
        code = tensor_new(m->dtype, shape, &t.parameters[p], err);
        for (size_t k = 0; k < states && code == ERR_ok; k++) {
            code = tensor_new(m->dtype, shape, &t.states[p * t.state_count + k], err);
            if (code == ERR_ok)
                fill(t.states[p * t.state_count + k], optimizer_first_state(o));
        }
    }
    if (code == ERR_ok)
        *ret = t;
    else
        trained_free(&t);
    return code;
}

static void copy_tensors(struct tensor *const *to, struct tensor *const *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (to[i] != NULL && from[i] != NULL)
            memcpy(to[i]->data, from[i]->data, tensor_bytes(from[i]));
}

static void trained_copy(struct trained *to, const struct trained *from)
{
    copy_tensors(to->parameters, from->parameters, from->parameter_count);
    copy_tensors(to->states, from->states, from->parameter_count * from->state_count);
    if (to->memory != NULL && from->memory != NULL)
        memcpy(to->memory, from->memory, from->memory_count * sizeof *to->memory);
}

static bool tensor_is_finite(const struct tensor *t)
{
    int64_t elements = tensor_elements(t), finite = 0;
    if (t->dtype == DTYPE_FLOAT32) {
        const float *x = t->data;
        for (int64_t i = 0; i < elements; i++)
            finite += isfinite(x[i]) != 0;
    } else {
        const double *x = t->data;
        for (int64_t i = 0; i < elements; i++)
            finite += isfinite(x[i]) != 0;
    }
    return finite == elements;
}

bool trained_is_finite(const struct trained *t)
{
    for (size_t p = 0; p < t->parameter_count; p++)
        if (!tensor_is_finite(t->parameters[p]))
            return false;
    return true;
}

void session_keep(struct session *s, int64_t step)
{
    trained_copy(&s->kept, &s->now);
    s->kept_step = step;
}

void session_keep_best(struct session *s)
{
    copy_tensors(s->best, s->now.parameters, s->now.parameter_count);
}

int64_t session_back(struct session *s)
{
    trained_copy(&s->now, &s->kept);
    return s->kept_step;
}

/* ---- open and close ---- */

void session_bind(const struct session *s, const struct plan *plan, struct run *run)
{
    const struct model *m = s->model;
    char name[LEAF_NAME_MAX];
    size_t leaf;
    for (size_t i = 0; i < m->input_count; i++)
        if (plan_find_input(plan, graph_node(m->graph, m->inputs[i])->name, &leaf))
            run_bind_rows(run, leaf, s->data.inputs[i], s->rows);
    if (plan_find_input(plan, weight_leaf, &leaf))
        run_bind_rows(run, leaf, s->data.weights, s->rows);
    for (size_t p = 0; p < m->parameter_count; p++) {
        if (plan_find_input(plan, graph_node(m->graph, m->parameters[p].node)->name, &leaf))
            run_bind_shared(run, leaf, s->now.parameters[p]->data);
        for (size_t k = 0; k < s->now.state_count; k++)
            if (plan_find_input(plan, state_leaf(p, k, name), &leaf))
                run_bind_shared(run, leaf, s->now.states[p * s->now.state_count + k]->data);
    }
    for (size_t i = 0; i < optimizer_scalar_count(&s->spec.optimizer); i++)
        if (plan_find_input(plan, scalar_leaf(i, name), &leaf))
            run_bind(run, leaf, (const char *)s->scalars + i * dtype_size(m->dtype));
}

static err_code make_runs(struct session *s, struct error *err)
{
    err_code code = ERR_ok;
    for (int phase = 0; phase < PHASE_COUNT && code == ERR_ok; phase++) {
        if (s->plans[phase] == NULL)
            continue;
        code = run_new(s->plans[phase], &s->runs[phase], err);
        if (code != ERR_ok)
            continue;
        session_bind(s, s->plans[phase], s->runs[phase]);
        run_set_team(s->runs[phase], s->team);
    }
    return code;
}

/* With early stopping. */
static err_code reserve_best(struct session *s, struct error *err)
{
    if (s->spec.early_stopping.patience == 0)
        return ERR_ok;
    s->best = calloc(s->model->parameter_count, sizeof(struct tensor *));
    if (s->best == NULL)
        return error_set(err, ERR_out_of_memory, "no memory for the best parameters");
    err_code code = ERR_ok;
    for (size_t p = 0; p < s->model->parameter_count && code == ERR_ok; p++)
        code = tensor_new(s->model->dtype, s->now.parameters[p]->shape, &s->best[p], err);
    return code;
}

/* Of the order, those that are looked at when an epoch ends: layout.evaluated of them. */
static const uint32_t *evaluated_rows(const struct session *s)
{
    return s->order + (s->layout.validation > 0 ? s->layout.training : 0);
}

static err_code fill_session(struct session *s, struct tensor *const *start, struct error *err)
{
    size_t training;
    err_code code = layout_make(&s->spec, s->data.rows, &s->layout, err);
    if (code == ERR_ok)
        code = train_plans_make(s->model, &s->spec, &s->layout, s->plans, err);
    if (code == ERR_ok)
        code = train_split(&s->spec, s->data.rows, s->data.marks, &s->order, &training, err);
    if (code == ERR_ok)
        code = trained_new(s->model, &s->spec.optimizer, s->plans, &s->now, err);
    if (code == ERR_ok)
        code = trained_new(s->model, &s->spec.optimizer, s->plans, &s->kept, err);
    if (code == ERR_ok)
        code = reserve_best(s, err);
    if (code == ERR_ok)
        code = scorer_make(s->model, s->spec.metrics, &s->scorer, err);
    if (code == ERR_ok)
        code = scorer_open(&s->scorer, s->model->dtype, &s->data, evaluated_rows(s), (size_t)s->layout.evaluated, err);
    if (code != ERR_ok)
        return code;
    copy_tensors(s->now.parameters, start, s->model->parameter_count);
    session_keep(s, 0);
    s->rows = calloc(layout_most_rows(&s->layout), sizeof *s->rows);
    s->scalars = calloc(OPTIMIZER_SCALARS_MAX, sizeof(double));
    if (s->rows == NULL || s->scalars == NULL)
        return error_set(err, ERR_out_of_memory, "no memory for the rows of a batch");
    if (s->now.memory_count > 0) {
        const size_t elements = (size_t)model_parameter_elements(s->model);
        s->point = calloc(elements, sizeof *s->point);
        s->scratch = calloc(lbfgs_scratch(elements, (size_t)s->spec.optimizer.history), sizeof *s->scratch);
        if (s->point == NULL || s->scratch == NULL)
            return error_set(err, ERR_out_of_memory, "no memory for LBFGS");
    }
    if (s->spec.threads > 1)
        code = team_new(s->spec.threads, &s->team, err);
    return code == ERR_ok ? make_runs(s, err) : code;
}

err_code session_open(const struct model *m, const struct train_spec *spec, const struct train_data *data,
                      struct tensor *const *start, struct session *ret, struct error *err)
{
    struct session s = {.model = m, .spec = *spec, .data = *data, .permuted_epoch = -1};
    err_code code = fill_session(&s, start, err);
    if (code == ERR_ok)
        *ret = s;
    else
        session_close(&s);
    return code;
}

void session_close(struct session *s)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        run_free(s->runs[phase]);
    team_free(s->team);
    train_plans_free(s->plans);
    if (s->best != NULL)
        tensors_free(s->best, s->model->parameter_count);
    trained_free(&s->now);
    trained_free(&s->kept);
    scorer_close(&s->scorer);
    free(s->order);
    free(s->rows);
    free(s->scalars);
    free(s->point);
    free(s->scratch);
}

/* ---- steps ---- */

static void permute(struct session *s, int64_t epoch)
{
    if (s->permuted_epoch == epoch)
        return;
    struct rng key = {.seed = s->spec.seed, .step = (uint64_t)epoch, .purpose = RNG_SHUFFLE};
    permutation_init(&s->permutation, &key, (uint64_t)s->layout.training);
    s->permuted_epoch = epoch;
}

double session_rate(const struct session *s, int64_t step)
{
    const struct schedule_span span = {.steps = s->layout.steps, .steps_per_epoch = s->layout.steps_per_epoch};
    return schedule_rate(&s->spec.schedule, s->spec.optimizer.learning_rate, step, &span);
}

enum phase session_load(struct session *s, int64_t step)
{
    int64_t first = step % s->layout.steps_per_epoch * s->layout.whole;
    bool whole = first + s->layout.whole <= s->layout.training;
    enum phase phase = PHASE_POINT_REST;
    if (whole)
        phase = layout_point_due(&s->layout, &s->spec, step + 1) ? PHASE_POINT : PHASE_STEP;
    int64_t rows = s->layout.batch[phase];
    if (s->spec.shuffle && s->spec.optimizer.name != OPTIMIZER_LBFGS) {
        permute(s, step / s->layout.steps_per_epoch);
        permutation_fill(&s->permutation, (uint64_t)first, (size_t)rows, s->rows);
        for (int64_t i = 0; i < rows; i++)
            s->rows[i] = s->order[s->rows[i]];
    } else {
        memcpy(s->rows, s->order + first, (size_t)rows * sizeof *s->rows);
    }

    double scalars[OPTIMIZER_SCALARS_MAX];
    optimizer_scalars(&s->spec.optimizer, session_rate(s, step), (uint64_t)step, scalars);
    for (size_t i = 0; i < optimizer_scalar_count(&s->spec.optimizer); i++) {
        if (s->model->dtype == DTYPE_FLOAT32)
            ((float *)s->scalars)[i] = (float)scalars[i];
        else
            ((double *)s->scalars)[i] = scalars[i];
    }
    return phase;
}

/* An output that is a scalar. */
static double run_scalar(const struct session *s, enum phase phase, size_t output)
{
    const void *value = run_output(s->runs[phase], output);
    return s->model->dtype == DTYPE_FLOAT32 ? (double)*(const float *)value : *(const double *)value;
}

/* ---- LBFGS ---- */

/* What one evaluation needs and tells. */
struct evaluation {
    struct session *session;
    enum phase phase;
    const atomic_bool *cancel;
    bool first;
    double norm; /* of the first */
};

static void spread_point(struct session *s)
{
    const double *from = s->point;
    for (size_t p = 0; p < s->model->parameter_count; p++)
        for (int64_t i = 0, count = tensor_elements(s->now.parameters[p]); i < count; i++)
            tensor_set(s->now.parameters[p], i, *from++);
}

static void gather_point(struct session *s)
{
    double *to = s->point;
    for (size_t p = 0; p < s->model->parameter_count; p++)
        for (int64_t i = 0, count = tensor_elements(s->now.parameters[p]); i < count; i++)
            *to++ = tensor_get(s->now.parameters[p], i);
}

/* The outputs after cost and norm are the gradients, parameter after parameter. */
static void gather_gradient(const struct session *s, enum phase phase, double *to)
{
    for (size_t p = 0; p < s->model->parameter_count; p++) {
        const struct tensor view = {
            .dtype = s->model->dtype,
            .shape = s->now.parameters[p]->shape,
            .data = (void *)(uintptr_t)run_output(s->runs[phase], 2 + p),
        };
        for (int64_t i = 0, count = tensor_elements(&view); i < count; i++)
            *to++ = tensor_get(&view, i);
    }
}

static err_code evaluate(void *context, const double *x, double *ret_value, double *ret_gradient, struct error *err)
{
    struct evaluation *e = context;
    struct session *s = e->session;
    (void)x; /* is the session's point */
    spread_point(s);
    err_code code = run_execute(s->runs[e->phase], e->cancel, err);
    if (code != ERR_ok)
        return code;
    *ret_value = run_scalar(s, e->phase, 0);
    gather_gradient(s, e->phase, ret_gradient);
    if (e->first)
        e->norm = run_scalar(s, e->phase, 1);
    e->first = false;
    return ERR_ok;
}

static err_code step_lbfgs(struct session *s, int64_t step, enum phase phase, const atomic_bool *cancel,
                           struct step_result *ret, struct error *err)
{
    const struct optimizer *o = &s->spec.optimizer;
    const struct lbfgs_settings settings = {
        .history = (size_t)o->history,
        .max_evaluations = o->max_evaluations,
        .tolerance_gradient = o->tolerance_gradient,
        .tolerance_change = o->tolerance_change,
    };
    struct evaluation e = {.session = s, .phase = phase, .cancel = cancel, .first = true};
    const struct lbfgs_function f = {.evaluate = evaluate, .context = &e};
    double cost = NAN;
    gather_point(s);
    err_code code = lbfgs_step(&settings, &f, session_rate(s, step), (size_t)model_parameter_elements(s->model),
                               s->point, s->now.memory, s->scratch, &cost, err);
    if (code != ERR_ok)
        return code;
    spread_point(s);
    *ret = (struct step_result){.cost = cost, .norm = e.norm};
    return ERR_ok;
}

/* ---- a step ---- */

err_code session_step(struct session *s, int64_t step, const atomic_bool *cancel, struct step_result *ret,
                      struct error *err)
{
    enum phase phase = session_load(s, step);
    run_set_random(s->runs[phase], s->spec.seed, (uint64_t)step);
    if (s->spec.optimizer.name == OPTIMIZER_LBFGS)
        return step_lbfgs(s, step, phase, cancel, ret, err);
    err_code code = run_execute(s->runs[phase], cancel, err);
    if (code != ERR_ok)
        return code;
    ret->cost = run_scalar(s, phase, 0);
    ret->norm = phase != PHASE_STEP ? run_scalar(s, phase, 1) : NAN;
    return ERR_ok;
}

err_code session_evaluate(struct session *s, const atomic_bool *cancel, struct train_epoch *ret, struct error *err)
{
    const struct layout *l = &s->layout;
    const uint32_t *order = evaluated_rows(s);
    double sum = 0;
    scorer_begin(&s->scorer);
    for (int64_t done = 0; done < l->evaluated;) {
        bool whole = done + l->batch[PHASE_VALIDATE] <= l->evaluated;
        enum phase phase = whole ? PHASE_VALIDATE : PHASE_VALIDATE_REST;
        int64_t rows = l->batch[phase];
        memcpy(s->rows, order + done, (size_t)rows * sizeof *s->rows);
        err_code code = run_execute(s->runs[phase], cancel, err);
        if (code != ERR_ok)
            return code;
        sum += run_scalar(s, phase, 0) * (double)rows;
        if (s->spec.metrics != 0)
            scorer_add(&s->scorer, s->model->dtype, run_output(s->runs[phase], 1), &s->data, s->rows, (size_t)rows);
        done += rows;
    }
    if (l->validation > 0)
        ret->validation_cost = sum / (double)l->validation;
    if (s->spec.metrics != 0)
        scorer_end(&s->scorer, ret->scores);
    return ERR_ok;
}
