#include "api/problem.h"

#include "base/log.h"
#include <string.h>

/* THE table: what each class of errors is in HTTP. */
static const struct {
    int status;
    int retry_after; /* seconds; 0: no such header */
    const char *advice;
} classes[] = {
    [ERR_CLASS_NONE] = {500, 0, ""},
    [ERR_CLASS_MALFORMED] = {400, 0, "The request could not be read. Correct it as the detail says and send it again."},
    [ERR_CLASS_MISSING] = {404, 0, "Check the path. GET / lists what the server offers."},
    [ERR_CLASS_METHOD] = {405, 0, "Use one of the methods that the Allow header lists."},
    [ERR_CLASS_ACCEPT] = {406, 0, "Ask for one of the media types that the detail lists, or leave out Accept."},
    [ERR_CLASS_LENGTH] = {411, 0, "Send the body with Content-Length or with Transfer-Encoding: chunked."},
    [ERR_CLASS_LARGE] = {413, 0, "Send less. GET / lists the limits; most of them can be configured."},
    [ERR_CLASS_MEDIA] =
        {415, 0, "Send Content-Type: application/json (curl --json @file), or another type that the detail lists."},
    [ERR_CLASS_EXPECT] = {417, 0, "The only expectation that the server meets is 100-continue."},
    [ERR_CLASS_INVALID] =
        {422, 0, "The request was understood and is wrong. Each item of errors says where, and what would be right."},
    [ERR_CLASS_CONFLICT] = {409, 0, "The state of the resource forbids it now. Look at the resource, then decide."},
    [ERR_CLASS_GONE] = {410, 0,
                        "What this request made was deleted since. Use a new idempotency key to make it again."},
    [ERR_CLASS_BUSY] = {503, 5, "Try again after the seconds that the Retry-After header tells."},
    [ERR_CLASS_FULL] = {507, 0, "Make room on the server's disk, or delete what is no longer needed."},
    [ERR_CLASS_BUG] = {500, 0, "The server failed. Its log tells more under the request's X-Request-Id."},
};

int problem_status(err_code code)
{
    return code == ERR_queue_full ? 429 : classes[err_class_of(code)].status;
}

const char *problem_advice(err_code code)
{
    return classes[err_class_of(code)].advice;
}

static void write_item(struct json *j, const struct error_item *item)
{
    put_object(j);
    put_key(j, "code");
    put_string(j, err_name(item->code));
    if (item->pointer != NULL) {
        put_key(j, "pointer");
        put_string(j, item->pointer);
    }
    if (item->line > 0) {
        put_key(j, "line");
        put_whole(j, item->line);
    }
    if (item->column > 0) {
        put_key(j, "column");
        put_whole(j, item->column);
    }
    if (item->row > 0) {
        put_key(j, "row");
        put_whole(j, item->row);
    }
    if (item->field != NULL) {
        put_key(j, "field");
        put_string(j, item->field);
    }
    put_key(j, "detail");
    put_string(j, item->detail != NULL ? item->detail : err_title(item->code));
    if (item->has_shapes) {
        put_key(j, "expected");
        put_shape(j, item->expected);
        put_key(j, "actual");
        put_shape(j, item->actual);
    }
    put_object_end(j);
}

void problem_write(struct json *j, const struct error *err, const char *instance)
{
    struct text type = {0};
    text_printf(&type, "/problems/%s", err_name(err->code));
    put_object(j);
    put_key(j, "type");
    put_string(j, type.data);
    put_key(j, "title");
    put_string(j, err_title(err->code));
    put_key(j, "status");
    put_whole(j, problem_status(err->code));
    if (err->detail != NULL || err->total > 0) {
        put_key(j, "detail");
        put_string(j, err->detail != NULL ? err->detail : err->items[0].detail);
    }
    if (instance != NULL) {
        put_key(j, "instance");
        put_string(j, instance);
    }
    if (err->total > 0) {
        put_key(j, "errors");
        put_array(j);
        for (size_t i = 0; i < err->item_count; i++)
            write_item(j, &err->items[i]);
        put_array_end(j);
        put_key(j, "error_count");
        put_whole(j, (int64_t)err->total);
    }
    put_object_end(j);
    text_clear(&type);
}

/* A bug's detail is for the log: it may name files. */
static void hide_bug(const struct request *request, struct error *err)
{
    log_write(LOG_ERROR, "request %s %s %s: %s: %s", request->id, request->method, request->path, err_name(err->code),
              err->detail != NULL ? err->detail : err_title(err->code));
    err_code code = err->code;
    error_clear(err);
    error_set(err, code, "the server failed; its log tells more under request %s", request->id);
}

void reply_problem(struct reply *r, const struct request *request, struct error *err)
{
    if (err->code == ERR_ok)
        error_set(err, ERR_internal, "a failure without a reason");
    enum err_class class = err_class_of(err->code);
    if (class == ERR_CLASS_BUG)
        hide_bug(request, err);
    text_clear(&r->body);
    r->status = problem_status(err->code);
    r->content_type = "application/problem+json";
    if (classes[class].retry_after > 0)
        reply_header(r, "Retry-After", "%d", classes[class].retry_after);
    struct json j = {.text = &r->body};
    problem_write(&j, err, request->path);
    text_putc(&r->body, '\n');
    error_clear(err);
}
