/* Which rows of a job validate, where its spec names them: those of a second data set, which stand behind the first
 * one's, or those that have a value in a column. */
#ifndef GRADD_WORK_SPLIT_H
#define GRADD_WORK_SPLIT_H

#include "data/table.h"
#include "work/job.h"

struct row_split {
    int64_t rows;         /* of the data set, with those of the second */
    int64_t validation;   /* rows that the spec names; 0: none, or a fraction says how many */
    unsigned char *marks; /* owned; 1 a row that validates; NULL where validation is 0 */
};

/* Whether the rows can only be counted by looking at the table. */
bool split_needs_table(const struct job_validation *v);
/* `table`: of the data set; NULL where only the numbers are wanted and it need not be looked at: then there are no
 * marks. second_rows: of the second data set, 0 without. Mistakes are items: unknown_column, wrong_type, invalid_value
 * (no row has the value), limit_exceeded. */
err_code split_make(const struct job_validation *v, const struct table_info *info, const struct table *table,
                    int64_t second_rows, struct row_split *ret, struct error *err);
void split_clear(struct row_split *s);

#endif
