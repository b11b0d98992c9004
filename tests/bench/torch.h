/* PyTorch as a contestant: tests/bench/in_torch.py in a child process. */
#ifndef GRADD_BENCH_TORCH_H
#define GRADD_BENCH_TORCH_H

#include "child.h"
#include "measure.h"

/* Where it is not installed there is no child, and it gives no times. child_end() ends it. */
void torch_start(struct child *ret);

struct torch_work {
    struct child *torch;
    const char *name; /* in in_torch.py */
};
struct contestant torch_contestant(struct torch_work *work); /* borrows it */

#endif
