#include "store/inside.h"
#include <string.h>

bool chunks_copy(struct query *q, int64_t offset, void *ret, size_t size)
{
    unsigned char *to = ret;
    int64_t part = offset / CHUNK_BYTES;
    size_t skip = (size_t)(offset % CHUNK_BYTES);
    while (size > 0 && query_row(q)) {
        bool next = column_integer(q, -1) == part++;
        size_t there;
        const unsigned char *bytes = column_bytes(q, &there);
        if (!next || !bytes || there <= skip)
            return false;
        size_t taken = there - skip < size ? there - skip : size;
        memcpy(to, bytes + skip, taken);
        to += taken;
        size -= taken;
        skip = 0;
    }
    return size == 0;
}
