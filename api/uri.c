#include "api/uri.h"

#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that "%XX" at text stands for; -1 if it is no such triple. */
static int escaped_byte(const char *text)
{
    if (text[0] != '%' || hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0)
        return -1;
    return hex_digit(text[1]) * 16 + hex_digit(text[2]);
}

/* Decodes a path segment in place. */
static void decode_segment(char *text)
{
    char *out = text;
    while (*text != '\0') {
        int byte = escaped_byte(text);
        if (byte > 0 && byte != '/') {
            *out++ = (char)byte;
            text += 3;
        } else {
            *out++ = *text++;
        }
    }
    *out = '\0';
}

/* Decodes a parameter's name or value in place; false if it is not UTF-8 or holds a NUL. */
static bool decode_parameter(char *text)
{
    char *out = text, *start = text;
    bool valid = true;
    while (*text != '\0') {
        int byte = escaped_byte(text);
        if (byte == 0)
            valid = false;
        if (byte > 0) {
            *out++ = (char)byte;
            text += 3;
        } else {
            *out++ = *text == '+' ? ' ' : *text;
            text++;
        }
    }
    *out = '\0';
    return utf8_valid(start, (size_t)(out - start), NULL) && valid;
}

static void split_path(struct uri *u, char *path)
{
    char *rest = path + 1;
    for (;;) {
        char *end = strchr(rest, '/');
        if (u->segment_count == URI_SEGMENTS_MAX) {
            u->segment_count++;
            return;
        }
        u->segments[u->segment_count++] = rest;
        if (end == NULL)
            break;
        *end = '\0';
        rest = end + 1;
    }
    for (size_t i = 0; i < u->segment_count; i++)
        decode_segment(u->segments[i]);
}

static void split_query(struct uri *u, char *query)
{
    char *rest = query;
    while (rest != NULL) {
        char *part = rest;
        rest = strchr(rest, '&');
        if (rest != NULL)
            *rest++ = '\0';
        if (*part == '\0')
            continue;
        if (u->parameter_count == URI_PARAMETERS_MAX) {
            u->parameter_count++;
            return;
        }
        char *value = strchr(part, '=');
        if (value != NULL)
            *value++ = '\0';
        struct uri_parameter *p = &u->parameters[u->parameter_count++];
        p->valid = decode_parameter(part);
        if (value != NULL && !decode_parameter(value))
            p->valid = false;
        p->name = part;
        p->value = value != NULL ? value : "";
    }
}

/* Where the path of an absolute target starts: behind "http://host". NULL if it is no such target. */
static const char *behind_authority(const char *target)
{
    const char *rest = NULL;
    if (strncasecmp(target, "http://", 7) == 0)
        rest = target + 7;
    else if (strncasecmp(target, "https://", 8) == 0)
        rest = target + 8;
    return rest != NULL ? rest + strcspn(rest, "/?") : NULL;
}

err_code uri_parse(const char *target, struct uri *ret, struct error *err)
{
    struct uri u = {0};
    const char *start = target;
    if (*start != '/' && strcmp(start, "*") != 0)
        start = behind_authority(target);
    if (start == NULL)
        return error_set(err, ERR_bad_request, "the request's target must be a path that starts with '/'");

    size_t path_length = strcspn(start, "?#");
    const char *query = start[path_length] == '?' ? start + path_length + 1 : "";
    size_t query_length = strcspn(query, "#");
    /* An empty path behind an authority is "/". Path and query stand twice: as they came, and taken apart. */
    size_t path_room = path_length + 2, query_room = query_length + 1;
    u.memory = calloc(2, path_room + query_room);
    if (u.memory == NULL)
        return error_set(err, ERR_out_of_memory, "there is no memory for the request's target");
    u.path = u.memory;
    u.query = u.path + path_room;
    if (path_length > 0)
        memcpy(u.path, start, path_length);
    else
        u.path[0] = '/';
    memcpy(u.query, query, query_length);
    char *path_parts = u.query + query_room, *query_parts = path_parts + path_room;
    memcpy(path_parts, u.path, path_room);
    memcpy(query_parts, u.query, query_room);
    if (u.path[0] == '/')
        split_path(&u, path_parts);
    split_query(&u, query_parts);
    *ret = u;
    return ERR_ok;
}

void uri_clear(struct uri *u)
{
    free(u->memory);
    *u = (struct uri){0};
}

const char *uri_parameter(const struct uri *u, const char *name)
{
    for (size_t i = 0; i < u->parameter_count && i < URI_PARAMETERS_MAX; i++)
        if (strcmp(u->parameters[i].name, name) == 0)
            return u->parameters[i].value;
    return NULL;
}
