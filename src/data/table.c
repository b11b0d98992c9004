#include "data/table.h"
#include "base/names.h"
#include "base/size.h"
#include <stdlib.h>
#include <string.h>

void table_info_clear(struct table_info *info)
{
    if (!info)
        return;
    for (size_t i = 0; i < info->column_count; i++) {
        struct column *c = &info->columns[i];
        for (size_t k = 0; k < c->category_count; k++)
            free(c->labels[k]);
        free(c->labels);
        free(c->order);
        free(c->name);
    }
    free(info->columns);
    *info = (struct table_info){0};
}

bool table_find_column(const struct table_info *info, const char *name, size_t *ret)
{
    for (size_t i = 0; i < info->column_count; i++) {
        if (strcmp(info->columns[i].name, name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

uint32_t column_rank(const struct column *c, uint32_t code)
{
    const char *label = c->labels[code];
    size_t low = 0;
    size_t high = c->category_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(c->labels[c->order[middle]], label) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low;
}

void column_ranks(const struct column *c, uint32_t *ret)
{
    for (size_t rank = 0; rank < c->category_count; rank++)
        ret[c->order[rank]] = (uint32_t)rank;
}

const char *table_guess_column(const struct table_info *info, const char *name)
{
    struct guess guess = {.name = name};
    if (info->column_count <= COLUMN_GUESSES_MAX) {
        for (size_t i = 0; i < info->column_count; i++)
            guess_offer(&guess, info->columns[i].name);
    }
    return guess.best;
}

err_code table_new(struct table_info *info, double *values, struct table **ret, struct error *err)
{
    struct table *t = malloc(sizeof *t);
    if (!t)
        return error_set(err, ERR_out_of_memory, "no memory for a table");
    t->info = *info;
    t->values = values;
    *info = (struct table_info){0};
    *ret = t;
    return ERR_ok;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    table_info_clear(&t->info);
    free(t->values);
    free(t);
}

err_code table_memory_sink(void *context, const double *values, size_t count, struct error *err)
{
    struct table_memory *m = context;
    size_t needed = 0;
    if (!size_add(m->count, count, &needed))
        return error_set(err, ERR_out_of_memory, "a table is too large for memory");
    if (needed > m->capacity) {
        size_t capacity = m->capacity <= SIZE_MAX / 2 && 2 * m->capacity > needed ? 2 * m->capacity : needed;
        size_t size = 0;
        double *grown = size_mul(capacity, sizeof *grown, &size) ? realloc(m->values, size) : NULL;
        if (!grown)
            return error_set(err, ERR_out_of_memory, "no memory for a table of %zu values", needed);
        m->values = grown;
        m->capacity = capacity;
    }
    memcpy(m->values + m->count, values, count * sizeof *values);
    m->count = needed;
    return ERR_ok;
}

void table_digest(const struct table_info *info, const char *values_digest, char ret[DIGEST_TEXT_MAX])
{
    struct digest d;
    digest_start(&d);
    digest_text(&d, "gradd table 1");
    digest_number(&d, info->column_count);
    for (size_t i = 0; i < info->column_count; i++) {
        const struct column *c = &info->columns[i];
        digest_text(&d, c->name);
        digest_number(&d, (uint64_t)c->type);
        digest_number(&d, (uint64_t)c->shape.rank);
        for (int k = 0; k < c->shape.rank; k++)
            digest_number(&d, (uint64_t)c->shape.dim[k]);
        digest_number(&d, c->category_count);
        for (size_t k = 0; k < c->category_count; k++)
            digest_text(&d, c->labels[k]);
    }
    digest_number(&d, (uint64_t)info->rows);
    digest_text(&d, values_digest);
    digest_end(&d, ret);
}
