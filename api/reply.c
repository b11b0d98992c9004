#include "api/reply.h"

#include "api/body.h"
#include "api/exchange.h"
#include "api/negotiate.h"
#include "base/digest.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_DIGITS = 32 };

void reply_header(struct reply *r, const char *name, const char *format, ...)
{
    char value[2048];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof value) {
        r->headers.failed = true;
        return;
    }
    /* What a client said may stand in a value, but never ends it. */
    for (char *c = value; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    text_printf(&r->headers, "%s: %s\n", name, value);
}

void reply_clear(struct reply *r)
{
    text_clear(&r->body);
    text_clear(&r->headers);
    if (r->source != NULL)
        r->source->free(r->source);
    *r = (struct reply){0};
}

void reply_json(struct reply *r, const struct request *request, err_code code, struct error *err)
{
    if (code != ERR_ok) {
        reply_problem(r, request, err);
        return;
    }
    r->status = 200;
    r->content_type = "application/json";
}

void reply_tagged(struct reply *r, const struct request *request, const char *revision)
{
    const struct exchange *x = request->connection;
    char digest[DIGEST_TEXT_MAX], tag[TAG_DIGITS + 3];
    struct digest d;
    digest_start(&d);
    digest_text(&d, revision);
    digest_text(&d, r->content_type != NULL ? r->content_type : "");
    for (size_t i = 0; i < x->uri.parameter_count; i++) {
        if (strcmp(x->uri.parameters[i].name, "wait") == 0)
            continue; /* says when to answer, not what */
        digest_text(&d, x->uri.parameters[i].name);
        digest_text(&d, x->uri.parameters[i].value);
    }
    digest_end(&d, digest);
    snprintf(tag, sizeof tag, "\"%.*s\"", (int)TAG_DIGITS, digest);
    reply_header(r, "ETag", "%s", tag);
    if (r->status == 0)
        r->status = 200;
    bool reads = strcmp(request->method, "GET") == 0;
    if (reads && r->status == 200 && negotiate_none_match(request_header(request, "If-None-Match"), tag)) {
        text_clear(&r->body);
        r->status = 304;
        r->content_type = NULL;
    }
}
