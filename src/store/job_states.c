#include "store/store.h"
#include <string.h>

static const char *const names[JOB_STATE_COUNT] = {
    [JOB_QUEUED] = "queued",       [JOB_RUNNING] = "running", [JOB_PAUSED] = "paused",
    [JOB_SUCCEEDED] = "succeeded", [JOB_FAILED] = "failed",   [JOB_CANCELLED] = "cancelled",
};

struct change {
    bool legal;
    enum job_state next; /* a deleted job has none, and keeps its own */
};

/* What is not here is not legal. */
static const struct change changes[JOB_STATE_COUNT][JOB_ACTION_COUNT] = {
    [JOB_QUEUED] = {[JOB_CANCEL] = {true, JOB_CANCELLED}, [JOB_PAUSE] = {true, JOB_PAUSED}},
    [JOB_RUNNING] = {[JOB_CANCEL] = {true, JOB_CANCELLED}, [JOB_PAUSE] = {true, JOB_PAUSED}},
    [JOB_PAUSED] = {[JOB_CANCEL] = {true, JOB_CANCELLED}, [JOB_RESUME] = {true, JOB_QUEUED}},
    [JOB_SUCCEEDED] = {[JOB_DELETE] = {true, JOB_SUCCEEDED}},
    [JOB_FAILED] = {[JOB_DELETE] = {true, JOB_FAILED}},
    [JOB_CANCELLED] = {[JOB_DELETE] = {true, JOB_CANCELLED}},
};

const char *job_state_name(enum job_state state)
{
    return names[state];
}

bool job_state_find(const char *name, enum job_state *ret)
{
    for (int state = 0; state < JOB_STATE_COUNT; state++) {
        if (strcmp(names[state], name) == 0) {
            *ret = (enum job_state)state;
            return true;
        }
    }
    return false;
}

bool job_state_finished(enum job_state state)
{
    return changes[state][JOB_DELETE].legal;
}

bool job_action_legal(enum job_state state, enum job_action action, enum job_state *ret_next)
{
    const struct change *change = &changes[state][action];
    if (change->legal)
        *ret_next = change->next;
    return change->legal;
}
