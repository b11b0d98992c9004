/* The pages behind the types of problems: /problems and /problems/{code}, as JSON or HTML. */
#include "api/problem.h"
#include "api/routes.h"

#include <string.h>

static bool wants_html(const struct request *r)
{
    const char *type = request_accepts(r, r->route->answers);
    return type != NULL && strcmp(type, "text/html") == 0;
}

static void begin_html(struct text *t, const char *title)
{
    text_printf(t,
                "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>%s</title></head>\n<body>\n",
                title);
}

static void end_html(struct text *t)
{
    text_puts(t, "</body>\n</html>\n");
}

/* Names and titles are ours, and hold nothing that HTML would take for markup but quotes. */
static void html_of_code(struct text *t, err_code code)
{
    begin_html(t, err_name(code));
    text_printf(t, "<h1>%s</h1>\n<p>Status %d: %s.</p>\n<p>%s</p>\n<p><a href=\"/problems\">All problems</a></p>\n",
                err_name(code), problem_status(code), err_title(code), problem_advice(code));
    end_html(t);
}

static void json_of_code(struct json *j, err_code code)
{
    struct text type = {0};
    text_printf(&type, "/problems/%s", err_name(code));
    put_object(j);
    put_key(j, "code");
    put_string(j, err_name(code));
    put_key(j, "type");
    put_string(j, type.data);
    put_key(j, "title");
    put_string(j, err_title(code));
    put_key(j, "status");
    put_whole(j, problem_status(code));
    put_key(j, "advice");
    put_string(j, problem_advice(code));
    put_object_end(j);
    text_clear(&type);
}

enum handled problem_get(struct request *r, struct reply *ret)
{
    err_code code;
    if (!err_find(r->arguments[0], &code)) {
        struct error err = {0};
        error_set(&err, ERR_not_found, "there is no problem '%.100s'; GET /problems lists them", r->arguments[0]);
        reply_problem(ret, r, &err);
        return HANDLED;
    }
    ret->status = 200;
    if (wants_html(r)) {
        ret->content_type = "text/html; charset=utf-8";
        html_of_code(&ret->body, code);
        return HANDLED;
    }
    ret->content_type = "application/json";
    struct json j = {.text = &ret->body};
    json_of_code(&j, code);
    text_putc(&ret->body, '\n');
    return HANDLED;
}

static void html_of_all(struct text *t)
{
    begin_html(t, "Problems");
    text_puts(t, "<h1>Problems</h1>\n<table>\n");
    for (int code = ERR_ok + 1; code < ERR_COUNT; code++)
        text_printf(t, "<tr><td>%d</td><td><a href=\"/problems/%s\">%s</a></td><td>%s</td></tr>\n",
                    problem_status((err_code)code), err_name((err_code)code), err_name((err_code)code),
                    err_title((err_code)code));
    text_puts(t, "</table>\n");
    end_html(t);
}

enum handled problem_list(struct request *r, struct reply *ret)
{
    ret->status = 200;
    if (wants_html(r)) {
        ret->content_type = "text/html; charset=utf-8";
        html_of_all(&ret->body);
        return HANDLED;
    }
    ret->content_type = "application/json";
    struct json j = {.text = &ret->body};
    put_object(&j);
    put_key(&j, "items");
    put_array(&j);
    for (int code = ERR_ok + 1; code < ERR_COUNT; code++)
        json_of_code(&j, (err_code)code);
    put_array_end(&j);
    put_object_end(&j);
    text_putc(&ret->body, '\n');
    return HANDLED;
}
