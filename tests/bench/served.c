#include "served.h"

#include "api/reply.h"
#include "base/number.h"
#include "http.h"
#include "measure.h"
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The port of "gradd 0.1.0 listening on http://127.0.0.1:40123". */
static uint16_t read_port(struct served *s)
{
    char line[256];
    if (fgets(line, sizeof line, s->child.from) == NULL)
        give_up("gradd did not start", NULL);
    const char *colon = must_have(strrchr(line, ':'));
    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

bool served_start(struct served *s, int io_threads)
{
    const char *gradd = getenv("GRADD");
    char database[64];
    char threads[16];
    if (gradd == NULL)
        return false;
    *s = (struct served){.folder = "/tmp/gradd-bench-XXXXXX"};
    if (mkdtemp(s->folder) == NULL)
        give_up("no folder for the database", NULL);
    (void)snprintf(database, sizeof database, "%s/gradd.db", s->folder);
    (void)snprintf(threads, sizeof threads, "%d", io_threads);
    const char *const argv[] = {gradd,    "serve",        "--listen", "127.0.0.1:0", "--db",
                                database, "--io-threads", threads,    NULL};
    if (!child_start(&s->child, argv))
        give_up("gradd did not start", NULL);
    s->port = read_port(s);
    return true;
}

static void remove_folder(const char *path)
{
    glob_t files;
    char pattern[64];
    (void)snprintf(pattern, sizeof pattern, "%s/*", path);
    if (glob(pattern, 0, NULL, &files) == 0) {
        for (size_t i = 0; i < files.gl_pathc; i++)
            (void)unlink(files.gl_pathv[i]);
        globfree(&files);
    }
    (void)rmdir(path);
}

void served_end(struct served *s)
{
    (void)kill(s->child.pid, SIGTERM);
    child_end(&s->child);
    remove_folder(s->folder);
}

static void put_leaves(struct json *j, const char *name, const struct workload *w, size_t from, size_t to)
{
    put_key(j, name);
    put_object(j);
    for (size_t i = from; i < to && w->leaf[i].name != NULL; i++) {
        put_key(j, w->leaf[i].name);
        put_object(j);
        put_key(j, "shape");
        put_shape(j, w->leaf[i].shape);
        put_object_end(j);
    }
    put_object_end(j);
}

void served_model(const struct served *s, const struct workload *w)
{
    struct text body = {0};
    struct json j = {.text = &body};
    put_object(&j);
    put_key(&j, "name");
    put_string(&j, w->name);
    put_key(&j, "program");
    put_string(&j, w->program);
    put_leaves(&j, "inputs", w, 0, w->input_count);
    put_leaves(&j, "parameters", w, w->input_count, WORKLOAD_LEAVES_MAX);
    put_key(&j, "cost");
    put_string(&j, "cost");
    put_object_end(&j);
    free(http_ask(s->port, "POST", "/v1/models", "application/json", body.data, 201));
    text_clear(&body);
}

static void put_values(struct json *j, const struct workload *w, int64_t rows)
{
    put_object(j);
    for (size_t i = 0; i < w->input_count; i++) {
        struct tensor t = {.dtype = DTYPE_FLOAT32, .shape = shape_bind(w->leaf[i].shape, rows)};
        int64_t elements = 0;
        if (!shape_elements(t.shape, &elements))
            give_up("a data set is too large", NULL);
        float *values = random_floats(elements, 1 + (uint32_t)i);
        for (int64_t k = 0; w->classes > 0 && i == w->input_count - 1 && k < elements; k++)
            values[k] = (float)(k % (int64_t)w->classes);
        t.data = values;
        put_key(j, w->leaf[i].name);
        put_tensor(j, &t, false);
        free(values);
    }
    put_object_end(j);
}

void write_values(struct text *to, const struct workload *w, int64_t batch)
{
    struct json j = {.text = to};
    put_values(&j, w, batch);
}

void served_train(const struct served *s, const struct workload *w, int jobs)
{
    enum { ROWS = 2048 };
    struct text body = {0};
    struct json j = {.text = &body};
    put_object(&j);
    put_key(&j, "columns");
    put_values(&j, w, ROWS);
    put_object_end(&j);
    free(http_ask(s->port, "PUT", "/v1/datasets/rows", "application/json", body.data, 201));
    text_clear(&body);
    text_printf(&body,
                "{\"model\":\"%s\",\"dataset\":\"rows\",\"epochs\":1000000,"
                "\"optimizer\":{\"name\":\"SGD\",\"learning_rate\":0.001}}",
                w->name);
    for (int i = 0; i < jobs; i++)
        free(http_ask(s->port, "POST", "/v1/jobs", "application/json", body.data, 202));
    text_clear(&body);
    /* They are claimed and have begun. */
    (void)usleep(500000);
    char *running = http_ask(s->port, "GET", "/v1/jobs?state=running", NULL, NULL, 200);
    int found = 0;
    for (const char *at = running; (at = strstr(at, "\"state\":\"running\"")) != NULL; at++)
        found++;
    if (found != jobs)
        give_up("the jobs do not run", NULL);
    free(running);
}
