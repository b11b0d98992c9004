/* The kernels of one instruction set: what each kernels_*.c gives to kernels_table.c. ISA is defined by the build. */
#ifndef GRADD_ENGINE_KERNELS_PARTS_H
#define GRADD_ENGINE_KERNELS_PARTS_H

#include "engine/kernels.h"
#include "engine/vector_isa.h"

extern const kernel_fn FOR_ISA(elementwise_kernels_32)[OP_COUNT];
extern const kernel_fn FOR_ISA(elementwise_kernels_64)[OP_COUNT];
extern const kernel_fn FOR_ISA(loss_kernels_32)[OP_COUNT];
extern const kernel_fn FOR_ISA(loss_kernels_64)[OP_COUNT];

/* PART(name): the kernel of that name for both dtypes. */
#define PART(name)                                                                                                     \
    void FOR_ISA(name##_32)(const void *args, void *const *p);                                                         \
    void FOR_ISA(name##_64)(const void *args, void *const *p)

PART(fill);
PART(sum);
PART(sum_lanes);
PART(max);
PART(max_lanes);
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
#undef PART

#endif
