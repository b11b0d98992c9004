#include "api/differentiate.h"
#include "api/answers.h"
#include "api/codec.h"

static err_code answer_check(const struct question *q, struct plans *plans, const atomic_bool *cancel, struct text *ret,
                             struct error *err)
{
    struct check_answer answer = {0};
    struct json j = {.text = ret};
    err_code code = check_run(plans, q, cancel, &answer, err);
    if (code == ERR_ok) {
        put_object(&j);
        put_check(&j, q->of[0].name, &answer);
        put_nonfinite(&j);
        put_object_end(&j);
    }
    check_answer_clear(&answer);
    return code;
}

/* Asks and writes. With may_be_later: *ret_later, and nothing written, where the question is dear. */
static err_code answer_request(const struct differentiate_request *request, struct plans *plans, bool flat,
                               bool may_be_later, const atomic_bool *cancel, bool *ret_later, struct text *ret,
                               struct error *err)
{
    const struct question *q = &request->query.question;
    struct prepared *prepared = NULL;
    struct answer answer = {0};
    if (q->kind == QUESTION_CHECK) {
        *ret_later = may_be_later;
        return may_be_later ? ERR_ok : answer_check(q, plans, cancel, ret, err);
    }
    if (may_be_later && question_is_dear(plans, q)) {
        *ret_later = true;
        return ERR_ok;
    }
    err_code code = question_prepare(plans, q, &prepared, err);
    if (code == ERR_ok && may_be_later && prepared_is_dear(prepared)) {
        *ret_later = true;
    } else if (code == ERR_ok) {
        code = prepared_run(prepared, cancel, &answer, err);
        if (code == ERR_ok) {
            struct json j = {.text = ret};
            put_object(&j);
            put_question_answer(&j, q, &answer, flat);
            put_nonfinite(&j);
            put_object_end(&j);
            answer_clear(&answer);
        }
    }
    prepared_free(prepared);
    return code;
}

err_code differentiate_answer(const char *body, size_t size, const struct limits *limits, struct plans *plans,
                              bool flat, const atomic_bool *cancel, struct text *ret, struct error *err)
{
    struct differentiate_request request = {0};
    bool ignored = false;
    err_code code = decode_differentiate_request(body, size, limits, &request, err);
    if (code == ERR_ok)
        code = answer_request(&request, plans, flat, false, cancel, &ignored, ret, err);
    differentiate_request_clear(&request);
    return code;
}

enum handled differentiate(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct differentiate_request request = {0};
    bool later = false, flat = request_flat(r, &err);
    err_code code = err.code;
    if (code == ERR_ok)
        code = decode_differentiate_request(r->body, r->body_size, &r->app->config->limits, &request, &err);
    if (code == ERR_ok)
        code = answer_request(&request, r->app->plans, flat, !r->on_pool, r->cancel, &later, &ret->body, &err);
    differentiate_request_clear(&request);
    if (later)
        return LATER;
    reply_json(ret, r, code, &err);
    return HANDLED;
}
