#include "train/trainer.h"

#include "train/replay.h"
#include "train/state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is trained is looked at, and a copy kept, at the first epoch's end from each multiple of so many steps on: it
 * costs next to nothing, a replay is short, and when it is does not depend on where training was taken up again. */
enum { KEEP_STEPS = 100 };

struct trainer {
    struct session session;
    struct progress now;
    bool torn; /* an error left it within a step, or behind one */
};

static const struct train_epoch nothing_yet = {.cost = NAN, .validation_cost = NAN, .scores = {NAN, NAN, NAN}};

static void mean_add(struct mean *m, double cost, int64_t rows)
{
    m->sum += cost * (double)rows;
    m->rows += rows;
}

static double mean_take(struct mean *m)
{
    double mean = m->sum / (double)m->rows;
    *m = (struct mean){0};
    return mean;
}

err_code train_measure(const struct model *m, const struct train_spec *spec, size_t rows, struct train_size *ret,
                       struct error *err)
{
    struct layout layout;
    struct plan *plans[PHASE_COUNT];
    err_code code = layout_make(spec, rows, &layout, err);
    if (code == ERR_ok)
        code = train_plans_make(m, spec, &layout, plans, err);
    if (code != ERR_ok)
        return code;
    *ret = (struct train_size){
        .training_rows = layout.training,
        .steps_per_epoch = layout.steps_per_epoch,
        .steps = layout.steps,
        .memory_bytes = train_plans_memory(m, spec, &layout, plans),
    };
    train_plans_free(plans);
    return ERR_ok;
}

err_code trainer_new(const struct model *m, const struct train_spec *spec, const struct train_data *data,
                     struct tensor *const *start, struct trainer **ret, struct error *err)
{
    struct trainer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_set(err, ERR_out_of_memory, "no memory for a trainer");
    t->now.epoch = t->now.kept = nothing_yet;
    t->now.best_cost = NAN;
    t->now.best_watched = t->now.reference = INFINITY;
    err_code code = session_open(m, spec, data, start, &t->session, err);
    if (code == ERR_ok)
        *ret = t;
    else
        free(t);
    return code;
}

void trainer_free(struct trainer *t)
{
    if (t == NULL)
        return;
    session_close(&t->session);
    free(t);
}

static bool at_epoch_end(const struct trainer *t)
{
    return t->now.step % t->session.layout.steps_per_epoch == 0;
}

/* Training has gone non-finite: an error, or the end of it at the last good copy. */
static err_code go_nonfinite(struct trainer *t, const atomic_bool *cancel, struct error *err)
{
    if (!t->session.spec.stop_on_nonfinite)
        return replay(&t->session, t->now.step, cancel, err);
    t->now.step = session_back(&t->session);
    t->now.epoch = t->now.kept;
    t->now.since_point = t->now.since_epoch = (struct mean){0};
    t->now.stopped = STOP_NONFINITE;
    return ERR_ok;
}

static err_code take_step(struct trainer *t, const atomic_bool *cancel, double *ret_norm, struct error *err)
{
    struct session *s = &t->session;
    struct step_result result;
    int64_t done = t->now.step % s->layout.steps_per_epoch * s->layout.whole;
    int64_t rows = s->layout.training - done;
    if (rows > s->layout.whole)
        rows = s->layout.whole;
    err_code code = session_step(s, t->now.step, cancel, &result, err);
    /* A run that is cancelled writes no leaf; a step of LBFGS is many runs. */
    t->torn = code != ERR_ok && (code != ERR_cancelled || s->spec.optimizer.name == OPTIMIZER_LBFGS);
    if (code != ERR_ok)
        return code;
    t->torn = true; /* until what belongs to the step is done */
    t->now.step++;
    if (!isfinite(result.cost))
        return go_nonfinite(t, cancel, err);
    mean_add(&t->now.since_point, result.cost, rows);
    mean_add(&t->now.since_epoch, result.cost, rows);
    *ret_norm = result.norm;
    return ERR_ok;
}

/* Whether this epoch is the best so far, and whether it is time to stop. A cost that is no number is no better. */
static void watch(struct trainer *t, double cost)
{
    const struct early_stopping *rule = &t->session.spec.early_stopping;
    struct progress *now = &t->now;
    if (cost < now->best_watched && trained_is_finite(&t->session.now)) {
        now->best_watched = cost;
        now->best_cost = now->epoch.cost;
        now->best_step = now->step;
        session_keep_best(&t->session);
    }
    now->waited++;
    if (cost < now->reference - rule->min_delta) {
        now->reference = cost;
        now->waited = 0;
    }
    if (now->waited >= rule->patience && now->step < t->session.layout.steps)
        now->stopped = STOP_EARLY;
}

static err_code end_epoch(struct trainer *t, const atomic_bool *cancel, struct error *err)
{
    struct session *s = &t->session;
    int64_t before = t->now.step - s->layout.steps_per_epoch;
    t->now.epoch = nothing_yet;
    t->now.epoch.cost = mean_take(&t->now.since_epoch);
    err_code code = s->layout.evaluated > 0 ? session_evaluate(s, cancel, &t->now.epoch, err) : ERR_ok;
    if (code != ERR_ok)
        return code;
    if (s->spec.early_stopping.patience > 0)
        watch(t, s->layout.validation > 0 ? t->now.epoch.validation_cost : t->now.epoch.cost);
    if (t->now.step / KEEP_STEPS > before / KEEP_STEPS || trainer_finished(t)) {
        if (!trained_is_finite(&s->now))
            return go_nonfinite(t, cancel, err);
        session_keep(s, t->now.step);
        t->now.kept = t->now.epoch;
    }
    return ERR_ok;
}

err_code trainer_advance(struct trainer *t, int64_t max_steps, const atomic_bool *cancel, struct train_point *ret_point,
                         bool *ret_has_point, struct error *err)
{
    const struct session *s = &t->session;
    double norm = NAN;
    bool due = false;
    for (int64_t taken = 0; taken < max_steps && !due && !trainer_finished(t); taken++) {
        err_code code = take_step(t, cancel, &norm, err);
        if (code == ERR_ok && t->now.stopped == STOP_NONE && at_epoch_end(t))
            code = end_epoch(t, cancel, err);
        if (code != ERR_ok)
            return code;
        t->torn = false;
        due = t->now.stopped != STOP_NONFINITE && layout_point_due(&s->layout, &s->spec, t->now.step);
    }
    if (due) {
        const struct train_epoch *epoch = at_epoch_end(t) ? &t->now.epoch : &nothing_yet;
        *ret_point = (struct train_point){
            .step = t->now.step,
            .epoch = (t->now.step - 1) / s->layout.steps_per_epoch + 1,
            .cost = mean_take(&t->now.since_point),
            .validation_cost = epoch->validation_cost,
            .learning_rate = session_rate(s, t->now.step - 1),
            .gradient_norm = norm,
        };
        memcpy(ret_point->scores, epoch->scores, sizeof epoch->scores);
    }
    *ret_has_point = due;
    return ERR_ok;
}

bool trainer_finished(const struct trainer *t)
{
    return t->now.step == t->session.layout.steps || t->now.stopped != STOP_NONE;
}

const char *trainer_stopped(const struct trainer *t)
{
    static const char *const reasons[] = {
        [STOP_NONE] = NULL, [STOP_EARLY] = "early_stopping", [STOP_NONFINITE] = "nonfinite"};
    return reasons[t->now.stopped];
}

int64_t trainer_step(const struct trainer *t)
{
    return t->now.step;
}

int64_t trainer_epoch(const struct trainer *t)
{
    return t->now.step / t->session.layout.steps_per_epoch;
}

struct train_epoch trainer_last_epoch(const struct trainer *t)
{
    return t->now.epoch;
}

struct tensor *const *trainer_parameters(const struct trainer *t)
{
    return t->session.now.parameters;
}

bool trainer_best(const struct trainer *t, struct train_outcome *ret)
{
    if (t->now.best_step == 0)
        return false;
    *ret = (struct train_outcome){
        .parameters = t->session.best,
        .step = t->now.best_step,
        .epoch = t->now.best_step / t->session.layout.steps_per_epoch,
        .cost = t->now.best_cost,
    };
    return true;
}

struct train_outcome trainer_outcome(const struct trainer *t)
{
    struct train_outcome best;
    if (t->session.spec.early_stopping.restore_best && trainer_best(t, &best))
        return best;
    return (struct train_outcome){
        .parameters = trainer_parameters(t),
        .step = t->now.step,
        .epoch = trainer_epoch(t),
        .cost = t->now.epoch.cost,
    };
}

/* ---- between two steps ---- */

size_t trainer_state_size(const struct trainer *t)
{
    return state_size(&t->session);
}

void trainer_save(const struct trainer *t, void *ret)
{
    state_save(&t->session, &t->now, ret);
}

err_code trainer_restore(struct trainer *t, const void *bytes, size_t size, struct error *err)
{
    return state_restore(&t->session, &t->now, bytes, size, err);
}

bool trainer_is_whole(const struct trainer *t)
{
    return !t->torn;
}

bool trainer_state_finite(const struct trainer *t)
{
    return trained_is_finite(&t->session.now);
}
