/* The grammar, a function a rule. What recurses is bounded by p->nesting: brackets, and exponents of exponents. */
#include "graph/notation.h"

#include "graph/attribute.h"
#include "graph/parser.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The value of an expression. `is_name`: it is a node that has a name of its own, or shall have one. */
struct operand {
    node_id id;
    struct place place;
    bool is_name;
};

static bool parse_expression(struct parser *p, struct operand *ret);

/* ---- nodes */

static bool add_node(struct parser *p, const struct program_node *node, struct operand *ret)
{
    node_id id;
    err_code code = program_add(p->program, node, &id, p->err);
    if (code != ERR_ok && p->code == ERR_ok)
        p->code = code;
    if (id == NODE_NONE)
        return parser_no_memory(p);
    *ret = (struct operand){id, node->place, false};
    return true;
}

static bool add_broken(struct parser *p, const char *name, struct place place, struct operand *ret)
{
    return add_node(p, &(struct program_node){.op = OP_Input, .name = name, .place = place, .broken = true}, ret);
}

static bool add_binary(struct parser *p, enum op op, struct place place, const struct operand *x,
                       const struct operand *y, struct operand *ret)
{
    node_id inputs[] = {x->id, y->id};
    struct place places[] = {x->place, y->place};
    struct program_node node = {.op = op, .inputs = inputs, .input_count = 2, .place = place, .input_places = places};
    return add_node(p, &node, ret);
}

static bool add_unary(struct parser *p, enum op op, struct place place, const struct operand *x, struct operand *ret)
{
    struct program_node node = {
        .op = op, .inputs = &x->id, .input_count = 1, .place = place, .input_places = &x->place};
    return add_node(p, &node, ret);
}

static bool add_number(struct parser *p, const struct token *t, struct operand *ret)
{
    struct place place = parser_place(p, t);
    if (isinf(t->number)) {
        parser_complain(p, ERR_out_of_range, place, "the number is beyond the range of double");
        return add_broken(p, NULL, place, ret);
    }
    struct attribute value = {.key = ATTRIBUTE_value, .kind = KIND_FLOAT, .number = t->number};
    return add_node(
        p, &(struct program_node){.op = OP_Constant, .attributes = &value, .attribute_count = 1, .place = place}, ret);
}

/* ---- names */

static bool count_name(struct parser *p, struct place place)
{
    if (++p->name_count <= p->names_max)
        return true;
    parser_complain(p, ERR_limit_exceeded, place, "the program has more than %zu names, which is the limit",
                    p->names_max);
    p->stopped = true;
    return false;
}

static void complain_of_name(struct parser *p, const char *name, struct place place)
{
    struct guess guess = {.name = name};
    if (parser_may_guess(p)) {
        for (size_t i = 0; i < p->options->name_count; i++)
            guess_offer(&guess, p->options->names[i]);
        for (size_t i = 0; i < program_size(p->program); i++) {
            const struct program_node *node = program_node(p->program, (node_id)i);
            if (node->name && !node->broken)
                guess_offer(&guess, node->name);
        }
    }
    if (guess.best)
        parser_complain(p, ERR_unknown_name, place, "no name '%.64s'; did you mean '%.64s'?", name, guess.best);
    else
        parser_complain(p, ERR_unknown_name, place, "no name '%.64s': it is neither assigned nor listed", name);
}

/* A name that no line above has assigned: an input, unless it is a mistake. */
static bool resolve_new_name(struct parser *p, const struct token *t, const char *name, struct operand *ret)
{
    struct place place = parser_place(p, t);
    size_t line, ignored;
    if (names_get(p->assigned, name, t->length, &line)) {
        if (line == (size_t)t->line)
            parser_complain(p, ERR_unknown_name, place, "'%.64s' is what this line assigns, so the line can't use it",
                            name);
        else
            parser_complain(p, ERR_unknown_name, place, "'%.64s' is assigned later, on line %zu", name, line);
        return add_broken(p, NULL, place, ret);
    }
    if (!count_name(p, place))
        return false;
    bool broken = p->listed && !names_get(p->listed, name, t->length, &ignored);
    if (broken)
        complain_of_name(p, name, place);
    return add_node(p, &(struct program_node){.op = OP_Input, .name = name, .place = place, .broken = broken}, ret);
}

static bool resolve_name(struct parser *p, const struct token *t, struct operand *ret)
{
    const char *name = arena_copy(p->scratch, t->text, t->length);
    if (!name)
        return parser_no_memory(p);
    struct operand found = {program_find(p->program, name), parser_place(p, t), true};
    if (found.id == NODE_NONE) {
        if (!resolve_new_name(p, t, name, &found))
            return false;
        found.is_name = true;
    }
    *ret = found;
    return true;
}

/* ---- calls */

struct call {
    struct token name;
    bool known, broken;
    enum op op;
    struct attribute attributes[ATTRIBUTE_COUNT];
    size_t attribute_count;
};

static void complain_of_op(struct parser *p, const struct token *t)
{
    char name[65];
    size_t length = t->length < sizeof name ? t->length : sizeof name - 1;
    memcpy(name, t->text, length);
    name[length] = '\0';
    struct place place = parser_place(p, t);
    if (program_find(p->program, name) != NODE_NONE) {
        parser_complain(p, ERR_unknown_op, place, "no op '%s', it is a name; is a '*' missing?", name);
        return;
    }
    struct guess guess = {.name = name};
    for (int i = 0; parser_may_guess(p) && t->length < sizeof name && i < OP_COUNT; i++)
        guess_offer(&guess, op_name((enum op)i));
    if (guess.best)
        parser_complain(p, ERR_unknown_op, place, "no op '%s'; did you mean '%s'?", name, guess.best);
    else
        parser_complain(p, ERR_unknown_op, place, "no op '%s'", name);
}

/* Tells what is wrong with an attribute, or puts it into the call. */
static bool keep_attribute(struct parser *p, struct call *call, const struct token *key, const struct attribute *value,
                           struct place place)
{
    struct attribute given = *value, kept;
    int length = (int)(key->length < 64 ? key->length : 64);
    if (!call->known || given.key == ATTRIBUTE_COUNT) {
        call->broken = true;
        return true;
    }
    if (!attribute_find(key->text, key->length, &given.key) || !op_has_attribute(call->op, given.key, NULL, NULL)) {
        parser_complain(p, ERR_unknown_attribute, parser_place(p, key), "%s has no attribute '%.*s'", op_name(call->op),
                        length, key->text);
        call->broken = true;
        return true;
    }
    for (size_t i = 0; i < call->attribute_count; i++) {
        if (call->attributes[i].key == given.key) {
            parser_complain(p, ERR_invalid_attribute, parser_place(p, key), "'%.*s' is given twice", length, key->text);
            call->broken = true;
            return true;
        }
    }
    err_code code = attribute_copy(p->scratch, &given, &kept);
    if (code == ERR_out_of_memory)
        return parser_no_memory(p);
    if (code != ERR_ok) {
        parser_complain(p, code, place, "%s: %s= takes %s", op_name(call->op), attribute_name(given.key),
                        attribute_kind_text(attribute_kind_of(given.key)));
        call->broken = true;
        return true;
    }
    call->attributes[call->attribute_count++] = kept;
    return true;
}

static bool parse_attribute(struct parser *p, struct call *call)
{
    struct token key = p->token;
    struct attribute value = {.key = ATTRIBUTE_value};
    parser_advance(p);
    parser_advance(p);
    struct place place = parser_place(p, &p->token);
    return parse_literal(p, &value) && keep_attribute(p, call, &key, &value, place);
}

static bool push_input(struct parser *p, const struct operand *x)
{
    if (p->input_count == p->input_capacity) {
        size_t capacity = p->input_capacity ? 2 * p->input_capacity : 64;
        node_id *inputs = reallocarray(p->inputs, capacity, sizeof *inputs);
        if (!inputs)
            return parser_no_memory(p);
        p->inputs = inputs;
        struct place *places = reallocarray(p->input_places, capacity, sizeof *places);
        if (!places)
            return parser_no_memory(p);
        p->input_places = places;
        p->input_capacity = capacity;
    }
    p->inputs[p->input_count] = x->id;
    p->input_places[p->input_count++] = x->place;
    return true;
}

static bool parse_argument(struct parser *p, struct call *call, size_t position)
{
    struct token next = parser_peek(p);
    if (p->token.kind == TOKEN_NAME && next.kind == TOKEN_SIGN && next.text[0] == '=')
        return parse_attribute(p, call);
    struct operand x;
    if (!parse_expression(p, &x))
        return false;
    if (call->known && call->op == OP_Grad && position == 1 && !x.is_name) {
        parser_complain(p, ERR_invalid_value, x.place,
                        "grad(y, x) is with respect to a name: give x a name on a line before");
        call->broken = true;
    }
    return push_input(p, &x);
}

/* From '(' to ')'. */
static bool parse_arguments(struct parser *p, struct call *call, size_t base)
{
    parser_open(p);
    if (!parser_is_sign(p, ')')) {
        if (!parse_argument(p, call, 0))
            return false;
        while (parser_is_sign(p, ',')) {
            parser_advance(p);
            if (!parse_argument(p, call, p->input_count - base))
                return false;
        }
    }
    if (!parser_is_sign(p, ')'))
        return parser_unexpected(p, "',' or ')'");
    parser_close(p);
    return true;
}

static bool enter(struct parser *p, const struct token *t)
{
    if (++p->nesting <= p->nesting_max)
        return true;
    parser_complain(p, ERR_limit_exceeded, parser_place(p, t), "nested deeper than %zu, which is the limit",
                    p->nesting_max);
    return false;
}

static bool parse_call(struct parser *p, const struct token *name, struct operand *ret)
{
    struct call call = {.name = *name};
    size_t base = p->input_count;
    call.known = op_find(name->text, name->length, &call.op);
    if (!call.known)
        complain_of_op(p, name);
    if (!enter(p, name) || !parse_arguments(p, &call, base)) {
        p->input_count = base;
        return false;
    }
    p->nesting--;
    size_t count = p->input_count - base;
    p->input_count = base;
    struct program_node node = {.op = call.known ? call.op : OP_Input,
                                .inputs = count ? p->inputs + base : NULL,
                                .input_count = count,
                                .attributes = call.attributes,
                                .attribute_count = call.attribute_count,
                                .place = parser_place(p, name),
                                .input_places = count ? p->input_places + base : NULL,
                                .broken = call.broken || !call.known};
    return add_node(p, &node, ret);
}

/* ---- expressions */

static bool parse_group(struct parser *p, struct operand *ret)
{
    if (!enter(p, &p->token))
        return false;
    parser_open(p);
    if (!parse_expression(p, ret))
        return false;
    if (!parser_is_sign(p, ')'))
        return parser_unexpected(p, "')'");
    parser_close(p);
    p->nesting--;
    return true;
}

static bool parse_atom(struct parser *p, struct operand *ret)
{
    struct token t = p->token;
    if (parser_is_sign(p, '('))
        return parse_group(p, ret);
    if (t.kind != TOKEN_NAME && t.kind != TOKEN_NUMBER)
        return parser_unexpected(p, "an expression");
    parser_advance(p);
    if (t.kind == TOKEN_NUMBER)
        return add_number(p, &t, ret);
    if (parser_is_sign(p, '('))
        return parse_call(p, &t, ret);
    return resolve_name(p, &t, ret);
}

static bool parse_unary(struct parser *p, struct operand *ret);

static bool parse_power(struct parser *p, struct operand *ret)
{
    struct operand base, exponent;
    if (!parse_atom(p, &base))
        return false;
    *ret = base;
    if (p->token.kind != TOKEN_POWER)
        return true;
    struct token sign = p->token;
    if (!enter(p, &sign))
        return false;
    parser_advance(p);
    if (!parse_unary(p, &exponent))
        return false;
    p->nesting--;
    return add_binary(p, OP_Pow, parser_place(p, &sign), &base, &exponent, ret);
}

static bool parse_unary(struct parser *p, struct operand *ret)
{
    if (!parser_is_sign(p, '-'))
        return parse_power(p, ret);
    struct token sign = p->token;
    struct operand x;
    parser_advance(p);
    return parse_power(p, &x) && add_unary(p, OP_Neg, parser_place(p, &sign), &x, ret);
}

static bool binary_op(const struct token *t, const char *signs, enum op *ret)
{
    static const struct {
        char sign;
        enum op op;
    } table[] = {{'+', OP_Add}, {'-', OP_Sub}, {'*', OP_Mul}, {'/', OP_Div}, {'@', OP_MatMul}};
    if (t->kind != TOKEN_SIGN || !strchr(signs, t->text[0]))
        return false;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].sign == t->text[0])
            *ret = table[i].op;
    return true;
}

static bool parse_term(struct parser *p, struct operand *ret)
{
    struct operand x, y;
    if (!parse_unary(p, &x))
        return false;
    enum op op = OP_Mul;
    while (binary_op(&p->token, "*/@", &op)) {
        struct place place = parser_place(p, &p->token);
        parser_advance(p);
        if (!parse_unary(p, &y) || !add_binary(p, op, place, &x, &y, &x))
            return false;
    }
    *ret = x;
    return true;
}

static bool parse_expression(struct parser *p, struct operand *ret)
{
    struct operand x, y;
    if (!parse_term(p, &x))
        return false;
    enum op op = OP_Add;
    while (binary_op(&p->token, "+-", &op)) {
        struct place place = parser_place(p, &p->token);
        parser_advance(p);
        if (!parse_term(p, &y) || !add_binary(p, op, place, &x, &y, &x))
            return false;
    }
    *ret = x;
    return true;
}

/* ---- lines */

static bool push_target(struct parser *p, const struct token *t)
{
    if (p->target_count == p->target_capacity) {
        size_t capacity = p->target_capacity ? 2 * p->target_capacity : 16;
        struct token *targets = reallocarray(p->targets, capacity, sizeof *targets);
        if (!targets)
            return parser_no_memory(p);
        p->targets = targets;
        p->target_capacity = capacity;
    }
    p->targets[p->target_count++] = *t;
    return true;
}

/* name, name = */
static bool parse_targets(struct parser *p)
{
    for (;;) {
        if (p->token.kind != TOKEN_NAME)
            return parser_unexpected(p, "a name");
        if (!push_target(p, &p->token))
            return false;
        parser_advance(p);
        if (parser_is_sign(p, '='))
            break;
        if (!parser_is_sign(p, ','))
            return parser_unexpected(p, p->target_count == 1 ? "'='" : "',' or '='");
        parser_advance(p);
    }
    parser_advance(p);
    return true;
}

static bool line_ends(const struct parser *p)
{
    return p->token.kind == TOKEN_END || p->token.kind == TOKEN_NEWLINE || p->token.kind == TOKEN_SEMICOLON;
}

/* The expressions of a line, onto the stack of inputs. A name that stands alone becomes an Identity. */
static bool parse_values(struct parser *p)
{
    for (;;) {
        struct operand x;
        if (!parse_expression(p, &x))
            return false;
        if (x.is_name && !add_unary(p, OP_Identity, x.place, &x, &x))
            return false;
        if (!push_input(p, &x))
            return false;
        if (!parser_is_sign(p, ','))
            break;
        parser_advance(p);
    }
    if (!line_ends(p))
        return parser_unexpected(p, NULL);
    if (p->input_count == p->target_count)
        return true;
    parser_complain(p, ERR_syntax_error, parser_place(p, &p->targets[0]), "%zu name%s, but %zu expression%s",
                    p->target_count, p->target_count == 1 ? "" : "s", p->input_count, p->input_count == 1 ? "" : "s");
    return false;
}

/* Gives the line's names to its values, or, where it has mistakes, to broken nodes. */
static void assign(struct parser *p, bool has_values)
{
    for (size_t i = 0; !p->stopped && i < p->target_count; i++) {
        const struct token *t = &p->targets[i];
        struct place place = parser_place(p, t);
        const char *name = arena_copy(p->scratch, t->text, t->length);
        struct operand broken;
        if (!name) {
            parser_no_memory(p);
        } else if (!count_name(p, place)) {
            return;
        } else if (!has_values) {
            add_broken(p, name, place, &broken);
        } else {
            err_code code = program_set_name(p->program, p->inputs[i], name, place, p->err);
            p->code = p->code ? p->code : code;
            p->stopped = code == ERR_out_of_memory;
        }
    }
}

static void parse_line(struct parser *p)
{
    p->target_count = p->input_count = 0;
    p->nesting = 0;
    bool assigns = parse_targets(p);
    bool has_values = assigns && parse_values(p);
    if (assigns)
        assign(p, has_values);
    if (!has_values && !p->stopped)
        parser_recover(p);
}

static void parse_lines(struct parser *p)
{
    parser_advance(p);
    while (!p->stopped && p->token.kind != TOKEN_END) {
        if (line_ends(p))
            parser_advance(p);
        else
            parse_line(p);
    }
}

/* An Input() that no line names can be given no value. */
static void complain_of_unnamed_inputs(struct parser *p)
{
    for (size_t i = 0; i < program_size(p->program); i++) {
        const struct program_node *node = program_node(p->program, (node_id)i);
        if (node->op == OP_Input && !node->name && !node->broken)
            parser_complain(p, ERR_invalid_name, node->place,
                            "an Input() needs a line of its own, and a name: x = Input()");
    }
}

static bool start(struct parser *p, const char *text, size_t length)
{
    const struct notation_options *options = p->options;
    p->nesting_max = options->nesting_max ? options->nesting_max : NOTATION_NESTING_MAX;
    p->names_max = options->names_max ? options->names_max : NOTATION_NAMES_MAX;
    lexer_start(&p->lexer, text, length);
    p->scratch = arena_new();
    p->assigned = names_new();
    p->program = program_new();
    p->listed = options->names ? names_new() : NULL;
    if (!p->scratch || !p->assigned || !p->program || (options->names && !p->listed))
        return parser_no_memory(p);
    for (size_t i = 0; options->names && i < options->name_count; i++)
        if (!names_put(p->listed, options->names[i], strlen(options->names[i]), i))
            return parser_no_memory(p);
    return parser_collect_assigned(p, text, length);
}

err_code notation_parse(const char *text, size_t length, const struct notation_options *options, struct program **ret,
                        struct error *err)
{
    static const struct notation_options defaults = {.pointer = NULL};
    struct parser p = {.options = options ? options : &defaults, .err = err};
    if (length > NOTATION_LENGTH_MAX)
        return error_add(err, ERR_limit_exceeded, (struct place){p.options->pointer, 0, 0},
                         "the program has %zu bytes, the limit is %d", length, NOTATION_LENGTH_MAX);
    if (start(&p, text, length))
        parse_lines(&p);
    if (!p.stopped)
        complain_of_unnamed_inputs(&p);
    /* A line without so much as a name left no node: the program is broken all the same. */
    struct operand ignored;
    if (!p.stopped && p.code != ERR_ok)
        add_broken(&p, NULL, (struct place){0}, &ignored);
    if (p.code == ERR_ok || (p.options->tolerant && !p.stopped)) {
        *ret = p.program;
        p.program = NULL;
    }
    program_free(p.program);
    names_free(p.listed);
    names_free(p.assigned);
    arena_free(p.scratch);
    free(p.inputs);
    free(p.input_places);
    free(p.targets);
    return p.code;
}
