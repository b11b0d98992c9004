/* The table of all kernels of one instruction set. */
#include "engine/kernels_parts.h"

#define OF_DTYPE(bits)                                                                                                 \
    {                                                                                                                  \
        .elementwise = FOR_ISA(elementwise_kernels_##bits), .loss = FOR_ISA(loss_kernels_##bits),                      \
        .fill = FOR_ISA(fill_##bits), .sum = FOR_ISA(sum_##bits), .sum_lanes = FOR_ISA(sum_lanes_##bits),              \
        .max = FOR_ISA(max_##bits), .max_lanes = FOR_ISA(max_lanes_##bits), .softmax = FOR_ISA(softmax_##bits),        \
        .log_softmax = FOR_ISA(log_softmax_##bits), .cross_entropy = FOR_ISA(cross_entropy_##bits),                    \
        .product = FOR_ISA(product_##bits), .product_narrow = FOR_ISA(product_narrow_##bits),                          \
        .gather = FOR_ISA(gather_##bits), .scatter_add = FOR_ISA(scatter_add_##bits), .rows = FOR_ISA(rows_##bits),    \
        .one_hot = FOR_ISA(one_hot_##bits), .dropout = FOR_ISA(dropout_##bits),                                        \
    }
#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)

extern const struct kernels FOR_ISA(kernels);
const struct kernels FOR_ISA(kernels) = {
    .isa = TEXT(ISA),
    .of = {[DTYPE_FLOAT32] = OF_DTYPE(32), [DTYPE_FLOAT64] = OF_DTYPE(64)},
};
