/* The acceptor: takes what comes up to the limit, and goes on when a connection has ended. */
#include "api/accept.h"
#include "support/near.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { TAKEN_MAX = 64, LIMIT = 3, SOON_MS = 5000, WHILE_MS = 50 };

struct house {
    int listening;
    struct sockaddr_in address;
    struct acceptor *acceptor;
    pthread_mutex_t mutex;
    int taken[TAKEN_MAX];
    size_t count;
    bool begins; /* what is taken begins at once */
};

static void take(void *context, int fd, const struct sockaddr *address, socklen_t length)
{
    struct house *h = context;
    assert_int_equal(address->sa_family, AF_INET);
    assert_int_equal(length, sizeof h->address);
    pthread_mutex_lock(&h->mutex);
    h->taken[h->count++] = fd;
    bool begins = h->begins;
    pthread_mutex_unlock(&h->mutex);
    if (begins)
        acceptor_began(h->acceptor);
}

static size_t taken(struct house *h)
{
    pthread_mutex_lock(&h->mutex);
    size_t count = h->count;
    pthread_mutex_unlock(&h->mutex);
    return count;
}

static void wait_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Whether so many are taken soon, and no more for a while. */
static bool takes_just(struct house *h, size_t count)
{
    for (int i = 0; i < SOON_MS && taken(h) < count; i++)
        wait_ms(1);
    wait_ms(WHILE_MS);
    return taken(h) == count;
}

static int setup(void **state)
{
    struct house *h = test_calloc(1, sizeof *h);
    struct error err = {0};
    socklen_t length = sizeof h->address;
    h->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    h->begins = true;
    pthread_mutex_init(&h->mutex, NULL);
    h->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(h->listening, (struct sockaddr *)&h->address, length), 0);
    assert_int_equal(listen(h->listening, TAKEN_MAX), 0);
    assert_int_equal(getsockname(h->listening, (struct sockaddr *)&h->address, &length), 0);
    assert_int_equal(acceptor_new(h->listening, LIMIT, take, h, &h->acceptor, &err), ERR_ok);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct house *h = *state;
    acceptor_stop(h->acceptor);
    acceptor_free(h->acceptor);
    for (size_t i = 0; i < h->count; i++)
        close(h->taken[i]);
    close(h->listening);
    pthread_mutex_destroy(&h->mutex);
    test_free(h);
    return 0;
}

static void connect_many(const struct house *h, int *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(clients[i], (const struct sockaddr *)&h->address, sizeof h->address), 0);
    }
}

static void close_many(const int *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(clients[i]);
}

static void test_the_limit(void **state)
{
    struct house *h = *state;
    enum { COUNT = 2 * LIMIT };
    int clients[COUNT];
    connect_many(h, clients, COUNT);
    assert_true(takes_just(h, LIMIT));
    acceptor_ended(h->acceptor);
    assert_true(takes_just(h, LIMIT + 1));
    acceptor_ended(h->acceptor);
    acceptor_ended(h->acceptor);
    assert_true(takes_just(h, LIMIT + 3));
    close_many(clients, COUNT);
}

/* What is taken counts before it has begun; what never begins does not count for ever. */
static void test_what_does_not_begin(void **state)
{
    struct house *h = *state;
    int clients[LIMIT + 2];
    h->begins = false;
    connect_many(h, clients, LIMIT + 2);
    assert_true(takes_just(h, LIMIT));
    for (int i = 0; i < SOON_MS && taken(h) < LIMIT + 2; i++)
        wait_ms(1);
    assert_int_equal(taken(h), LIMIT + 2);
    close_many(clients, LIMIT + 2);
}

static void test_it_ends_at_the_limit(void **state)
{
    struct house *h = *state;
    int clients[LIMIT + 1];
    connect_many(h, clients, LIMIT + 1);
    assert_true(takes_just(h, LIMIT));
    close_many(clients, LIMIT + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_does_not_begin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_ends_at_the_limit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
