#include "api/name.h"

#include <string.h>

enum { NAME_LENGTH_MAX = 64 };

bool name_valid(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return length > 0 && length <= NAME_LENGTH_MAX && name[length] == '\0' && strchr("._-", name[0]) == NULL;
}
