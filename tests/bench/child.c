#include "child.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void become(const char *const argv[], int in, int out)
{
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
        execv(argv[0], (char *const *)(void *)argv);
    _exit(127);
}

bool child_start(struct child *c, const char *const argv[])
{
    int down[2];
    int up[2];
    *c = (struct child){0};
    if (pipe2(down, O_CLOEXEC) != 0)
        return false;
    if (pipe2(up, O_CLOEXEC) != 0) {
        close(down[0]);
        close(down[1]);
        return false;
    }
    fflush(NULL);
    c->pid = fork();
    if (c->pid == 0)
        become(argv, down[0], up[1]);
    close(down[0]);
    close(up[1]);
    c->to = fdopen(down[1], "w");
    c->from = fdopen(up[0], "r");
    if (c->pid > 0 && c->to != NULL && c->from != NULL)
        return true;
    c->pid = c->pid > 0 ? c->pid : 0;
    child_end(c);
    return false;
}

bool child_ask(struct child *c, const char *line, double *ret)
{
    char answer[64];
    if (c->pid == 0)
        return false;
    if (line != NULL && (fprintf(c->to, "%s\n", line) < 0 || fflush(c->to) != 0))
        return false;
    if (fgets(answer, sizeof answer, c->from) == NULL)
        return false;
    char *end = answer;
    *ret = strtod(answer, &end);
    return end != answer;
}

void child_end(struct child *c)
{
    if (c->to != NULL)
        (void)fclose(c->to);
    if (c->from != NULL)
        (void)fclose(c->from);
    if (c->pid > 0)
        (void)waitpid(c->pid, NULL, 0);
    *c = (struct child){0};
}
