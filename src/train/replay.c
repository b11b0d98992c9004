#include "train/replay.h"

#include <math.h>

/* Takes steps again from the last good copy up to `steps`, or until something is not finite; *ret_failed: the step (0 =
 * first) at which, or -1. */
static err_code find_failure(struct session *s, int64_t steps, const atomic_bool *cancel, int64_t *ret_failed,
                             struct error *err)
{
    for (int64_t step = session_back(s); step < steps; step++) {
        struct step_result result;
        err_code code = session_step(s, step, cancel, &result, err);
        if (code != ERR_ok)
            return code;
        if (!isfinite(result.cost) || !trained_is_finite(&s->now)) {
            *ret_failed = step;
            return ERR_ok;
        }
    }
    *ret_failed = -1;
    return ERR_ok;
}

err_code replay(struct session *s, int64_t steps, const atomic_bool *cancel, struct error *err)
{
    int64_t failed, ignored;
    struct text cause = {0};
    err_code code = find_failure(s, steps, cancel, &failed, err);
    if (code != ERR_ok)
        return code;
    if (failed < 0)
        return error_set(err, ERR_internal, "step %lld went non-finite, but not when it was repeated",
                         (long long)steps);
    code = find_failure(s, failed, cancel, &ignored, err);
    if (code == ERR_ok)
        code = trace_step(s, failed, &cause, err);
    if (code == ERR_cancelled) {
        text_clear(&cause);
        return code;
    }
    /* Without the memory to say which node it was, the step is still known. */
    code = error_set(err, ERR_nonfinite, "step %lld, epoch %lld: %s", (long long)failed + 1,
                     (long long)(failed / s->layout.steps_per_epoch + 1),
                     cause.length > 0 && !cause.failed ? cause.data : "a value became non-finite");
    text_clear(&cause);
    return code;
}
