/* Configuration: defaults, environment, options, and what is refused. */
#include "support/near.h"

#include "base/config.h"
#include <stdlib.h>
#include <string.h>

static err_code read_words(struct config *c, struct error *err, char *const *words)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    return config_read(count, words, c, err);
}

#define READ(c, err, ...) read_words((c), (err), (char *[]){__VA_ARGS__, NULL})

static void defaults(void **state)
{
    (void)state;
    struct config c;
    assert_int_equal(config_read(0, NULL, &c, NULL), ERR_ok);
    assert_string_equal(c.listen_host, "127.0.0.1");
    assert_int_equal(c.listen_port, 8080);
    assert_string_equal(c.db, "gradd.db");
    assert_true(c.workers >= 1);
    assert_int_equal(c.io_threads, 2);
    assert_null(c.cors_origin);
    assert_null(c.isa);
    assert_int_equal(c.log_level, LOG_INFO);
    assert_int_equal(c.limits.body_bytes, 1 << 20);
    assert_int_equal(c.limits.model_bytes, 16 << 20);
    assert_int_equal(c.limits.query_bytes, 64 << 20);
    assert_int_equal(c.limits.dataset_bytes, 1 << 30);
    assert_int_equal(c.limits.rank, 8);
    assert_true(c.limits.tensor_elements == ELEMENTS_MAX);
    assert_int_equal(c.limits.answer_elements, 10000000);
    assert_int_equal(c.limits.program_names, 10000);
    assert_int_equal(c.limits.program_bytes, 1 << 20);
    assert_int_equal(c.limits.program_nesting, 256);
    assert_int_equal(c.limits.json_nesting, 64);
    assert_int_equal(c.limits.nodes, 1000000);
    assert_int_equal(c.limits.connections, 1024);
    assert_int_equal(c.limits.idle_seconds, 60);
    assert_int_equal(c.limits.queued_jobs, 10000);
    assert_true(c.limits.memory_bytes > 0);
    assert_int_equal(c.limits.query_seconds, 30);
    config_clear(&c);
    config_clear(NULL);
}

static void options_are_read(void **state)
{
    (void)state;
    struct config c;
    assert_int_equal(READ(&c, NULL, "--listen", "0.0.0.0:0", "--db=a=b.db", "--workers", "3", "--max-body=64K",
                          "--max-memory", "2G", "--isa", "avx2", "--cors-origin=*", "--log-level", "debug",
                          "--workers=4"),
                     ERR_ok);
    assert_string_equal(c.listen_host, "0.0.0.0");
    assert_int_equal(c.listen_port, 0);
    assert_string_equal(c.db, "a=b.db");
    assert_int_equal(c.workers, 4);
    assert_int_equal(c.limits.body_bytes, 65536);
    assert_true(c.limits.memory_bytes == INT64_C(2) << 30);
    assert_string_equal(c.isa, "avx2");
    assert_string_equal(c.cors_origin, "*");
    assert_int_equal(c.log_level, LOG_DEBUG);
    config_clear(&c);
}

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host; /* host NULL: refused */
        int port;
    } cases[] = {
        {":9000", "127.0.0.1", 9000}, {"[::1]:80", "::1", 80}, {"localhost:0", "localhost", 0},
        {"::1:80", NULL, 0},          {"8080", NULL, 0},       {"host:", NULL, 0},
        {"host:65536", NULL, 0},      {"host:-1", NULL, 0},    {"[]:80", NULL, 0},
        {"a b:80", NULL, 0},          {"[x]:80", NULL, 0},     {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config c;
        char *words[] = {"--listen", (char *)cases[i].text};
        err_code code = config_read(2, words, &c, NULL);
        assert_int_equal(code, cases[i].host != NULL ? ERR_ok : ERR_invalid_value);
        if (code != ERR_ok)
            continue;
        assert_string_equal(c.listen_host, cases[i].host);
        assert_int_equal(c.listen_port, cases[i].port);
        config_clear(&c);
    }
}

static void the_environment_yields_to_options(void **state)
{
    (void)state;
    struct config c;
    setenv("GRADD_WORKERS", "7", 1);
    setenv("GRADD_IO_THREADS", "5", 1);
    setenv("GRADD_ISA", "", 1);
    assert_int_equal(READ(&c, NULL, "--workers=2"), ERR_ok);
    assert_int_equal(c.workers, 2);
    assert_int_equal(c.io_threads, 5);
    assert_null(c.isa);
    config_clear(&c);
    setenv("GRADD_WORKERS", "many", 1);
    struct error err = {0};
    assert_int_equal(config_read(0, NULL, &c, &err), ERR_invalid_value);
    assert_string_equal(err.items[0].detail, "GRADD_WORKERS: 'many' is not a whole number from 1 to 1024");
    error_clear(&err);
    unsetenv("GRADD_WORKERS");
    unsetenv("GRADD_IO_THREADS");
    unsetenv("GRADD_ISA");
}

static void all_mistakes_are_told(void **state)
{
    (void)state;
    struct config c = {.workers = 77};
    struct error err = {0};
    assert_int_equal(READ(&c, &err, "--worker", "--max-body=12T", "--isa=sse9", "extra", "--zzz=1", "--cors-origin",
                          "nonsense", "--log-level=\033[1m", "--max-rank=9", "--db"),
                     ERR_invalid_value);
    static const char *const details[] = {
        "no option '--worker'; did you mean '--workers'?",
        "--max-body: '12T' is not a whole number from 1024 to 1099511627776; K, M and G may follow",
        "--isa: 'sse9' is not baseline, avx2, avx512 or neon",
        "'extra' is not an option: options start with --",
        "no option '--zzz=1'",
        "--cors-origin: 'nonsense' is not an origin such as https://example.org, or *",
        "--log-level: '\\x1b[1m' is not debug, info, warning or error",
        "--max-rank: '9' is not a whole number from 1 to 8",
        "--db needs a value: FILE",
    };
    assert_int_equal(err.item_count, sizeof details / sizeof *details);
    for (size_t i = 0; i < err.item_count; i++)
        assert_string_equal(err.items[i].detail, details[i]);
    assert_string_equal(err.detail, "9 errors in the configuration");
    assert_int_equal(c.workers, 77);
    error_clear(&err);
}

static void sizes_do_not_overflow(void **state)
{
    (void)state;
    static char *const wrong[] = {"--max-memory=99999999999999999999",
                                  "--max-memory=9223372036854775807G",
                                  "--max-memory=",
                                  "--max-memory=K",
                                  "--max-memory=-1G",
                                  "--max-memory=1",
                                  "--max-queued=5K",
                                  "--max-memory=1.5G"};
    struct config c;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(config_read(1, wrong + i, &c, NULL), ERR_invalid_value);
}

static void help_names_every_option(void **state)
{
    (void)state;
    struct text out = {0};
    config_help(&out);
    assert_false(out.failed);
    assert_non_null(strstr(out.data, "--listen HOST:PORT"));
    assert_non_null(strstr(out.data, "GRADD_MAX_DATASET"));
    assert_non_null(strstr(out.data, "all cores"));
    assert_non_null(strstr(out.data, "--log-level"));
    text_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(addresses),
        cmocka_unit_test(the_environment_yields_to_options),
        cmocka_unit_test(all_mistakes_are_told),
        cmocka_unit_test(sizes_do_not_overflow),
        cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
