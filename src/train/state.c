#include "train/state.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "what is kept is little-endian");

static const char magic[8] = "gradd\0\0\2"; /* the last byte is the version */

struct header {
    char magic[sizeof magic];
    uint64_t size; /* of everything */
    struct progress progress;
};

static size_t bytes_of(const struct tensor *t)
{
    return t == NULL ? 0 : tensor_bytes(t);
}

/* Parameter p or, from parameter_count on, a state; NULL where the cost does not depend on its parameter. */
static struct tensor *tensor_of(const struct trained *t, size_t i)
{
    return i < t->parameter_count ? t->parameters[i] : t->states[i - t->parameter_count];
}

static size_t tensor_count(const struct trained *t)
{
    return t->parameter_count * (1 + t->state_count);
}

static size_t trained_bytes(const struct trained *t)
{
    size_t sum = 0;
    for (size_t i = 0; i < tensor_count(t); i++)
        sum += bytes_of(tensor_of(t, i));
    return sum + t->memory_count * sizeof *t->memory;
}

static char *put_trained(const struct trained *t, char *to)
{
    for (size_t i = 0; i < tensor_count(t); i++) {
        const struct tensor *tensor = tensor_of(t, i);
        if (bytes_of(tensor) > 0)
            memcpy(to, tensor->data, bytes_of(tensor));
        to += bytes_of(tensor);
    }
    if (t->memory_count > 0)
        memcpy(to, t->memory, t->memory_count * sizeof *t->memory);
    return to + t->memory_count * sizeof *t->memory;
}

static const char *take_trained(struct trained *t, const char *from)
{
    for (size_t i = 0; i < tensor_count(t); i++) {
        struct tensor *tensor = tensor_of(t, i);
        if (bytes_of(tensor) > 0)
            memcpy(tensor->data, from, bytes_of(tensor));
        from += bytes_of(tensor);
    }
    if (t->memory_count > 0)
        memcpy(t->memory, from, t->memory_count * sizeof *t->memory);
    return from + t->memory_count * sizeof *t->memory;
}

static size_t best_bytes(const struct session *s)
{
    size_t sum = 0;
    for (size_t p = 0; s->best != NULL && p < s->now.parameter_count; p++)
        sum += tensor_bytes(s->best[p]);
    return sum;
}

static char *put_best(const struct session *s, char *to)
{
    for (size_t p = 0; s->best != NULL && p < s->now.parameter_count; p++) {
        memcpy(to, s->best[p]->data, tensor_bytes(s->best[p]));
        to += tensor_bytes(s->best[p]);
    }
    return to;
}

static const char *take_best(struct session *s, const char *from)
{
    for (size_t p = 0; s->best != NULL && p < s->now.parameter_count; p++) {
        memcpy(s->best[p]->data, from, tensor_bytes(s->best[p]));
        from += tensor_bytes(s->best[p]);
    }
    return from;
}

size_t state_size(const struct session *s)
{
    size_t copies = s->spec.stop_on_nonfinite ? 2 : 1;
    return sizeof(struct header) + copies * trained_bytes(&s->now) + best_bytes(s);
}

void state_save(const struct session *s, const struct progress *p, void *ret)
{
    struct header header = {.size = state_size(s), .progress = *p};
    memcpy(header.magic, magic, sizeof magic);
    header.progress.kept_step = s->kept_step;
    memcpy(ret, &header, sizeof header);
    char *to = put_best(s, put_trained(&s->now, (char *)ret + sizeof header));
    if (s->spec.stop_on_nonfinite)
        (void)put_trained(&s->kept, to);
}

const void *trainer_state_parameters(const struct model *m, const void *bytes, size_t size, size_t *ret_size)
{
    struct header header;
    const size_t parameters = (size_t)model_parameter_elements(m) * dtype_size(m->dtype);
    if (size < sizeof header || size - sizeof header < parameters)
        return NULL;
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, magic, sizeof magic) != 0 || header.size != size)
        return NULL;
    *ret_size = parameters;
    return (const char *)bytes + sizeof header;
}

err_code state_restore(struct session *s, struct progress *ret, const void *bytes, size_t size, struct error *err)
{
    struct header header;
    if (size != state_size(s))
        return error_set(err, ERR_internal, "a checkpoint has %zu bytes; the job's have %zu", size, state_size(s));
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, magic, sizeof magic) != 0 || header.size != size)
        return error_set(err, ERR_internal, "a checkpoint is not one that this version of gradd made");
    if (header.progress.stopped < STOP_NONE || header.progress.stopped > STOP_NONFINITE)
        return error_set(err, ERR_internal, "a checkpoint stopped for a reason that is not known");
    if (header.progress.step < 0 || header.progress.step > s->layout.steps)
        return error_set(err, ERR_internal, "a checkpoint is of step %lld; the job has %lld",
                         (long long)header.progress.step, (long long)s->layout.steps);
    const char *from = take_best(s, take_trained(&s->now, (const char *)bytes + sizeof header));
    session_keep(s, header.progress.step);
    if (s->spec.stop_on_nonfinite) {
        (void)take_trained(&s->kept, from);
        s->kept_step = header.progress.kept_step;
    }
    *ret = header.progress;
    return ERR_ok;
}
