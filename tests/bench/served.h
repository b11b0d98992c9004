/* gradd as a child process that serves: the binary that the environment's GRADD names. */
#ifndef GRADD_BENCH_SERVED_H
#define GRADD_BENCH_SERVED_H

#include "base/text.h"
#include "child.h"
#include "workloads.h"
#include <stdint.h>

struct served {
    struct child child;
    uint16_t port;
    char folder[32]; /* of the database; removed at the end */
};

/* False: GRADD is not set. Anything else that goes wrong ends the process. */
bool served_start(struct served *s, int io_threads);
void served_end(struct served *s);

/* Makes a workload's model, float32, named as it. */
void served_model(const struct served *s, const struct workload *w);
/* As many jobs as there are workers, that train the workload on made-up rows until the server ends. */
void served_train(const struct served *s, const struct workload *w, int jobs);

/* {"X": [[...]], "y": [[...]]}: made-up numbers, float32, for each input. */
void write_values(struct text *to, const struct workload *w, int64_t batch);

#endif
