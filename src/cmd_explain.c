/* gradd explain FILE [--batch N]: prints how a model's output and gradients are computed: the words of
 * GET /v1/models/{m}/plan, without a server. FILE is what POST /v1/models takes; - is standard input. */
#include "cmd.h"

#include "api/codec.h"
#include "base/number.h"
#include "engine/run.h"
#include "query/explain.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_AT_ONCE = 65536 };

struct usage {
    const char *file;
    int64_t batch; /* 0: not told */
};

static err_code read_batch(const char *text, int64_t *ret, struct error *err)
{
    uint64_t value;
    if (*ret != 0)
        return error_set(err, ERR_invalid_value, "--batch is given twice");
    if (!number_whole(text, ELEMENTS_MAX, &value) || value == 0)
        return error_set(err, ERR_invalid_value, "--batch must be a whole number from 1 to %lld",
                         (long long)ELEMENTS_MAX);
    *ret = (int64_t)value;
    return ERR_ok;
}

static err_code read_usage(int argc, char *const argv[], struct usage *ret, struct error *err)
{
    struct usage u = {0};
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i];
        err_code code = ERR_ok;
        if (strcmp(argument, "--batch") == 0)
            code = i + 1 < argc ? read_batch(argv[++i], &u.batch, err)
                                : error_set(err, ERR_invalid_value, "--batch needs a value");
        else if (strncmp(argument, "--batch=", 8) == 0)
            code = read_batch(argument + 8, &u.batch, err);
        else if (argument[0] == '-' && argument[1] != '\0')
            code = error_set(err, ERR_invalid_value, "no option '%s'; explain knows --batch", argument);
        else if (u.file != NULL)
            code = error_set(err, ERR_invalid_value, "explain takes one file, but got '%s' too", argument);
        else
            u.file = argument;
        if (code != ERR_ok)
            return code;
    }
    if (u.file == NULL)
        return error_set(err, ERR_invalid_value, "there is no file; try: gradd explain model.json --batch 32");
    if (u.batch == 0)
        u.batch = 1;
    *ret = u;
    return ERR_ok;
}

static err_code read_stream(FILE *file, const char *name, int64_t most, struct text *ret, struct error *err)
{
    char bytes[READ_AT_ONCE];
    size_t count;
    while ((count = fread(bytes, 1, sizeof bytes, file)) > 0) {
        text_add(ret, bytes, count);
        if (ret->failed)
            return error_set(err, ERR_out_of_memory, "there is no memory for %s", name);
        if (ret->length > (size_t)most)
            return error_set(err, ERR_limit_exceeded, "%s has more than %lld bytes, the limit on models", name,
                             (long long)most);
    }
    if (ferror(file))
        return error_set(err, ERR_invalid_value, "%s: %s", name, strerror(errno));
    return ERR_ok;
}

static err_code read_file(const char *name, int64_t most, struct text *ret, struct error *err)
{
    if (strcmp(name, "-") == 0)
        return read_stream(stdin, "standard input", most, ret, err);
    FILE *file = fopen(name, "rb");
    if (file == NULL)
        return error_set(err, ERR_invalid_value, "%s: %s", name, strerror(errno));
    err_code code = read_stream(file, name, most, ret, err);
    fclose(file);
    return code;
}

static err_code explain(const struct config *config, const struct usage *u, struct text *ret, struct error *err)
{
    struct text body = {0};
    struct model_request request = {0};
    struct explanation explanation = {0};
    err_code code = read_file(u->file, config->limits.model_bytes, &body, err);
    if (code == ERR_ok)
        code =
            decode_model_request(body.length > 0 ? body.data : "", body.length, false, &config->limits, &request, err);
    if (code == ERR_ok)
        code = explain_model(request.model, u->batch, &config->limits, &explanation, err);
    if (code == ERR_ok)
        explanation_text(&explanation, ret);
    if (code == ERR_ok && ret->failed)
        code = error_set(err, ERR_out_of_memory, "there is no memory for the answer");
    explanation_clear(&explanation);
    model_request_clear(&request);
    text_clear(&body);
    return code;
}

int cmd_explain(int argc, char *const argv[])
{
    struct usage u = {0};
    struct config config = {0};
    struct error err = {0};
    struct text out = {0};
    if (read_usage(argc, argv, &u, &err) != ERR_ok || config_read(0, argv + argc, &config, &err) != ERR_ok)
        return cmd_complain(&err, EXIT_USAGE);
    err_code code = config.isa != NULL ? engine_select_isa(config.isa, &err) : ERR_ok;
    if (code == ERR_ok)
        code = explain(&config, &u, &out, &err);
    int status = code == ERR_ok ? EXIT_DONE : cmd_complain(&err, EXIT_FAILED);
    if (code == ERR_ok && (fputs(out.data, stdout) < 0 || fflush(stdout) != 0))
        status = EXIT_FAILED;
    text_clear(&out);
    config_clear(&config);
    return status;
}
