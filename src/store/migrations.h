/* The migrations, embedded in the binary from migrations/NNNN_WORDS.sql by the build, and what applies them. */
#ifndef GRADD_STORE_MIGRATIONS_H
#define GRADD_STORE_MIGRATIONS_H

#include <stddef.h>

struct migration {
    int number; /* 1, 2, 3, ...: the database's user_version once it is applied */
    const char *name;
    const char *sql;
};

extern const struct migration migrations[];
extern const size_t migration_count;

#endif
