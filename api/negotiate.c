#include "api/negotiate.h"

#include <string.h>
#include <strings.h>

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t");
}

/* One element of a list, up to ',' outside of quotes. */
static size_t element_length(const char *text)
{
    bool quoted = false;
    size_t i = 0;
    for (; text[i] != '\0' && (quoted || text[i] != ','); i++) {
        if (quoted && text[i] == '\\' && text[i + 1] != '\0')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
    }
    return i;
}

/* A quality in thousandths: "0.8" is 800. What is malformed counts as 0. */
static int quality_value(const char *text, size_t length)
{
    int value = 0, unit = 1000;
    for (size_t i = 0; i < length; i++) {
        if (i == 1 && text[i] == '.')
            continue;
        if (i > 4 || text[i] < '0' || text[i] > '9')
            return 0;
        value += (text[i] - '0') * unit;
        unit /= 10;
    }
    return length > 0 && value <= 1000 ? value : 0;
}

/* The q of the parameters in an element of Accept; 1000 if there is none. */
static int element_quality(const char *element, size_t length)
{
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        if (element[i] == '"')
            quoted = !quoted;
        if (quoted || element[i] != ';')
            continue;
        const char *parameter = skip_space(element + i + 1);
        if ((*parameter == 'q' || *parameter == 'Q') && parameter[1] == '=')
            return quality_value(parameter + 2, strcspn(parameter + 2, "; \t,"));
    }
    return 1000;
}

/* How precisely a media range names the type: 3 exactly, 2 by its first half, 1 by two stars, 0 not at all. */
static int range_match(const char *range, size_t length, const char *type)
{
    size_t major = strcspn(type, "/") + 1;
    if (length == strlen(type) && strncasecmp(range, type, length) == 0)
        return 3;
    if (length == major + 1 && range[major] == '*' && strncasecmp(range, type, major) == 0)
        return 2;
    return length == 3 && memcmp(range, "*/*", 3) == 0 ? 1 : 0;
}

/* What the header gives the type: the quality of the range that names it most precisely. */
static int type_quality(const char *accept, const char *type)
{
    int quality = 0, best_match = 0;
    for (const char *p = accept; *p != '\0';) {
        p = skip_space(p);
        size_t length = element_length(p), name = 0;
        while (name < length && strchr("; \t", p[name]) == NULL)
            name++;
        int match = range_match(p, name, type);
        if (match > best_match) {
            best_match = match;
            quality = element_quality(p, length);
        }
        p += length;
        if (*p == ',')
            p++;
    }
    return quality;
}

const char *negotiate_accept(const char *accept, const char *const *types)
{
    if (accept == NULL || *skip_space(accept) == '\0')
        return types[0];
    const char *best = NULL;
    int best_quality = 0;
    for (size_t i = 0; types[i] != NULL; i++) {
        int quality = type_quality(accept, types[i]);
        if (quality > best_quality) {
            best_quality = quality;
            best = types[i];
        }
    }
    return best;
}

bool negotiate_none_match(const char *header, const char *tag)
{
    if (header == NULL)
        return false;
    size_t tag_length = strlen(tag);
    for (const char *p = skip_space(header); *p != '\0';) {
        p += strspn(p, " \t,");
        size_t length = element_length(p);
        const char *next = p + length;
        while (length > 0 && (p[length - 1] == ' ' || p[length - 1] == '\t'))
            length--;
        if (length == 1 && *p == '*')
            return true;
        if (length > 2 && p[0] == 'W' && p[1] == '/') {
            p += 2;
            length -= 2;
        }
        if (length == tag_length && memcmp(p, tag, length) == 0)
            return true;
        p = next;
    }
    return false;
}

void negotiate_media_type(const char *header, char *ret, size_t room)
{
    ret[0] = '\0';
    if (header == NULL)
        return;
    header = skip_space(header);
    size_t length = strcspn(header, "; \t,");
    if (length >= room)
        return;
    for (size_t i = 0; i < length; i++)
        ret[i] = header[i] >= 'A' && header[i] <= 'Z' ? (char)(header[i] - 'A' + 'a') : header[i];
    ret[length] = '\0';
}
