/* Configuration: one table of options drives the command line, the environment, the defaults, and the help. */
#include "base/config.h"
#include "base/cores.h"

#include "base/names.h"
#include "base/number.h"
#include "base/size.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { KIND_LISTEN, KIND_FILE, KIND_ORIGIN, KIND_ISA, KIND_LEVEL, KIND_INT, KIND_COUNT, KIND_BYTES };

/* Of numbers: where they are kept, as an int (KIND_INT) or an int64_t, and their bounds. */
struct option {
    const char *name, *variable, *value;
    enum kind kind;
    size_t offset;
    int64_t least, most;
    const char *fallback; /* as it would be given; NULL: see set_fallbacks */
    const char *meaning;
};

#define AT(field) offsetof(struct config, field)
#define LIMIT(name) offsetof(struct config, limits.name)
#define KIB INT64_C(1024)
#define TIB (INT64_C(1) << 40)

/* clang-format off */
static const struct option options[] = {
    {"listen", "GRADD_LISTEN", "HOST:PORT", KIND_LISTEN, 0, 0, 0, "127.0.0.1:8080", "where to listen; port 0 takes a free one"},
    {"db", "GRADD_DB", "FILE", KIND_FILE, 0, 0, 0, "gradd.db", "the database; made if missing"},
    {"workers", "GRADD_WORKERS", "N", KIND_INT, AT(workers), 1, 1024, NULL, "threads that train"},
    {"io-threads", "GRADD_IO_THREADS", "N", KIND_INT, AT(io_threads), 1, 256, "2", "threads that answer requests"},
    {"max-memory", "GRADD_MAX_MEMORY", "BYTES", KIND_BYTES, LIMIT(memory_bytes), 16 * KIB * KIB, 1024 * TIB, NULL, "memory for jobs, queries and tables"},
    {"max-queued", "GRADD_MAX_QUEUED", "N", KIND_COUNT, LIMIT(queued_jobs), 1, 1000000, "10000", "jobs that wait"},
    {"max-connections", "GRADD_MAX_CONNECTIONS", "N", KIND_COUNT, LIMIT(connections), 1, 100000, "1024", "connections at once"},
    {"idle-timeout", "GRADD_IDLE_TIMEOUT", "SECONDS", KIND_COUNT, LIMIT(idle_seconds), 1, 86400, "60", "an idle connection is closed"},
    {"query-timeout", "GRADD_QUERY_TIMEOUT", "SECONDS", KIND_COUNT, LIMIT(query_seconds), 1, 86400, "30", "a query that takes longer is cancelled"},
    {"max-body", "GRADD_MAX_BODY", "BYTES", KIND_BYTES, LIMIT(body_bytes), KIB, TIB, "1M", "bodies without a limit of their own"},
    {"max-model", "GRADD_MAX_MODEL", "BYTES", KIND_BYTES, LIMIT(model_bytes), KIB, TIB, "16M", "bodies of models"},
    {"max-query", "GRADD_MAX_QUERY", "BYTES", KIND_BYTES, LIMIT(query_bytes), KIB, TIB, "64M", "bodies of queries and parameters"},
    {"max-dataset", "GRADD_MAX_DATASET", "BYTES", KIND_BYTES, LIMIT(dataset_bytes), KIB, 1024 * TIB, "1G", "bodies of data sets"},
    {"max-rank", "GRADD_MAX_RANK", "N", KIND_COUNT, LIMIT(rank), 1, RANK_MAX, "8", "dimensions of a tensor"},
    {"max-tensor", "GRADD_MAX_TENSOR", "N", KIND_COUNT, LIMIT(tensor_elements), 1, ELEMENTS_MAX, "2147483648", "elements of a tensor"},
    {"max-answer", "GRADD_MAX_ANSWER", "N", KIND_COUNT, LIMIT(answer_elements), 1, ELEMENTS_MAX, "10000000", "elements of an answer"},
    {"max-names", "GRADD_MAX_NAMES", "N", KIND_COUNT, LIMIT(program_names), 1, 1000000, "10000", "names in a program"},
    {"max-program", "GRADD_MAX_PROGRAM", "BYTES", KIND_BYTES, LIMIT(program_bytes), KIB, 1024 * KIB * KIB, "1M", "text of a program"},
    {"max-nesting", "GRADD_MAX_NESTING", "N", KIND_COUNT, LIMIT(program_nesting), 1, 2048, "256", "nesting in a program"},
    {"max-json-nesting", "GRADD_MAX_JSON_NESTING", "N", KIND_COUNT, LIMIT(json_nesting), 8, 2048, "64", "nesting in a JSON text"},
    {"max-parameters", "GRADD_MAX_PARAMETERS", "N", KIND_COUNT, LIMIT(parameter_elements), 1, 2147483648, "67108864", "elements of all parameters of a model"},
    {"max-nodes", "GRADD_MAX_NODES", "N", KIND_COUNT, LIMIT(nodes), 1, 100000000, "1000000", "nodes of a graph, with derivatives"},
    {"cors-origin", "GRADD_CORS_ORIGIN", "ORIGIN", KIND_ORIGIN, 0, 0, 0, NULL, "a web page's origin that may call, or *"},
    {"isa", "GRADD_ISA", "NAME", KIND_ISA, 0, 0, 0, NULL, "baseline, avx2, avx512 or neon"},
    {"log-level", "GRADD_LOG_LEVEL", "LEVEL", KIND_LEVEL, 0, 0, 0, "info", "debug, info, warning or error"},
};
/* clang-format on */

enum { OPTION_COUNT = sizeof options / sizeof *options };

/* What is being read, for messages: the option, and "--workers" or "GRADD_WORKERS". */
struct source {
    const struct option *option;
    const char *prefix, *name;
};

static bool set_string(char **slot, const char *bytes, size_t length)
{
    char *copy = strndup(bytes, length);
    if (copy == NULL)
        return false;
    free(*slot);
    *slot = copy;
    return true;
}

static err_code out_of_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, "there is no memory to read the configuration");
}

/* Adds "--workers: 'x' is not <right>". */
static err_code refuse(struct source s, const char *text, const char *right, struct error *err)
{
    char quoted[200];
    log_escape(text, quoted, sizeof quoted);
    return error_add(err, ERR_invalid_value, (struct place){0}, "%s%s: '%s' is not %s", s.prefix, s.name, quoted,
                     right);
}

/* HOST:PORT, :PORT (the default's host), [IPV6]:PORT. */
static err_code read_listen(struct source s, const char *text, struct config *c, struct error *err)
{
    const char *right = "HOST:PORT, such as 127.0.0.1:8080, :8080 or [::1]:8080, with a port up to 65535";
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || !number_whole(colon + 1, 65535, &port))
        return refuse(s, text, right, err);
    const char *host = text;
    size_t length = (size_t)(colon - text);
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
        if (strspn(host, "0123456789abcdefABCDEF:.%") < length)
            return refuse(s, text, right, err);
    } else if (strcspn(text, ":[]/ \t\r\n") < length) {
        return refuse(s, text, right, err);
    }
    if (length > 0 ? !set_string(&c->listen_host, host, length) : !set_string(&c->listen_host, "127.0.0.1", 9))
        return out_of_memory(err);
    c->listen_port = (int)port;
    return ERR_ok;
}

/* scheme://host[:port] of a web page, or *: what a browser sends as Origin. */
static bool is_origin(const char *text)
{
    size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
    if (strcmp(text, "*") == 0)
        return true;
    if (scheme == 0 || text[scheme] == '\0')
        return false;
    for (const char *at = text + scheme; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || *at == '/' || *at == ',')
            return false;
    return true;
}

static bool is_isa(const char *text)
{
    static const char *const names[] = {"baseline", "avx2", "avx512", "neon"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0)
            return true;
    return false;
}

/* Digits, and for bytes a suffix K, M or G. */
static bool parse_number(const struct option *o, const char *text, int64_t *ret)
{
    char digits[24];
    size_t length = strlen(text);
    int64_t unit = 1;
    uint64_t value;
    if (o->kind == KIND_BYTES && length > 0) {
        char last = text[length - 1];
        if (last == 'K' || last == 'k')
            unit = KIB;
        else if (last == 'M' || last == 'm')
            unit = KIB * KIB;
        else if (last == 'G' || last == 'g')
            unit = KIB * KIB * KIB;
        if (unit > 1)
            length--;
    }
    if (length >= sizeof digits)
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    int64_t total;
    if (!number_whole(digits, INT64_MAX, &value) || !int64_mul((int64_t)value, unit, &total))
        return false;
    if (total < o->least || total > o->most)
        return false;
    *ret = total;
    return true;
}

static void store_number(const struct option *o, int64_t value, struct config *c)
{
    void *slot = (char *)c + o->offset;
    if (o->kind == KIND_INT)
        *(int *)slot = (int)value;
    else
        *(int64_t *)slot = value;
}

static err_code read_number(struct source s, const char *text, struct config *c, struct error *err)
{
    int64_t value;
    if (parse_number(s.option, text, &value)) {
        store_number(s.option, value, c);
        return ERR_ok;
    }
    char right[160];
    snprintf(right, sizeof right, "a whole number from %lld to %lld%s", (long long)s.option->least,
             (long long)s.option->most, s.option->kind == KIND_BYTES ? "; K, M and G may follow" : "");
    return refuse(s, text, right, err);
}

static err_code read_value(struct source s, const char *text, struct config *c, struct error *err)
{
    char **slot = NULL;
    switch (s.option->kind) {
    case KIND_LISTEN:
        return read_listen(s, text, c, err);
    case KIND_INT:
    case KIND_COUNT:
    case KIND_BYTES:
        return read_number(s, text, c, err);
    case KIND_LEVEL:
        return log_level_find(text, &c->log_level) ? ERR_ok : refuse(s, text, "debug, info, warning or error", err);
    case KIND_FILE:
        if (*text == '\0')
            return refuse(s, text, "the name of a file", err);
        slot = &c->db;
        break;
    case KIND_ORIGIN:
        if (!is_origin(text))
            return refuse(s, text, "an origin such as https://example.org, or *", err);
        slot = &c->cors_origin;
        break;
    case KIND_ISA:
        if (!is_isa(text))
            return refuse(s, text, "baseline, avx2, avx512 or neon", err);
        slot = &c->isa;
        break;
    }
    return set_string(slot, text, strlen(text)) ? ERR_ok : out_of_memory(err);
}

static int64_t three_quarters_of_memory(void)
{
    int64_t bytes;
    if (!int64_mul(sysconf(_SC_PHYS_PAGES), sysconf(_SC_PAGESIZE), &bytes) || bytes <= 0)
        return KIB * KIB * KIB;
    return bytes / 4 * 3;
}

static err_code set_fallbacks(struct config *c, struct error *err)
{
    c->workers = cores_count();
    c->limits.memory_bytes = three_quarters_of_memory();
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        struct source s = {&options[i], "--", options[i].name};
        err_code code = options[i].fallback != NULL ? read_value(s, options[i].fallback, c, err) : ERR_ok;
        if (code != ERR_ok)
            return code;
    }
    return ERR_ok;
}

/* Keeps the first code, but for want of memory, which hides the rest. */
static void note(err_code code, err_code *worst)
{
    if (*worst == ERR_ok || code == ERR_out_of_memory)
        *worst = code;
}

static void read_environment(struct config *c, err_code *worst, struct error *err)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *text = getenv(options[i].variable);
        if (text != NULL && *text != '\0')
            note(read_value((struct source){&options[i], "", options[i].variable}, text, c, err), worst);
    }
}

static const struct option *find_option(const char *name, size_t length)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0)
            return &options[i];
    return NULL;
}

static err_code unknown_option(const char *argument, struct error *err)
{
    char quoted[200], name[80];
    log_escape(argument, quoted, sizeof quoted);
    if (strncmp(argument, "--", 2) != 0)
        return error_add(err, ERR_invalid_value, (struct place){0}, "'%s' is not an option: options start with --",
                         quoted);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
    struct guess guess = {.name = name};
    for (size_t i = 0; i < OPTION_COUNT; i++)
        guess_offer(&guess, options[i].name);
    if (guess.best == NULL)
        return error_add(err, ERR_invalid_value, (struct place){0}, "no option '%s'", quoted);
    return error_add(err, ERR_invalid_value, (struct place){0}, "no option '%s'; did you mean '--%s'?", quoted,
                     guess.best);
}

static void read_arguments(int argc, char *const argv[], struct config *c, err_code *worst, struct error *err)
{
    for (int i = 0; i < argc; i++) {
        const char *name = argv[i] + (strncmp(argv[i], "--", 2) == 0 ? 2 : 0);
        size_t length = strcspn(name, "=");
        const struct option *o = name != argv[i] ? find_option(name, length) : NULL;
        if (o == NULL) {
            note(unknown_option(argv[i], err), worst);
            continue;
        }
        struct source s = {o, "--", o->name};
        if (name[length] == '=')
            note(read_value(s, name + length + 1, c, err), worst);
        else if (i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
            note(read_value(s, argv[++i], c, err), worst);
        else
            note(error_add(err, ERR_invalid_value, (struct place){0}, "--%s needs a value: %s", o->name, o->value),
                 worst);
    }
}

err_code config_read(int argc, char *const argv[], struct config *ret, struct error *err)
{
    struct config c = {0};
    err_code worst = set_fallbacks(&c, err);
    if (worst == ERR_ok) {
        read_environment(&c, &worst, err);
        read_arguments(argc, argv, &c, &worst, err);
    }
    if (worst == ERR_ok) {
        *ret = c;
        return ERR_ok;
    }
    config_clear(&c);
    if (worst == ERR_invalid_value)
        error_close(err, worst, "the configuration");
    return worst;
}

void config_clear(struct config *c)
{
    if (c == NULL)
        return;
    free(c->listen_host);
    free(c->db);
    free(c->cors_origin);
    free(c->isa);
    *c = (struct config){0};
}

/* The default in words. */
static const char *fallback_text(const struct option *o)
{
    if (o->fallback != NULL)
        return o->fallback;
    if (o->offset == AT(workers))
        return "all cores";
    if (o->offset == LIMIT(memory_bytes))
        return "3/4 of it";
    return o->kind == KIND_ISA ? "the best" : "none";
}

void config_help(struct text *out)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char name[48];
        snprintf(name, sizeof name, "--%s %s", options[i].name, options[i].value);
        text_printf(out, "  %-26s %-23s %-15s %s\n", name, options[i].variable, fallback_text(&options[i]),
                    options[i].meaning);
    }
}
