#include "case.h"

#include "support/near.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

FILE *open_cases(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("can't open %s; tests run at the top of the source tree", path);
    return file;
}

static int is_text(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".txt") == 0;
}

size_t list_texts(const char *directory, char ***ret)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_text, alphasort);
    if (count <= 0)
        fail_msg("no .txt in %s; tests run at the top of the source tree", directory);
    size_t names = (size_t)(count > 0 ? count : 0);
    *ret = calloc(names + 1, sizeof **ret);
    assert_non_null(*ret);
    for (size_t i = 0; i < names; i++) {
        (*ret)[i] = strdup(entries[i]->d_name);
        assert_non_null((*ret)[i]);
        free(entries[i]);
    }
    free(entries);
    return names;
}

bool next_line(FILE *file, char *line, size_t size)
{
    while (fgets(line, (int)size, file)) {
        size_t length = strlen(line);
        if (length + 1 == size)
            fail_msg("a line is too long: %.60s...", line);
        if (length && line[length - 1] == '\n')
            line[--length] = '\0';
        if (length && line[0] != '#')
            return true;
    }
    return false;
}

void field_of(const char *line, int index, char *ret, size_t size)
{
    const char *start = line;
    for (; index > 0 && start; index--) {
        start = strstr(start, " | ");
        start = start ? start + 3 : NULL;
    }
    const char *end = start ? strstr(start, " | ") : NULL;
    size_t length = !start ? 0 : end ? (size_t)(end - start) : strlen(start);
    if (length >= size)
        fail_msg("a field is too long: %s", line);
    if (length)
        memcpy(ret, start, length);
    ret[length] = '\0';
}

/* "x (2,3) 1 2 3 4 5 6" */
static void read_array(const char *text, struct array *ret)
{
    const char *space = strchr(text, ' ');
    if (!space || (size_t)(space - text) >= sizeof ret->name)
        fail_msg("not an array: %.60s", text);
    memset(ret, 0, sizeof *ret);
    memcpy(ret->name, text, (size_t)(space - text));
    text = space + 1;
    ret->shape = read_shape(&text);
    read_values(&text, ret);
    int64_t count;
    assert_true(shape_elements(ret->shape, &count));
    assert_int_equal(count, ret->count);
}

static struct case_input *input_named(struct op_case *c, const char *text)
{
    for (size_t i = 0; i < c->input_count; i++) {
        size_t length = strlen(c->inputs[i].values.name);
        if (strncmp(c->inputs[i].values.name, text, length) == 0 && text[length] == ' ')
            return &c->inputs[i];
    }
    fail_msg("the dump has no such input: %.60s", text);
    return NULL;
}

/* The text behind the word, or NULL if the line has another one. */
static const char *after(const char *line, const char *word)
{
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 && line[length] == ' ' ? line + length + 1 : NULL;
}

static void read_dump_line(const char *line, struct op_case *c)
{
    const char *text;
    if ((text = after(line, "input"))) {
        assert_true(c->input_count < CASE_INPUTS_MAX);
        read_array(text, &c->inputs[c->input_count++].values);
    } else if ((text = after(line, "value"))) {
        read_array(text, &c->value);
    } else if ((text = after(line, "cotangent"))) {
        read_array(text, &c->cotangent);
    } else if ((text = after(line, "gradient"))) {
        struct case_input *input = input_named(c, text);
        input->differentiable = true;
        read_array(text, &input->gradient);
    } else if ((text = after(line, "direction"))) {
        read_array(text, &input_named(c, text)->direction);
    } else if ((text = after(line, "second"))) {
        read_array(text, &input_named(c, text)->second);
    } else {
        fail_msg("not a line of the dump: %.60s", line);
    }
}

bool next_case(FILE *cases, FILE *dump, struct op_case *ret)
{
    static char line[CASE_LINE_MAX];
    memset(ret, 0, sizeof *ret);
    bool more = next_line(cases, ret->text, sizeof ret->text), dumped = next_line(dump, line, sizeof line);
    if (!more && !dumped)
        return false;
    const char *text = dumped ? after(line, "case") : NULL;
    if (!more || !text || strcmp(text, ret->text) != 0)
        fail_msg("the dump is not made from these cases; run tests/reference/make_ops.py: %s", ret->text);
    field_of(ret->text, 0, ret->op, sizeof ret->op);
    field_of(ret->text, 2, ret->program, sizeof ret->program);
    field_of(ret->text, 4, ret->options, sizeof ret->options);
    for (;;) {
        long at = ftell(dump);
        if (!next_line(dump, line, sizeof line))
            return true;
        if (after(line, "case")) {
            assert_int_equal(fseek(dump, at, SEEK_SET), 0);
            return true;
        }
        read_dump_line(line, ret);
    }
}

void case_free(struct op_case *c)
{
    for (size_t i = 0; i < c->input_count; i++) {
        array_free(&c->inputs[i].values);
        array_free(&c->inputs[i].gradient);
        array_free(&c->inputs[i].direction);
        array_free(&c->inputs[i].second);
    }
    array_free(&c->value);
    array_free(&c->cotangent);
}
