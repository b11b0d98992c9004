#include "engine/reference.h"
#include <stdlib.h>

/* A copy of a leaf in the plan's dtype. */
static void *in_dtype(const double *values, int64_t count, enum dtype dtype)
{
    void *data = malloc((size_t)count * dtype_size(dtype) + 1);
    assert_non_null(data);
    for (int64_t i = 0; i < count; i++)
        if (dtype == DTYPE_FLOAT32)
            ((float *)data)[i] = (float)values[i];
        else
            ((double *)data)[i] = values[i];
    return data;
}

static double *in_double(const void *data, int64_t count, enum dtype dtype)
{
    double *values = malloc(((size_t)count + 1) * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        values[i] = dtype == DTYPE_FLOAT32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
    return values;
}

double **run_graph(const struct graph *g, enum dtype dtype, const node_id *outputs, size_t count, double *const *leaves,
                   const struct kernels *kernels)
{
    struct plan_spec spec = {.graph = g, .dtype = dtype, .outputs = outputs, .output_count = count};
    struct plan *plan = NULL;
    struct run *run = NULL;
    struct error err = {0};
    if (plan_make_isa(&spec, kernels, &plan, &err) != ERR_ok || run_new(plan, &run, &err) != ERR_ok)
        fail_msg("no plan: %s", err.detail);
    const size_t inputs = plan_input_count(plan);
    void **data = calloc(inputs + 1, sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < inputs; i++) {
        const node_id leaf = graph_find(g, plan_input_name(plan, i));
        data[i] = in_dtype(leaves[leaf], elements_of(g, leaf), dtype);
        run_bind(run, i, data[i]);
    }
    /* Twice: a run leaves nothing behind that the next would see. */
    for (int again = 0; again < 2; again++)
        if (run_execute(run, NULL, &err) != ERR_ok)
            fail_msg("the run failed: %s", err.detail);
    double **values = calloc(count + 1, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        assert_true(shape_equal(plan_output_shape(plan, i), graph_node(g, outputs[i])->shape));
        values[i] = in_double(run_output(run, i), elements_of(g, outputs[i]), dtype);
    }
    for (size_t i = 0; i < inputs; i++)
        free(data[i]);
    free(data);
    run_free(run);
    plan_free(plan);
    return values;
}

bool select_isa_of_environment(void)
{
    const char *isa = getenv("GRADD_ISA");
    return isa == NULL || engine_select_isa(isa, NULL) == ERR_ok;
}
