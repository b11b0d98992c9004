#include "store/inside.h"
#include "store/migrate.h"
#include "store/upkeep.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static err_code fail(const char *path, struct error *err)
{
    err_code code = errno == ENOSPC || errno == EDQUOT ? ERR_no_space : ERR_database_failed;
    return error_set(err, code, "%s: %s", path, strerrordesc_np(errno));
}

/* A file beside `to` of a name of its own, empty; the caller frees the name. */
static err_code make_part(const char *to, char **ret, struct error *err)
{
    char *name = NULL;
    if (asprintf(&name, "%s.XXXXXX", to) < 0)
        return error_set(err, ERR_out_of_memory, "no memory for the name of the copy");
    int descriptor = mkstemp(name);
    if (descriptor < 0 || close(descriptor) != 0) {
        err_code code = fail(to, err);
        free(name);
        return code;
    }
    *ret = name;
    return ERR_ok;
}

static err_code sync_file(const char *path, struct error *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return fail(path, err);
    err_code code = fsync(descriptor) == 0 ? ERR_ok : fail(path, err);
    (void)close(descriptor);
    return code;
}

/* Copies to a file under another name, which takes the true one when it is whole. */
static err_code copy(struct db *db, const char *to, struct error *err)
{
    char *part = NULL;
    err_code code = make_part(to, &part, err);
    if (code != ERR_ok)
        return code;
    code = db_copy(db, part, err);
    if (code == ERR_ok)
        code = sync_file(part, err);
    if (code == ERR_ok && rename(part, to) != 0)
        code = fail(to, err);
    if (code != ERR_ok)
        (void)unlink(part);
    free(part);
    if (code == ERR_ok && !database_folder_sync(to))
        code = fail(to, err);
    return code;
}

static err_code copy_from(const char *from, const char *to, struct error *err)
{
    struct db *db = NULL;
    int64_t version;
    err_code code = db_open(from, DB_READER, &db, err);
    if (code == ERR_ok)
        code = migrate_recognise(db, migration_count, &version, err);
    if (code == ERR_ok)
        code = copy(db, to, err);
    db_close(db);
    return code;
}

err_code store_backup(const char *path, const char *to, struct error *err)
{
    struct stat there;
    if (stat(to, &there) == 0 && (!S_ISREG(there.st_mode) || there.st_size > 0))
        return error_set(err, ERR_database_failed, "%s is there already", to);
    char *from = realpath(path, NULL), *target = NULL;
    if (!from)
        return fail(path, err);
    err_code code = database_name(to, &target, err);
    if (code == ERR_ok)
        code = copy_from(from, target, err);
    free(target);
    free(from);
    return code;
}
