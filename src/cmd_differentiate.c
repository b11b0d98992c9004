/* gradd differentiate PROGRAM [NAME=VALUE...] [OPTION...]: makes the body of POST /v1/differentiate, and answers it by
 * the same function as the server. */
#include "cmd.h"

#include "api/differentiate.h"
#include "api/reply.h"
#include "base/names.h"
#include "engine/run.h"
#include <stdio.h>
#include <string.h>

/* How an option's value becomes the field's. */
enum form { FORM_TEXT, FORM_NAMES, FORM_JSON, FORM_TRUE };

static const struct {
    const char *option, *field;
    enum form form;
} options[] = {
    {"--of", "of", FORM_TEXT},
    {"--wrt", "wrt", FORM_NAMES},
    {"--query", "query", FORM_TEXT},
    {"--dtype", "dtype", FORM_TEXT},
    {"--cotangent", "cotangent", FORM_JSON},
    {"--cotangents", "cotangents", FORM_JSON},
    {"--tangents", "tangents", FORM_JSON},
    {"--vector", "vector", FORM_JSON},
    {"--vectors", "vectors", FORM_JSON},
    {"--batch", "batch", FORM_NAMES},
    {"--per-sample", "per_sample", FORM_TRUE},
    {"--trace", "trace", FORM_TRUE},
    {"--symbolic", "symbolic", FORM_TRUE},
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

/* What the command line says. Strings are borrowed from it. */
struct usage {
    const char *program;
    const char *values[OPTION_COUNT]; /* NULL: not given */
    bool flat;
    int argc; /* the arguments, in which the NAME=VALUE are found again */
    char *const *argv;
};

/* If the argument is this option: true, and *ret_value is what stands behind '=' (NULL: nothing does). */
static bool is_option(const char *argument, const char *option, const char **ret_value)
{
    size_t length = strlen(option);
    if (strncmp(argument, option, length) != 0 || (argument[length] != '\0' && argument[length] != '='))
        return false;
    *ret_value = argument[length] == '=' ? argument + length + 1 : NULL;
    return true;
}

static bool is_name(const char *text, size_t length)
{
    const char *first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    return length > 0 && name >= length && strchr(first, text[0]) != NULL;
}

/* Whether the argument at i is an input: NAME=VALUE, behind the program. */
static bool is_input(const struct usage *u, int i)
{
    const char *equals = strchr(u->argv[i], '=');
    return u->argv[i] != u->program && u->argv[i][0] != '-' && equals != NULL &&
           is_name(u->argv[i], (size_t)(equals - u->argv[i]));
}

static err_code unknown_option(const char *argument, struct error *err)
{
    struct guess guess = {.name = argument};
    guess_offer(&guess, "--tensors");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        guess_offer(&guess, options[i].option);
    if (guess.best != NULL)
        return error_set(err, ERR_invalid_value, "no option '%s'; did you mean '%s'?", argument, guess.best);
    return error_set(err, ERR_invalid_value, "no option '%s'; gradd help lists them", argument);
}

/* Reads the option at *i, and the argument behind it if that is its value. */
static err_code read_option(struct usage *u, int *i, struct error *err)
{
    const char *argument = u->argv[*i], *value = NULL;
    size_t k = 0;
    while (k < OPTION_COUNT && !is_option(argument, options[k].option, &value))
        k++;
    bool tensors = k == OPTION_COUNT && is_option(argument, "--tensors", &value);
    if (k == OPTION_COUNT && !tensors)
        return unknown_option(argument, err);
    if (k < OPTION_COUNT && options[k].form == FORM_TRUE) {
        if (value != NULL)
            return error_set(err, ERR_invalid_value, "%s takes no value", options[k].option);
        u->values[k] = "true";
        return ERR_ok;
    }
    if (value == NULL && *i + 1 == u->argc)
        return error_set(err, ERR_invalid_value, "%s needs a value", argument);
    if (value == NULL)
        value = u->argv[++*i];
    if (!tensors) {
        u->values[k] = value;
        return ERR_ok;
    }
    u->flat = strcmp(value, "flat") == 0;
    return u->flat ? ERR_ok : error_set(err, ERR_invalid_value, "--tensors must be flat");
}

static err_code read_usage(struct usage *u, struct error *err)
{
    for (int i = 0; i < u->argc; i++) {
        if (u->argv[i][0] == '-' && u->argv[i][1] == '-') {
            err_code code = read_option(u, &i, err);
            if (code != ERR_ok)
                return code;
        } else if (u->program == NULL) {
            u->program = u->argv[i];
        } else if (!is_input(u, i)) {
            return error_set(err, ERR_invalid_value, "'%s' is not NAME=VALUE", u->argv[i]);
        }
    }
    if (u->program == NULL)
        return error_set(err, ERR_invalid_value, "there is no program; try: gradd differentiate 'f = x^2' x=4");
    return ERR_ok;
}

static void put_part(struct json *j, const char *bytes, size_t length)
{
    struct text part = {0};
    text_add(&part, bytes, length);
    if (part.failed)
        j->text->failed = true;
    else
        put_string(j, part.data);
    text_clear(&part);
}

/* "x,y" as ["x","y"] */
static void put_names(struct json *j, const char *names)
{
    put_array(j);
    for (const char *name = names;; name++) {
        size_t length = strcspn(name, ",");
        put_part(j, name, length);
        name += length;
        if (*name == '\0')
            break;
    }
    put_array_end(j);
}

static void put_inputs(struct json *j, const struct usage *u)
{
    put_key(j, "inputs");
    put_object(j);
    for (int i = 0; i < u->argc; i++) {
        if (u->argv[i][0] == '-' || !is_input(u, i))
            continue;
        const char *equals = strchr(u->argv[i], '=');
        struct text name = {0};
        text_add(&name, u->argv[i], (size_t)(equals - u->argv[i]));
        if (name.failed)
            j->text->failed = true;
        else
            put_key(j, name.data);
        text_clear(&name);
        put_raw(j, equals + 1, strlen(equals + 1));
    }
    put_object_end(j);
}

static void write_body(const struct usage *u, struct text *out)
{
    struct json j = {.text = out};
    put_object(&j);
    put_key(&j, "program");
    put_string(&j, u->program);
    put_inputs(&j, u);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (u->values[i] == NULL)
            continue;
        put_key(&j, options[i].field);
        if (options[i].form == FORM_TEXT)
            put_string(&j, u->values[i]);
        else if (options[i].form == FORM_NAMES)
            put_names(&j, u->values[i]);
        else
            put_raw(&j, u->values[i], strlen(u->values[i]));
    }
    put_object_end(&j);
}

static err_code answer(const struct config *config, const struct usage *u, struct text *ret, struct error *err)
{
    const atomic_bool cancel = false;
    struct plans *plans = NULL;
    struct text body = {0};
    write_body(u, &body);
    err_code code = body.failed ? error_set(err, ERR_out_of_memory, "there is no memory for the request") : ERR_ok;
    if (code == ERR_ok)
        code = plans_new(&config->limits, &plans, err);
    if (code == ERR_ok)
        code = differentiate_answer(body.data, body.length, &config->limits, plans, u->flat, &cancel, ret, err);
    plans_free(plans);
    text_clear(&body);
    return code;
}

int cmd_differentiate(int argc, char *const argv[])
{
    struct usage u = {.argc = argc, .argv = argv};
    struct config config = {0};
    struct error err = {0};
    struct text out = {0};
    if (read_usage(&u, &err) != ERR_ok || config_read(0, argv + argc, &config, &err) != ERR_ok)
        return cmd_complain(&err, EXIT_USAGE);
    err_code code = config.isa != NULL ? engine_select_isa(config.isa, &err) : ERR_ok;
    if (code == ERR_ok)
        code = answer(&config, &u, &out, &err);
    int status = code == ERR_ok ? EXIT_DONE : cmd_complain(&err, EXIT_FAILED);
    if (code == ERR_ok &&
        (printf("%s%s", out.data, out.data[out.length - 1] == '\n' ? "" : "\n") < 0 || fflush(stdout) != 0))
        status = EXIT_FAILED;
    text_clear(&out);
    config_clear(&config);
    return status;
}
