#include "api/request.h"

#include "api/exchange.h"
#include "api/negotiate.h"
#include "base/digest.h"
#include "base/number.h"
#include <microhttpd.h>
#include <string.h>
#include <strings.h>

enum { KEY_LENGTH_MAX = 255, PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

static const struct exchange *exchange_of(const struct request *r)
{
    return r->connection;
}

const char *request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(exchange_of(r)->connection, MHD_HEADER_KIND, name);
}

/* What the library's iterator counts. */
struct count {
    const char *name;
    size_t found;
};

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    (void)value;
    struct count *count = context;
    if (strcasecmp(name, count->name) == 0)
        count->found++;
    return MHD_YES;
}

size_t request_header_count(const struct request *r, const char *name)
{
    struct count count = {.name = name};
    MHD_get_connection_values(exchange_of(r)->connection, MHD_HEADER_KIND, count_header, &count);
    return count.found;
}

const char *request_parameter(const struct request *r, const char *name)
{
    return uri_parameter(&exchange_of(r)->uri, name);
}

int64_t request_whole(const struct request *r, const char *name, int64_t least, int64_t most, int64_t fallback,
                      struct error *err)
{
    const char *text = request_parameter(r, name);
    uint64_t value;
    if (text == NULL)
        return fallback;
    if (number_whole(text, (uint64_t)most, &value) && (int64_t)value >= least)
        return (int64_t)value;
    error_add(err, ERR_out_of_range, (struct place){0},
              "the query parameter %s must be a whole number from %lld to %lld", name, (long long)least,
              (long long)most);
    return fallback;
}

bool request_flag(const struct request *r, const char *name, struct error *err)
{
    const char *text = request_parameter(r, name);
    if (text == NULL || strcmp(text, "false") == 0)
        return false;
    if (strcmp(text, "true") != 0)
        error_add(err, ERR_invalid_value, (struct place){0}, "the query parameter %s must be true or false", name);
    return true;
}

bool request_flat(const struct request *r, struct error *err)
{
    const char *text = request_parameter(r, "tensors");
    if (text != NULL && strcmp(text, "flat") != 0 && strcmp(text, "nested") != 0)
        error_add(err, ERR_invalid_value, (struct place){0}, "the query parameter tensors must be flat or nested");
    return text != NULL && strcmp(text, "flat") == 0;
}

struct page request_page(const struct request *r, struct error *err)
{
    return (struct page){
        .limit = (size_t)request_whole(r, "limit", 1, PAGE_MAX, PAGE_DEFAULT, err),
        .after = request_parameter(r, "after"),
    };
}

bool request_key(const struct request *r, char digest[65], struct store_key *ret, struct error *err)
{
    const char *key = request_header(r, "Idempotency-Key");
    if (key == NULL)
        return false;
    size_t length = strlen(key), visible = 0;
    while (key[visible] > ' ' && key[visible] < 0x7f)
        visible++;
    if (length == 0 || length > KEY_LENGTH_MAX || visible != length) {
        error_add(err, ERR_invalid_value, (struct place){0}, "Idempotency-Key must be 1 to %d visible ASCII characters",
                  KEY_LENGTH_MAX);
        return false;
    }
    struct digest d;
    digest_start(&d);
    digest_text(&d, r->method);
    digest_text(&d, r->path);
    digest_text(&d, exchange_of(r)->uri.query);
    digest_number(&d, r->body_size);
    digest_bytes(&d, r->body, r->body_size);
    digest_end(&d, digest);
    *ret = (struct store_key){.key = key, .request_digest = digest};
    return true;
}

const char *request_accepts(const struct request *r, const char *const *types)
{
    return negotiate_accept(request_header(r, "Accept"), types);
}

const char *request_content_type(const struct request *r)
{
    return exchange_of(r)->media_type;
}
