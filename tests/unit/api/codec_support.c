#include "codec_support.h"
#include <stdio.h>
#include <string.h>

const struct limits test_limits = {
    .body_bytes = 1 << 20,
    .model_bytes = 16 << 20,
    .query_bytes = 64 << 20,
    .dataset_bytes = 1 << 30,
    .rank = 8,
    .tensor_elements = (int64_t)1 << 31,
    .answer_elements = 10000000,
    .program_names = 10000,
    .program_bytes = 1 << 20,
    .program_nesting = 256,
    .parameter_elements = 1 << 26,
    .json_nesting = 64,
    .nodes = 1000000,
    .memory_bytes = (int64_t)1 << 32,
};

bool has_mistake(const struct error *err, err_code code, const char *pointer)
{
    for (size_t i = 0; i < err->item_count; i++) {
        const struct error_item *item = &err->items[i];
        if (item->code == code && (!pointer || (item->pointer && strcmp(item->pointer, pointer) == 0)))
            return true;
    }
    return false;
}

void print_mistakes(const struct error *err)
{
    fprintf(stderr, "%s: %s\n", err_name(err->code), err->detail ? err->detail : "");
    for (size_t i = 0; i < err->item_count; i++) {
        const struct error_item *item = &err->items[i];
        fprintf(stderr, "  %s %s %d:%d %s\n", err_name(item->code), item->pointer ? item->pointer : "-", item->line,
                item->column, item->detail);
    }
}
