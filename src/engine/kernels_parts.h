/* The kernels of one instruction set: what each kernels_*.c gives to kernels_table.c. ISA is defined by the build. */
#ifndef GRADD_ENGINE_KERNELS_PARTS_H
#define GRADD_ENGINE_KERNELS_PARTS_H

#include "engine/kernels.h"
#include "engine/vector_isa.h"

extern const map_fn FOR_ISA(maps_32)[OP_COUNT];
extern const map_fn FOR_ISA(maps_64)[OP_COUNT];
extern const kernel_fn FOR_ISA(loss_kernels_32)[OP_COUNT];
extern const kernel_fn FOR_ISA(loss_kernels_64)[OP_COUNT];

/* PART(name): the kernel of that name for both dtypes. */
#define PART(name)                                                                                                     \
    void FOR_ISA(name##_32)(const void *args, void *const *p);                                                         \
    void FOR_ISA(name##_64)(const void *args, void *const *p)

PART(fill);
PART(program);
PART(sum);
PART(max);
PART(cum_sum);
PART(arg_max);
PART(norm);
PART(softmax);
PART(log_softmax);
PART(cross_entropy);
PART(product);
PART(product_narrow);
PART(gather);
PART(scatter_add);
PART(rows);
PART(one_hot);
PART(dropout);
PART(windows);
PART(fold_windows);
PART(max_pool);
PART(pick_max);
PART(place_max);
#undef PART

void FOR_ISA(finish_32)(const void *args, void *const *p, int64_t row, int64_t rows, int64_t column, int64_t columns,
                        void *block, int64_t block_row);
void FOR_ISA(finish_64)(const void *args, void *const *p, int64_t row, int64_t rows, int64_t column, int64_t columns,
                        void *block, int64_t block_row);

#endif
