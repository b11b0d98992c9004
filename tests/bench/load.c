#include "load.h"

#include "http.h"
#include "measure.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { TIMES = 1 << 20, EVENTS = 64, PATIENCE_MS = 60000 };

struct connection {
    int fd;
    double sent; /* wall_us */
    struct http_answer answer;
};

struct load {
    int epoll;
    const struct text *request;
    char *varied; /* owned copy of the request; NULL: it stays the same */
    size_t varied_at, digits;
    uint64_t next; /* number of the next request */
    struct connection *connections;
    size_t count;
    size_t answer_bytes;
    uint64_t answered;
    uint32_t *times; /* answers by the whole microseconds that they took; the last: as many or more */
};

struct load *load_new(uint16_t port, size_t connections, const struct text *request)
{
    struct load *l = must_have(calloc(1, sizeof *l));
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->request = request;
    l->connections = must_have(calloc(connections, sizeof *l->connections));
    l->times = must_have(calloc(TIMES, sizeof *l->times));
    for (; l->count < connections; l->count++) {
        struct connection *c = &l->connections[l->count];
        c->fd = http_connect(port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
            give_up("epoll", NULL);
    }
    return l;
}

void load_free(struct load *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->count; i++) {
        close(l->connections[i].fd);
        http_answer_clear(&l->connections[i].answer);
    }
    close(l->epoll);
    free(l->connections);
    free(l->times);
    free(l->varied);
    free(l);
}

void load_vary(struct load *l, size_t at, size_t digits)
{
    l->varied = must_have(strndup(l->request->data, l->request->length));
    l->varied_at = at;
    l->digits = digits;
}

static void send_next(struct load *l, struct connection *c)
{
    uint64_t number = ++l->next;
    for (size_t i = l->digits; i-- > 0; number /= 10)
        l->varied[l->varied_at + i] = (char)('0' + number % 10);
    c->sent = wall_us();
    http_send(c->fd, l->varied != NULL ? l->varied : l->request->data, l->request->length);
}

/* Takes an answer; false: it has not all come. */
static bool take_answer(struct load *l, struct connection *c)
{
    if (!http_read(c->fd, &c->answer))
        return false;
    if (c->answer.status != 200)
        give_up("an answer that is not 200", NULL);
    const double us = wall_us() - c->sent;
    l->times[us < TIMES - 1 ? (size_t)us : TIMES - 1]++;
    l->answered++;
    l->answer_bytes = c->answer.body;
    http_answer_again(&c->answer);
    return true;
}

double load_turn(void *load, int64_t count)
{
    struct load *l = load;
    struct epoll_event events[EVENTS];
    const double start = wall_us();
    int64_t to_send = count > (int64_t)l->count ? count : (int64_t)l->count;
    int64_t waiting = to_send;
    for (size_t i = 0; i < l->count; i++, to_send--)
        send_next(l, &l->connections[i]);
    while (waiting > 0) {
        const int ready = epoll_wait(l->epoll, events, EVENTS, PATIENCE_MS);
        if (ready <= 0)
            give_up("the server does not answer", NULL);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!take_answer(l, c))
                continue;
            waiting--;
            if (to_send-- > 0)
                send_next(l, c);
        }
    }
    const double us = wall_us() - start;
    return count < (int64_t)l->count ? us * (double)count / (double)l->count : us;
}

void load_forget(struct load *l)
{
    memset(l->times, 0, TIMES * sizeof *l->times);
    l->answered = 0;
}

double load_us(const struct load *l, double part)
{
    const double wanted = part * (double)l->answered;
    double seen = 0;
    size_t i = 0;
    for (; i < TIMES - 1; i++) {
        seen += l->times[i];
        if (seen >= wanted)
            break;
    }
    return (double)(i + 1);
}

size_t load_answer_bytes(const struct load *l)
{
    return l->answer_bytes;
}
