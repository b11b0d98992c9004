#include "api/page.h"
#include "api/routes.h"
#include <string.h>

struct page page_and_one(struct page page)
{
    page.limit++;
    return page;
}

size_t page_count(struct page page, size_t found)
{
    return found < page.limit ? found : page.limit;
}

void put_page(struct json *j)
{
    put_object(j);
    put_key(j, "items");
    put_array(j);
}

/* As in a query (RFC 3986): all but unreserved characters are escaped. */
static void add_escaped(struct text *t, const char *value)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *c = value; *c; c++) {
        if (strchr(unreserved, *c))
            text_putc(t, *c);
        else
            text_printf(t, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

/* The same request with another `after`. */
static void add_link(const struct request *r, struct reply *ret, const char *next)
{
    struct text target = {0};
    text_printf(&target, "%s?after=", r->path);
    add_escaped(&target, next);
    for (const char *const *name = r->route->parameters; *name; name++) {
        const char *value = request_parameter(r, *name);
        if (!value || strcmp(*name, "after") == 0)
            continue;
        text_printf(&target, "&%s=", *name);
        add_escaped(&target, value);
    }
    if (target.failed)
        ret->headers.failed = true;
    else
        reply_header(ret, "Link", "<%s>; rel=\"next\"", target.data);
    text_clear(&target);
}

void put_page_end(struct json *j, const struct request *r, struct reply *ret, const char *next)
{
    put_array_end(j);
    put_key(j, "next");
    put_string(j, next);
    put_object_end(j);
    if (next)
        add_link(r, ret, next);
}
