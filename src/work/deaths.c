#include "work/deaths.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_LENGTH = 64 };

/* A line of the file, ready to be written: a handler may do little. */
struct last_words {
    char line[LINE_MAX_LENGTH]; /* the id and a newline */
    atomic_size_t length;       /* 0: no job in hand */
};

static struct {
    int file, count;
    struct last_words *words;
} watched;
static _Thread_local struct last_words *own;

static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

static void write_words(struct last_words *w)
{
    size_t length = atomic_load(&w->length);
    if (length > 0 && write(watched.file, w->line, length) < 0)
        return; /* the job's death is not counted: nothing else can be done here */
}

static void on_death(int number)
{
    if (own)
        write_words(own);
    for (int i = 0; !own && i < watched.count; i++)
        write_words(&watched.words[i]);
    (void)raise(number); /* the default, which SA_RESETHAND has put back */
}

err_code deaths_watch(int file, int count, struct error *err)
{
    struct last_words *words = calloc((size_t)count, sizeof *words);
    if (!words)
        return error_set(err, ERR_out_of_memory, NULL);
    watched.words = words;
    watched.file = file;
    watched.count = count;
    struct sigaction action = {.sa_handler = on_death, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        (void)sigaction(numbers[i], &action, NULL);
    return ERR_ok;
}

void deaths_unwatch(void)
{
    for (size_t i = 0; watched.words && i < sizeof numbers / sizeof *numbers; i++)
        (void)signal(numbers[i], SIG_DFL);
    watched.count = 0;
    free(watched.words);
    watched.words = NULL;
}

void deaths_enter(int place, const char *job)
{
    size_t length = strlen(job);
    own = &watched.words[place];
    if (length + 1 > sizeof own->line)
        return;
    memcpy(own->line, job, length);
    own->line[length] = '\n';
    atomic_store(&own->length, length + 1);
}

void deaths_leave(int place)
{
    atomic_store(&watched.words[place].length, 0);
    own = NULL;
}
