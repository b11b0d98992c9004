#include "torch.h"

void torch_start(struct child *ret)
{
    static const char *const argv[] = {"/usr/bin/python3", "tests/bench/in_torch.py", NULL};
    double ready;
    if (child_start(ret, argv) && !child_ask(ret, "ready", &ready))
        child_end(ret);
}

static double turn(void *context, int64_t count)
{
    const struct torch_work *work = context;
    char line[64];
    double us;
    (void)snprintf(line, sizeof line, "%s %lld", work->name, (long long)count);
    return child_ask(work->torch, line, &us) ? us : -1;
}

struct contestant torch_contestant(struct torch_work *work)
{
    return (struct contestant){.turn = turn, .context = work};
}
