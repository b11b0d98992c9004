#include "api/door.h"

#include "api/name.h"
#include "api/negotiate.h"
#include "base/names.h"
#include "base/number.h"
#include <string.h>
#include <strings.h>

err_code door_framing(struct exchange *x, const char *version, struct error *err)
{
    const struct request *r = &x->request;
    const char *length = request_header(r, "Content-Length"), *coding = request_header(r, "Transfer-Encoding");
    const char *expect = request_header(r, "Expect");
    uint64_t bytes;
    x->framing = (struct framing){.length = -1};
    size_t hosts = request_header_count(r, "Host");
    if (hosts > 1 || (hosts == 0 && strcmp(version, "HTTP/1.0") != 0))
        return error_set(err, ERR_bad_request, "the request needs one Host header, and has %zu", hosts);
    if (request_header_count(r, "Content-Length") > 1 || request_header_count(r, "Transfer-Encoding") > 1)
        return error_set(err, ERR_bad_request, "Content-Length or Transfer-Encoding is given twice");
    if (coding != NULL && length != NULL)
        return error_set(err, ERR_bad_request, "Content-Length and Transfer-Encoding exclude each other");
    if (coding != NULL && strcasecmp(coding, "chunked") != 0)
        return error_set(err, ERR_bad_request, "the only Transfer-Encoding that the server knows is chunked");
    if (length != NULL && !number_whole(length, INT64_MAX, &bytes))
        return error_set(err, ERR_bad_request, "Content-Length is not a whole number");
    x->framing.chunked = coding != NULL;
    x->framing.length = length != NULL ? (int64_t)bytes : -1;
    x->framing.expects = expect != NULL;
    if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
        return error_set(err, ERR_expectation_failed, "the server does not know the expectation '%.100s'", expect);
    return ERR_ok;
}

int64_t door_body_limit(const struct exchange *x)
{
    const struct limits *limits = &x->request.app->config->limits;
    const struct route *route = x->request.route;
    if (route == NULL || route->body_limit == NO_BODY)
        return limits->body_bytes;
    return *(const int64_t *)((const char *)limits + route->body_limit);
}

/* The {words} of the path: {m} and {d} are names, {id} is a job's. */
static err_code check_arguments(const struct request *r, struct error *err)
{
    const char *word = r->route->path;
    for (size_t i = 0; i < PATH_ARGUMENTS_MAX && r->arguments[i] != NULL; i++) {
        word = strchr(word, '{') + 1;
        bool is_id = strncmp(word, "id}", 3) == 0, is_name = strncmp(word, "m}", 2) == 0 || strncmp(word, "d}", 2) == 0;
        if (is_id && !uuid_valid(r->arguments[i]))
            return error_set(err, ERR_not_found, "there is no job '%.100s'", r->arguments[i]);
        if (!is_name || name_valid(r->arguments[i]))
            continue;
        bool reads = strcmp(r->method, "GET") == 0 || strcmp(r->method, "DELETE") == 0;
        if (reads)
            return error_set(err, ERR_not_found, "there is no %s '%.100s'", *word == 'm' ? "model" : "data set",
                             r->arguments[i]);
        return error_add(err, ERR_invalid_name, (struct place){0},
                         "'%.100s' is not a name: 1 to 64 letters, digits, dots, underscores and hyphens, the first of "
                         "them a letter or a digit",
                         r->arguments[i]);
    }
    return ERR_ok;
}

static bool parameter_known(const struct route *route, const char *name)
{
    for (size_t i = 0; route->parameters != NULL && route->parameters[i] != NULL; i++)
        if (strcmp(route->parameters[i], name) == 0)
            return true;
    return false;
}

static void add_unknown_parameter(const struct route *route, const char *name, struct error *err)
{
    struct guess guess = {.name = name};
    for (size_t i = 0; route->parameters != NULL && route->parameters[i] != NULL; i++)
        guess_offer(&guess, route->parameters[i]);
    if (guess.best != NULL)
        error_add(err, ERR_unknown_parameter, (struct place){0}, "no query parameter '%.100s'; did you mean '%s'?",
                  name, guess.best);
    else
        error_add(err, ERR_unknown_parameter, (struct place){0}, "no query parameter '%.100s'", name);
}

static void check_parameters(const struct exchange *x, struct error *err)
{
    const struct uri *u = &x->uri;
    const struct route *route = x->request.route;
    if (u->parameter_count > URI_PARAMETERS_MAX) {
        error_add(err, ERR_limit_exceeded, (struct place){0}, "there are more than %d query parameters",
                  URI_PARAMETERS_MAX);
        return;
    }
    for (size_t i = 0; i < u->parameter_count; i++) {
        const struct uri_parameter *p = &u->parameters[i];
        bool repeated = false;
        for (size_t k = 0; k < i; k++)
            repeated = repeated || strcmp(u->parameters[k].name, p->name) == 0;
        if (!p->valid)
            error_add(err, ERR_invalid_utf8, (struct place){0},
                      "the query parameter '%.100s' is not UTF-8, or holds a NUL character", p->name);
        else if (!parameter_known(route, p->name))
            add_unknown_parameter(route, p->name, err);
        else if (repeated)
            error_add(err, ERR_repeated_parameter, (struct place){0}, "the query parameter '%s' is given twice",
                      p->name);
        else if (strcmp(p->name, "tensors") == 0 && strcmp(p->value, "flat") != 0 && strcmp(p->value, "nested") != 0)
            error_add(err, ERR_invalid_value, (struct place){0}, "the query parameter tensors must be flat or nested");
    }
}

static void list_types(const char *const *types, struct text *out)
{
    for (size_t i = 0; types[i] != NULL; i++) {
        if (i > 0)
            text_puts(out, types[i + 1] == NULL ? " or " : ", ");
        text_puts(out, types[i]);
    }
}

static err_code check_accept(const struct request *r, struct error *err)
{
    const char *const *types = r->route->answers != NULL ? r->route->answers : json_alone;
    if (request_accepts(r, types) != NULL)
        return ERR_ok;
    struct text list = {0};
    list_types(types, &list);
    error_set(err, ERR_not_acceptable, "this resource can be had as %s", list.data != NULL ? list.data : "");
    text_clear(&list);
    return ERR_not_acceptable;
}

static err_code check_media_type(const struct exchange *x, struct error *err)
{
    const char *const *types = x->request.route->media_types;
    for (size_t i = 0; types[i] != NULL; i++)
        if (strcmp(types[i], x->media_type) == 0)
            return ERR_ok;
    struct text list = {0};
    list_types(types, &list);
    const char *names = list.data != NULL ? list.data : "";
    const char *given = request_header(&x->request, "Content-Type");
    bool json_only = types == json_alone;
    const char *hint = json_only ? "with curl: --json @file, or -H 'Content-Type: application/json' --data-binary @file"
                                 : "with curl: -H 'Content-Type: text/csv' -T file, or one of the other types";
    if (given == NULL)
        error_set(err, ERR_unsupported_media_type, "the request has no Content-Type; send %s (%s)", names, hint);
    else
        error_set(err, ERR_unsupported_media_type, "the Content-Type is '%.100s'; send %s (%s)", given, names, hint);
    text_clear(&list);
    return ERR_unsupported_media_type;
}

/* Bodies are read as they come, as UTF-8. */
static err_code check_coding(const struct exchange *x, struct error *err)
{
    const char *coding = request_header(&x->request, "Content-Encoding");
    const char *type = request_header(&x->request, "Content-Type");
    const char *charset = type != NULL ? strcasestr(type, "charset=") : NULL;
    if (coding != NULL && strcasecmp(coding, "identity") != 0)
        return error_set(err, ERR_unsupported_media_type, "the Content-Encoding is '%.100s'; send the body as it is",
                         coding);
    if (charset == NULL)
        return ERR_ok;
    charset += strlen("charset=");
    charset += *charset == '"';
    if (strncasecmp(charset, "utf-8", 5) == 0 || strncasecmp(charset, "us-ascii", 8) == 0)
        return ERR_ok;
    return error_set(err, ERR_unsupported_media_type, "the charset is '%.100s'; send UTF-8", charset);
}

static err_code check_body(struct exchange *x, struct error *err)
{
    int64_t limit = door_body_limit(x);
    if (x->framing.length > limit)
        return error_set(err, ERR_body_too_large, "the body has %lld bytes; the limit here is %lld",
                         (long long)x->framing.length, (long long)limit);
    if (x->request.route->media_types == NULL)
        return ERR_ok;
    if (x->framing.length < 0 && !x->framing.chunked)
        return error_set(
            err, ERR_length_required,
            "the request has neither Content-Length nor Transfer-Encoding: chunked; with curl: --json @file");
    negotiate_media_type(request_header(&x->request, "Content-Type"), x->media_type, sizeof x->media_type);
    if (x->framing.length == 0 && x->media_type[0] == '\0')
        return error_set(err, ERR_missing_body, "the request has no body; with curl: --json @file");
    err_code code = check_coding(x, err);
    return code == ERR_ok ? check_media_type(x, err) : code;
}

static void add_cross_origin(struct exchange *x, const char *allow)
{
    const char *methods = request_header(&x->request, "Access-Control-Request-Method");
    if (x->request.app->config->cors_origin == NULL || methods == NULL)
        return;
    reply_header(&x->reply, "Access-Control-Allow-Methods", "%s", allow);
    reply_header(&x->reply, "Access-Control-Allow-Headers", "%s",
                 "Content-Type, Accept, If-None-Match, Idempotency-Key, Last-Event-ID, X-Request-Id");
    reply_header(&x->reply, "Access-Control-Max-Age", "%d", 600);
}

static void answer_options(struct exchange *x, const char *allow)
{
    x->reply.status = 204;
    reply_header(&x->reply, "Allow", "%s", allow);
    add_cross_origin(x, allow);
}

static err_code no_such_path(const struct request *r, struct error *err)
{
    const char *guess = route_guess(r->path);
    if (guess != NULL && strcmp(guess, r->path) != 0)
        return error_set(err, ERR_not_found, "there is nothing at '%.200s'; did you mean '%s'?", r->path, guess);
    return error_set(err, ERR_not_found, "there is nothing at '%.200s'; GET / lists what there is", r->path);
}

/* Finds the route. *ret_done: the request was OPTIONS, and is answered. */
static err_code find_route(struct exchange *x, bool *ret_done, struct error *err)
{
    struct request *r = &x->request;
    bool options = strcmp(r->method, "OPTIONS") == 0;
    if (options && strcmp(x->uri.path, "*") == 0) {
        answer_options(x, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        *ret_done = true;
        return ERR_ok;
    }
    if (!route_find(&x->uri, r->method, &r->route, r->arguments, NULL))
        return no_such_path(r, err);
    if (r->route != NULL)
        return ERR_ok;
    struct text allow = {0};
    err_code code = ERR_ok;
    (void)route_find(&x->uri, r->method, &r->route, r->arguments, &allow);
    if (allow.failed) {
        code = error_set(err, ERR_out_of_memory, "there is no memory for the answer");
    } else if (options) {
        answer_options(x, allow.data);
        *ret_done = true;
    } else {
        reply_header(&x->reply, "Allow", "%s", allow.data);
        code = error_set(err, ERR_method_not_allowed, "%.40s is not allowed here; the path knows %s", r->method,
                         allow.data);
    }
    text_clear(&allow);
    return code;
}

err_code door_check(struct exchange *x, struct error *err)
{
    bool done = false;
    err_code code = find_route(x, &done, err);
    if (code != ERR_ok || done)
        return code;
    code = check_arguments(&x->request, err);
    if (code == ERR_not_found)
        return code;
    check_parameters(x, err);
    if (err->total == 1 && err->item_count == 1)
        return error_set(err, err->items[0].code, "%s", err->items[0].detail);
    code = error_close(err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = check_accept(&x->request, err);
    if (code == ERR_ok)
        code = check_body(x, err);
    return code;
}
