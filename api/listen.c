#include "api/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static int listen_at(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char port[16];
    int number = 0;
    if (getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
        getnameinfo((struct sockaddr *)&address, length, NULL, 0, port, sizeof port, NI_NUMERICSERV) == 0)
        for (const char *c = port; *c >= '0' && *c <= '9'; c++)
            number = number * 10 + (*c - '0');
    return number;
}

err_code listen_on(const char *host, int port, int *ret_fd, struct text *url, struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int failure = getaddrinfo(host, service, &hints, &found);
    if (failure != 0)
        return error_set(err, ERR_invalid_value, "can't listen on %s:%d: %s", host, port, gai_strerror(failure));
    int fd = -1;
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next)
        fd = listen_at(a);
    int reason = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return error_set(err, ERR_invalid_value, "can't listen on %s:%d: %s", host, port, strerror(reason));
    bool brackets = strchr(host, ':') != NULL;
    text_printf(url, "http://%s%s%s:%d", brackets ? "[" : "", host, brackets ? "]" : "", port_of(fd));
    *ret_fd = fd;
    return ERR_ok;
}

void listen_raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}
