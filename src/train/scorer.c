#include "train/scorer.h"

#include "base/size.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[SCORE_COUNT] = {"accuracy", "mae", "r2"};

const char *score_name(enum score score)
{
    return names[score];
}

bool score_find(const char *name, enum score *ret)
{
    for (int i = 0; i < SCORE_COUNT; i++)
        if (strcmp(names[i], name) == 0) {
            *ret = (enum score)i;
            return true;
        }
    return false;
}

/* ---- what is held against what ---- */

err_code score_target(const struct model *m, size_t *ret_input, bool *ret_found, struct error *err)
{
    const size_t size = graph_size(m->graph);
    unsigned char *marks = calloc(2 * size + 1, 1);
    size_t found = 0, input = 0;
    if (marks == NULL)
        return error_set(err, ERR_out_of_memory, "no memory to look through a model");
    if (m->cost != NODE_NONE && m->output != NODE_NONE) {
        graph_mark_needed(m->graph, &m->cost, 1, marks);
        graph_mark_needed(m->graph, &m->output, 1, marks + size);
    }
    for (size_t i = 0; i < m->input_count; i++)
        if (marks[m->inputs[i]] && !marks[size + m->inputs[i]]) {
            input = i;
            found++;
        }
    free(marks);
    *ret_input = input;
    *ret_found = found == 1;
    return ERR_ok;
}

/* Elements of a row; 0 if the shape has no rows. */
static size_t row_width(struct shape shape)
{
    int64_t elements = 0;
    if (shape.rank < 1 || shape.dim[0] != DIM_BATCH || !shape_elements(shape_bind(shape, 1), &elements))
        return 0;
    return (size_t)elements;
}

/* By thresholds where the output is made for that; false: it is not. */
static bool find_thresholds(const struct model *m, struct judgement *ret)
{
    const struct judgement of_probabilities = {.above = 0.5, .truly_above = 0.5};
    for (size_t id = 0; id < graph_size(m->graph); id++) {
        const struct node *n = graph_node(m->graph, (node_id)id);
        const bool takes_output = n->input_count > 0 && n->inputs[0] == m->output;
        if (takes_output && (n->op == OP_BCEWithLogits || n->op == OP_Hinge)) {
            *ret = (struct judgement){.truly_above = n->op == OP_Hinge ? 0 : 0.5};
            return true;
        }
        if (takes_output && n->op == OP_BCE) {
            *ret = of_probabilities;
            return true;
        }
    }
    *ret = of_probabilities;
    return graph_node(m->graph, m->output)->op == OP_Sigmoid;
}

static err_code refuse(struct error *err, const char *why)
{
    return error_add(err, ERR_invalid_value, (struct place){.pointer = "/metrics"}, "%s", why);
}

static err_code find_judgement(const struct model *m, struct scorer *s, struct error *err)
{
    if (find_thresholds(m, &s->judgement) && s->width == s->target_width)
        return ERR_ok;
    s->judgement = (struct judgement){.by_highest = true};
    if (s->width >= 2 && (s->target_width == 1 || s->target_width == s->width))
        return ERR_ok;
    return refuse(err, "accuracy needs classes: an output of two or more elements a row, against a class number or as "
                       "many elements, or one that BCE, BCEWithLogits or Hinge takes");
}

static bool wants(const struct scorer *s, enum score score)
{
    return (s->wanted & 1U << score) != 0;
}

err_code scorer_make(const struct model *m, unsigned wanted, struct scorer *ret, struct error *err)
{
    struct scorer s = {.wanted = wanted};
    bool found = false;
    if (wanted == 0) {
        *ret = s;
        return ERR_ok;
    }
    err_code code = score_target(m, &s.target, &found, err);
    if (code != ERR_ok)
        return code;
    if (!found)
        return refuse(err, "metrics hold the output against the one input that only the cost needs, and there is no "
                           "such one");
    s.width = row_width(graph_node(m->graph, m->output)->shape);
    s.target_width = row_width(graph_node(m->graph, m->inputs[s.target])->shape);
    if (s.width == 0 || s.target_width == 0)
        return refuse(err, "metrics need an output and a target whose first axis is batch");
    if (wants(&s, SCORE_ACCURACY))
        code = find_judgement(m, &s, err);
    if ((wants(&s, SCORE_MAE) || wants(&s, SCORE_R2)) && s.width != s.target_width)
        code = refuse(err, "mae and r2 need an output with as many elements as the target");
    if (code == ERR_ok)
        *ret = s;
    return code;
}

/* ---- values ---- */

static double value_of(enum dtype dtype, const void *values, size_t i)
{
    return dtype == DTYPE_FLOAT32 ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

/* Element `k` of the target of a row. */
static double target_of(const struct scorer *s, enum dtype dtype, const struct train_data *data, uint32_t row, size_t k)
{
    return value_of(dtype, data->inputs[s->target], (size_t)row * s->target_width + k);
}

size_t scorer_bytes(const struct scorer *s)
{
    size_t bytes;
    if (!wants(s, SCORE_R2))
        return 0;
    return size_mul(s->width, 2 * sizeof(double), &bytes) ? bytes : SIZE_MAX;
}

/* The sum of squared deviations from the mean. */
static double deviation(const struct scorer *s, enum dtype dtype, const struct train_data *data, const uint32_t *rows,
                        size_t count, size_t k)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += target_of(s, dtype, data, rows[i], k);
    const double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        const double difference = target_of(s, dtype, data, rows[i], k) - mean;
        squares += difference * difference;
    }
    return squares;
}

err_code scorer_open(struct scorer *s, enum dtype dtype, const struct train_data *data, const uint32_t *rows,
                     size_t count, struct error *err)
{
    if (!wants(s, SCORE_R2))
        return ERR_ok;
    s->deviations = calloc(s->width, 2 * sizeof(double));
    if (s->deviations == NULL)
        return error_set(err, ERR_out_of_memory, "no memory for the metrics");
    s->left = s->deviations + s->width;
    for (size_t k = 0; k < s->width; k++)
        s->deviations[k] = deviation(s, dtype, data, rows, count, k);
    return ERR_ok;
}

void scorer_close(struct scorer *s)
{
    free(s->deviations);
}

/* ---- scoring ---- */

void scorer_begin(struct scorer *s)
{
    s->distance = 0;
    s->scored = s->judged = s->right = 0;
    for (size_t k = 0; s->left != NULL && k < s->width; k++)
        s->left[k] = 0;
}

/* The first of the highest of so many elements, from `at` on. */
static size_t highest(enum dtype dtype, const void *values, size_t at, size_t count)
{
    size_t best = 0;
    for (size_t k = 1; k < count; k++)
        if (value_of(dtype, values, at + k) > value_of(dtype, values, at + best))
            best = k;
    return best;
}

static void judge_row(struct scorer *s, enum dtype dtype, const void *output, size_t at, const struct train_data *data,
                      uint32_t row)
{
    const struct judgement *j = &s->judgement;
    const void *targets = data->inputs[s->target];
    if (j->by_highest) {
        const size_t told = highest(dtype, output, at, s->width);
        s->judged++;
        s->right += s->target_width == 1
                        ? (double)told == rint(target_of(s, dtype, data, row, 0))
                        : told == highest(dtype, targets, (size_t)row * s->target_width, s->target_width);
        return;
    }
    for (size_t k = 0; k < s->width; k++) {
        const bool told = value_of(dtype, output, at + k) > j->above;
        s->judged++;
        s->right += told == (target_of(s, dtype, data, row, k) > j->truly_above);
    }
}

static void measure_row(struct scorer *s, enum dtype dtype, const void *output, size_t at,
                        const struct train_data *data, uint32_t row)
{
    for (size_t k = 0; k < s->width; k++) {
        const double difference = value_of(dtype, output, at + k) - target_of(s, dtype, data, row, k);
        s->distance += fabs(difference) * (data->target_scale != NULL ? data->target_scale[k] : 1);
        if (s->left != NULL)
            s->left[k] += difference * difference;
    }
}

void scorer_add(struct scorer *s, enum dtype dtype, const void *output, const struct train_data *data,
                const uint32_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (wants(s, SCORE_ACCURACY))
            judge_row(s, dtype, output, i * s->width, data, rows[i]);
        if (wants(s, SCORE_MAE) || wants(s, SCORE_R2))
            measure_row(s, dtype, output, i * s->width, data, rows[i]);
    }
    s->scored += (int64_t)count;
}

/* The mean of the elements' whose target varies. */
static double r2(const struct scorer *s)
{
    double sum = 0;
    size_t varying = 0;
    for (size_t k = 0; k < s->width; k++)
        if (s->deviations[k] > 0) {
            sum += 1 - s->left[k] / s->deviations[k];
            varying++;
        }
    return varying > 0 ? sum / (double)varying : (double)NAN;
}

void scorer_end(const struct scorer *s, double ret[SCORE_COUNT])
{
    const double elements = (double)s->scored * (double)s->width;
    ret[SCORE_ACCURACY] = wants(s, SCORE_ACCURACY) ? (double)s->right / (double)s->judged : (double)NAN;
    ret[SCORE_MAE] = wants(s, SCORE_MAE) ? s->distance / elements : (double)NAN;
    ret[SCORE_R2] = wants(s, SCORE_R2) ? r2(s) : (double)NAN;
}
