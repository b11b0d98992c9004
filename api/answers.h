/* Answers of questions as JSON: the same members from every door. */
#ifndef GRADD_API_ANSWERS_H
#define GRADD_API_ANSWERS_H

#include "api/reply.h"
#include "query/check.h"

enum {
    CHEAP_NODES = 256,     /* graphs up to this size are planned on an I/O thread */
    CHEAP_FLOPS = 2000000, /* plans up to this cost run on an I/O thread: about half a millisecond */
};

/* Whether a question should rather be asked on the compute pool, before it is prepared and after. */
bool question_is_dear(struct plans *plans, const struct question *q);
bool prepared_is_dear(const struct prepared *p);

/* The members of an answer, inside an object that the caller has begun: of an evaluation `values` (or another name for
 * them); of derivatives `of`, `value`, what the kind of question gives, `independent`, and `nodes` and `backward` of a
 * trace. The caller
 * ends with put_nonfinite(). */
void put_values(struct json *j, const char *name, const struct answer *a, bool flat);
void put_check(struct json *j, const char *of, const struct check_answer *a);
void put_question_answer(struct json *j, const struct question *q, const struct answer *a, bool flat);

#endif
