#include "work/split.h"
#include "base/number.h"
#include <stdlib.h>
#include <string.h>

static const struct place at_column = {.pointer = "/validation/column"}, at_value = {.pointer = "/validation/value"};

bool split_needs_table(const struct job_validation *v)
{
    return v->column != NULL;
}

void split_clear(struct row_split *s)
{
    free(s->marks);
    *s = (struct row_split){0};
}

/* What a row has in the column where it validates: the number, or the code of the label. False: not even the column
 * has it, which is told. */
static bool find_value(const struct job_validation *v, const struct column *c, double *ret, struct error *err)
{
    if (c->shape.rank > 0) {
        error_add(err, ERR_wrong_type, at_column, "a row has many numbers in '%s'", c->name);
        return false;
    }
    if ((c->type == COLUMN_CATEGORY) != (v->label != NULL)) {
        error_add(err, ERR_wrong_type, at_value, "'%s' is a %s", c->name, v->label ? "number" : "category");
        return false;
    }
    *ret = v->number;
    for (size_t code = 0; v->label && code < c->category_count; code++)
        if (strcmp(c->labels[code], v->label) == 0) {
            *ret = (double)code;
            return true;
        }
    if (v->label)
        error_add(err, ERR_invalid_value, at_value, "no row has '%s' in the column '%s'", v->label, c->name);
    return v->label == NULL;
}

static void mark_rows(const struct table *table, const struct column *c, double value, struct row_split *s)
{
    for (int64_t row = 0; row < table->info.rows; row++) {
        s->marks[row] = table->values[(size_t)row * table->info.width + c->offset] == value;
        s->validation += s->marks[row];
    }
}

static err_code mark_by_column(const struct job_validation *v, const struct table *table, struct row_split *s,
                               struct error *err)
{
    size_t column;
    double value;
    if (!table_find_column(&table->info, v->column, &column)) {
        const char *guess = table_guess_column(&table->info, v->column);
        return error_add(err, ERR_unknown_column, at_column, "the data set has no column '%s'%s%s%s", v->column,
                         guess ? "; did you mean '" : "", guess ? guess : "", guess ? "'?" : "");
    }
    const struct column *c = &table->info.columns[column];
    if (!find_value(v, c, &value, err))
        return ERR_invalid_job;
    s->marks = calloc((size_t)s->rows, 1);
    if (!s->marks)
        return error_set(err, ERR_out_of_memory, NULL);
    mark_rows(table, c, value, s);
    if (s->validation > 0)
        return ERR_ok;
    char number[NUMBER_TEXT_MAX];
    number_print(value, number);
    return error_add(err, ERR_invalid_value, at_value, "no row has %s in the column '%s'", number, c->name);
}

static err_code mark_second(const struct table *table, int64_t second_rows, struct row_split *s, struct error *err)
{
    s->rows += second_rows;
    s->validation = second_rows;
    if (s->rows > TABLE_ROWS_MAX)
        return error_add(err, ERR_limit_exceeded, (struct place){.pointer = "/validation/dataset"},
                         "the two data sets have %lld rows; the limit is %lld", (long long)s->rows,
                         (long long)TABLE_ROWS_MAX);
    if (!table)
        return ERR_ok;
    s->marks = calloc((size_t)s->rows, 1);
    if (!s->marks)
        return error_set(err, ERR_out_of_memory, NULL);
    memset(s->marks + s->rows - second_rows, 1, (size_t)second_rows);
    return ERR_ok;
}

err_code split_make(const struct job_validation *v, const struct table_info *info, const struct table *table,
                    int64_t second_rows, struct row_split *ret, struct error *err)
{
    struct row_split s = {.rows = info->rows};
    err_code code = ERR_ok;
    if (split_needs_table(v))
        code = mark_by_column(v, table, &s, err);
    else if (second_rows > 0)
        code = mark_second(table, second_rows, &s, err);
    if (code == ERR_ok)
        *ret = s;
    else
        split_clear(&s);
    return code;
}
