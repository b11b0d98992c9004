#include "data/record.h"
#include "base/digest.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

enum { KIND_SIZE = 4, U32_SIZE = 4, U64_SIZE = 8 };

static void put_bytes(struct text *t, uint64_t value, size_t size)
{
    char bytes[U64_SIZE];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(unsigned char)(value >> (8 * i) & 0xFF);
    text_add(t, bytes, size);
}

void record_put_u32(struct text *t, uint32_t value)
{
    put_bytes(t, value, U32_SIZE);
}

void record_put_u64(struct text *t, uint64_t value)
{
    put_bytes(t, value, U64_SIZE);
}

void record_put_double(struct text *t, double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    put_bytes(t, bits, U64_SIZE);
}

void record_put_string(struct text *t, const char *string)
{
    size_t length = strlen(string);
    record_put_u32(t, (uint32_t)length);
    text_add(t, string, length);
}

void record_put_shape(struct text *t, struct shape shape)
{
    record_put_u32(t, (uint32_t)shape.rank);
    for (int i = 0; i < shape.rank; i++)
        record_put_u64(t, (uint64_t)shape.dim[i]);
}

void record_start(struct text *t, const char kind[4], uint32_t version)
{
    text_add(t, kind, KIND_SIZE);
    record_put_u32(t, version);
}

static void take_check(const void *bytes, size_t size, char ret[DIGEST_TEXT_MAX])
{
    struct digest d;
    digest_start(&d);
    digest_bytes(&d, bytes, size);
    digest_end(&d, ret);
}

void record_seal(struct text *t)
{
    char check[DIGEST_TEXT_MAX];
    if (t->failed)
        return;
    take_check(t->data, t->length, check);
    text_add(t, check, RECORD_CHECK_SIZE);
}

static err_code damaged(const char *what, struct error *err)
{
    return error_set(err, ERR_database_failed, "the stored record of %s is damaged", what);
}

err_code record_open(struct record_reader *r, const void *bytes, size_t size, const char kind[4], uint32_t version,
                     struct error *err)
{
    char check[DIGEST_TEXT_MAX];
    if (size < RECORD_HEAD_SIZE + RECORD_CHECK_SIZE || memcmp(bytes, kind, KIND_SIZE) != 0)
        return error_set(err, ERR_database_failed, "a stored record is not of the kind %.4s", kind);
    const unsigned char *start = bytes;
    size_t length = size - RECORD_CHECK_SIZE;
    take_check(bytes, length, check);
    if (memcmp(start + length, check, RECORD_CHECK_SIZE) != 0)
        return error_set(err, ERR_database_failed, "a stored record of the kind %.4s is damaged", kind);
    *r = (struct record_reader){.at = start + KIND_SIZE, .end = start + length};
    uint32_t found = record_get_u32(r);
    if (found != version)
        return error_set(err, ERR_database_failed, "a stored record of the kind %.4s has version %u, not %u", kind,
                         found, version);
    return ERR_ok;
}

void record_expect(struct record_reader *r, bool right)
{
    r->damaged |= !right;
}

static uint64_t get_bytes(struct record_reader *r, size_t size)
{
    uint64_t value = 0;
    if (r->damaged || (size_t)(r->end - r->at) < size) {
        r->damaged = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)r->at[i] << (8 * i);
    r->at += size;
    return value;
}

uint32_t record_get_u32(struct record_reader *r)
{
    return (uint32_t)get_bytes(r, U32_SIZE);
}

uint64_t record_get_u64(struct record_reader *r)
{
    return get_bytes(r, U64_SIZE);
}

double record_get_double(struct record_reader *r)
{
    double value = 0;
    uint64_t bits = get_bytes(r, U64_SIZE);
    memcpy(&value, &bits, sizeof value);
    return value;
}

char *record_get_string(struct record_reader *r)
{
    size_t length = record_get_u32(r);
    const char *text = (const char *)r->at;
    if (r->damaged || (size_t)(r->end - r->at) < length || memchr(text, 0, length) || !utf8_valid(text, length, NULL)) {
        r->damaged = true;
        return NULL;
    }
    r->at += length;
    char *copy = strndup(text, length);
    r->no_memory |= !copy;
    r->damaged |= !copy;
    return copy;
}

struct shape record_get_shape(struct record_reader *r)
{
    struct shape shape = {0};
    int64_t elements = 0;
    uint32_t rank = record_get_u32(r);
    record_expect(r, rank <= RANK_MAX);
    for (uint32_t i = 0; i < rank && !r->damaged; i++) {
        uint64_t dim = record_get_u64(r);
        record_expect(r, dim <= (uint64_t)ELEMENTS_MAX);
        shape.dim[i] = (int64_t)dim;
        shape.rank = (int)i + 1;
    }
    record_expect(r, shape_elements(shape, &elements) && elements > 0);
    if (r->damaged)
        shape.rank = 0;
    return shape;
}

size_t record_get_count(struct record_reader *r, size_t least, size_t most)
{
    uint64_t count = record_get_u64(r);
    record_expect(r, count <= most && count <= (size_t)(r->end - r->at) / least);
    return r->damaged ? 0 : (size_t)count;
}

err_code record_close(struct record_reader *r, const char *what, struct error *err)
{
    if (r->no_memory)
        return error_set(err, ERR_out_of_memory, "no memory to read the record of %s", what);
    if (r->damaged || r->at != r->end)
        return damaged(what, err);
    return ERR_ok;
}
