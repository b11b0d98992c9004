/* Instruction sets: a table of kernels each. */
#ifndef GRADD_ENGINE_ISA_H
#define GRADD_ENGINE_ISA_H

#include "engine/kernels.h"
#include "engine/plan.h"

/* The i-th instruction set that this machine can run, the best first; NULL after the last. */
const struct kernels *isa_at(size_t i);
/* The one in use. */
const struct kernels *isa_selected(void);
/* plan_make with the kernels of an instruction set. */
err_code plan_make_isa(const struct plan_spec *spec, const struct kernels *kernels, struct plan **ret,
                       struct error *err);

#endif
