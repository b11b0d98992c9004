#include "api/accept.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    RETRY_MS = 20,  /* when there are no more descriptors, or no memory */
    BEGIN_MS = 200, /* what was taken and has not begun by then never will */
};

struct acceptor {
    int listening;
    int wake; /* an eventfd: a connection has ended at the limit, or all has */
    accept_take *take;
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex;
    size_t open, beginning, most; /* beginning: taken, but not open yet */
    bool ending;
};

enum room { ROOM, ROOM_NONE, ROOM_NONE_YET, ENDING };

static enum room room_now(struct acceptor *a)
{
    pthread_mutex_lock(&a->mutex);
    enum room room = ROOM;
    if (a->ending)
        room = ENDING;
    else if (a->open + a->beginning >= a->most)
        room = a->beginning > 0 ? ROOM_NONE_YET : ROOM_NONE;
    pthread_mutex_unlock(&a->mutex);
    return room;
}

static void forget_beginning(struct acceptor *a)
{
    pthread_mutex_lock(&a->mutex);
    a->beginning = 0;
    pthread_mutex_unlock(&a->mutex);
}

static void wake(const struct acceptor *a)
{
    const uint64_t one = 1;
    ssize_t ignored = write(a->wake, &one, sizeof one);
    (void)ignored; /* it fails only where many wake it already */
}

/* Waits for a connection where there is room for one, and for being woken. */
static void wait_for_some(struct acceptor *a, enum room room, bool failed)
{
    struct pollfd fds[] = {{.fd = a->wake, .events = POLLIN}, {.fd = a->listening, .events = POLLIN}};
    uint64_t count;
    nfds_t looked_at = failed || room != ROOM ? 1 : 2;
    int ready = poll(fds, looked_at, failed ? RETRY_MS : room == ROOM_NONE_YET ? BEGIN_MS : -1);
    if (ready > 0 && fds[0].revents != 0) {
        ssize_t ignored = read(a->wake, &count, sizeof count);
        (void)ignored;
    }
    if (ready == 0 && room == ROOM_NONE_YET)
        forget_beginning(a);
}

/* Takes one; false: there is none now, or, *ret_failed, it can't be taken. */
static bool take_one(struct acceptor *a, bool *ret_failed)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    const int on = 1;
    int fd = accept4(a->listening, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        *ret_failed = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return !*ret_failed && errno != EAGAIN && errno != EWOULDBLOCK;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pthread_mutex_lock(&a->mutex);
    a->beginning++;
    pthread_mutex_unlock(&a->mutex);
    a->take(a->context, fd, (struct sockaddr *)&address, length);
    return true;
}

static void *accept_all(void *context)
{
    struct acceptor *a = context;
    bool failed = false;
    for (enum room room = room_now(a); room != ENDING; room = room_now(a)) {
        if (failed || room != ROOM || !take_one(a, &failed)) {
            wait_for_some(a, room, failed);
            failed = false;
        }
    }
    return NULL;
}

err_code acceptor_new(int fd, size_t most, accept_take *take, void *context, struct acceptor **ret, struct error *err)
{
    struct acceptor *a = calloc(1, sizeof *a);
    if (a == NULL)
        return error_set(err, ERR_out_of_memory, NULL);
    *a = (struct acceptor){.listening = fd, .take = take, .context = context, .most = most};
    pthread_mutex_init(&a->mutex, NULL);
    a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *ret = a; /* before the thread: what it takes may begin and end */
    if (a->wake >= 0 && pthread_create(&a->thread, NULL, accept_all, a) == 0)
        return ERR_ok;
    *ret = NULL;
    if (a->wake >= 0)
        close(a->wake);
    pthread_mutex_destroy(&a->mutex);
    free(a);
    return error_set(err, ERR_out_of_memory, "the thread that takes connections could not be started");
}

void acceptor_stop(struct acceptor *a)
{
    if (a == NULL)
        return;
    pthread_mutex_lock(&a->mutex);
    a->ending = true;
    pthread_mutex_unlock(&a->mutex);
    wake(a);
    pthread_join(a->thread, NULL);
}

void acceptor_free(struct acceptor *a)
{
    if (a == NULL)
        return;
    close(a->wake);
    pthread_mutex_destroy(&a->mutex);
    free(a);
}

void acceptor_began(struct acceptor *a)
{
    pthread_mutex_lock(&a->mutex);
    a->beginning -= a->beginning > 0;
    a->open++;
    pthread_mutex_unlock(&a->mutex);
}

void acceptor_ended(struct acceptor *a)
{
    pthread_mutex_lock(&a->mutex);
    a->open--;
    bool was_full = a->open + a->beginning + 1 >= a->most;
    pthread_mutex_unlock(&a->mutex);
    if (was_full)
        wake(a);
}
