#include "http.h"

#include "measure.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_ROOM = 16 << 10, PATIENCE_MS = 60000 };

int http_connect(uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
        give_up("no connection to the server", NULL);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

void http_write_request(struct text *to, const char *method, const char *path, const char *type, const char *body)
{
    text_printf(to, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path);
    if (body != NULL)
        text_printf(to, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, strlen(body));
    text_puts(to, "\r\n");
    text_puts(to, body != NULL ? body : "");
    if (to->failed)
        give_up("no memory", NULL);
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    if (poll(&p, 1, PATIENCE_MS) != 1)
        give_up("the server does not answer", NULL);
}

void http_send(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t sent = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            give_up("the connection broke", NULL);
        if (sent < 0) {
            wait_for(fd, POLLOUT);
            continue;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* Finds the head's end, its status and its length, once they are there. */
static void read_head(struct http_answer *a)
{
    static const char length[] = "\r\nContent-Length:";
    const char *end = memmem(a->bytes, a->size, "\r\n\r\n", 4);
    if (end == NULL)
        return;
    a->head = (size_t)(end + 4 - a->bytes);
    const char *found = must_have(memmem(a->bytes, a->head, length, sizeof length - 1));
    a->status = (int)strtol(a->bytes + sizeof "HTTP/1.1", NULL, 10);
    a->body = strtoul(found + sizeof length - 1, NULL, 10);
}

bool http_read(int fd, struct http_answer *a)
{
    for (;;) {
        if (a->room - a->size < FIRST_ROOM / 2) {
            a->room = a->room > 0 ? 2 * a->room : FIRST_ROOM;
            a->bytes = must_have(realloc(a->bytes, a->room));
        }
        const ssize_t got = recv(fd, a->bytes + a->size, a->room - a->size - 1, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        if (got <= 0)
            give_up("the server closed the connection", NULL);
        a->size += (size_t)got;
        if (a->head == 0)
            read_head(a);
        if (a->head > 0 && a->size >= a->head + a->body)
            return true;
    }
}

void http_answer_again(struct http_answer *a)
{
    a->size = a->head = a->body = 0;
}

void http_answer_clear(struct http_answer *a)
{
    free(a->bytes);
    *a = (struct http_answer){0};
}

char *http_ask(uint16_t port, const char *method, const char *path, const char *type, const char *body, int status)
{
    struct text request = {0};
    struct http_answer answer = {0};
    const int fd = http_connect(port);
    http_write_request(&request, method, path, type, body);
    http_send(fd, request.data, request.length);
    while (!http_read(fd, &answer))
        wait_for(fd, POLLIN);
    answer.bytes[answer.size] = '\0';
    if (answer.status != status) {
        fprintf(stderr, "%s %s: %s\n", method, path, answer.bytes + answer.head);
        give_up("an answer of another status than was expected", NULL);
    }
    char *text = must_have(strdup(answer.bytes + answer.head));
    http_answer_clear(&answer);
    text_clear(&request);
    close(fd);
    return text;
}
