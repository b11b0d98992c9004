#include "store/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* The holder writes its process id after it has the lock, so it may be missing for an instant. */
static err_code say_who(int file, const char *path, struct error *err)
{
    char text[32] = {0};
    char *end = text;
    long pid = pread(file, text, sizeof text - 1, 0) > 0 ? strtol(text, &end, 10) : 0;
    if (pid > 0 && *end == '\n')
        return error_set(err, ERR_database_locked, "%s is used by the process %ld", path, pid);
    return error_set(err, ERR_database_locked, "%s is used by another process", path);
}

static err_code fill(int file, const char *name, struct error *err)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(file, 0) == 0 && pwrite(file, text, (size_t)length, 0) == length)
        return ERR_ok;
    err_code code = errno == ENOSPC || errno == EDQUOT ? ERR_no_space : ERR_database_failed;
    return error_set(err, code, "%s can't be written: %s", name, strerrordesc_np(errno));
}

static err_code take(const char *name, const char *path, int *ret, struct error *err)
{
    int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return error_set(err, ERR_database_failed, "%s can't be opened: %s", name, strerrordesc_np(errno));
    err_code code;
    if (flock(file, LOCK_EX | LOCK_NB) == 0)
        code = fill(file, name, err);
    else if (errno == EWOULDBLOCK)
        code = say_who(file, path, err);
    else
        code = error_set(err, ERR_database_failed, "%s can't be locked: %s", name, strerrordesc_np(errno));
    if (code == ERR_ok)
        *ret = file;
    else
        (void)close(file);
    return code;
}

err_code lock_take(const char *path, int *ret, struct error *err)
{
    char *name = NULL;
    if (asprintf(&name, "%s-lock", path) < 0)
        return error_set(err, ERR_out_of_memory, "no memory for the name of the lock");
    err_code code = take(name, path, ret, err);
    free(name);
    return code;
}

void lock_release(int lock)
{
    (void)close(lock);
}
