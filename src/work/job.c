#include "work/job.h"
#include <stdlib.h>

void job_spec_clear(struct job_spec *spec)
{
    free(spec->model);
    free(spec->dataset);
    for (size_t i = 0; i < spec->bind_count; i++) {
        free(spec->binds[i].input);
        for (size_t k = 0; k < spec->binds[i].column_count; k++) {
            free(spec->binds[i].columns[k]);
        }
        free(spec->binds[i].columns);
    }
    free(spec->binds);
    for (size_t i = 0; i < spec->label_count; i++) {
        free(spec->labels[i].key);
        free(spec->labels[i].value);
    }
    for (size_t i = 0; i < spec->freeze_count; i++)
        free(spec->freeze[i]);
    free(spec->freeze);
    free(spec->labels);
    free(spec->weight);
    free(spec->validation.dataset);
    free(spec->validation.column);
    free(spec->validation.label);
    *spec = (struct job_spec){0};
}
