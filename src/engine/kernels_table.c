/* The table of all kernels of one instruction set. */
#include "engine/kernels_parts.h"

#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)

/* clang-format off */
#define OF_DTYPE(bits) \
    { \
        .isa = TEXT(ISA), \
        .map = FOR_ISA(maps_##bits), \
        .loss = FOR_ISA(loss_kernels_##bits), \
        .fill = FOR_ISA(fill_##bits), \
        .program = FOR_ISA(program_##bits), \
        .sum = FOR_ISA(sum_##bits), \
        .max = FOR_ISA(max_##bits), \
        .cum_sum = FOR_ISA(cum_sum_##bits), \
        .arg_max = FOR_ISA(arg_max_##bits), \
        .norm = FOR_ISA(norm_##bits), \
        .softmax = FOR_ISA(softmax_##bits), \
        .log_softmax = FOR_ISA(log_softmax_##bits), \
        .cross_entropy = FOR_ISA(cross_entropy_##bits), \
        .product = FOR_ISA(product_##bits), \
        .finish = FOR_ISA(finish_##bits), \
        .product_narrow = FOR_ISA(product_narrow_##bits), \
        .gather = FOR_ISA(gather_##bits), \
        .scatter_add = FOR_ISA(scatter_add_##bits), \
        .rows = FOR_ISA(rows_##bits), \
        .one_hot = FOR_ISA(one_hot_##bits), \
        .dropout = FOR_ISA(dropout_##bits), \
        .windows = FOR_ISA(windows_##bits), \
        .fold_windows = FOR_ISA(fold_windows_##bits), \
        .max_pool = FOR_ISA(max_pool_##bits), \
        .pick_max = FOR_ISA(pick_max_##bits), \
        .place_max = FOR_ISA(place_max_##bits), \
    }
/* clang-format on */

extern const struct kernels FOR_ISA(kernels);
const struct kernels FOR_ISA(kernels) = {
    .isa = TEXT(ISA),
    .of = {[DTYPE_FLOAT32] = OF_DTYPE(32), [DTYPE_FLOAT64] = OF_DTYPE(64)},
};
