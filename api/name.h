/* The rule of names that clients give to models and data sets, in paths and in bodies. */
#ifndef GRADD_API_NAME_H
#define GRADD_API_NAME_H

#include <stdbool.h>

/* [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
bool name_valid(const char *name);

#endif
