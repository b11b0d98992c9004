#include "engine/isa.h"
#include "engine/run.h"
#include <string.h>

#if defined(__x86_64__)
extern const struct kernels kernels_avx512, kernels_avx2, kernels_baseline;
#elif defined(__aarch64__)
extern const struct kernels kernels_neon;
#else
extern const struct kernels kernels_baseline;
#endif

/* Chosen by engine_select_isa, once, before there are plans. */
static const struct kernels *_Atomic forced;

const struct kernels *isa_at(size_t i)
{
    const struct kernels *have[4] = {NULL};
    size_t count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        have[count++] = &kernels_avx512;
    if (avx2)
        have[count++] = &kernels_avx2;
    have[count++] = &kernels_baseline;
#elif defined(__aarch64__)
    have[count++] = &kernels_neon;
#else
    have[count++] = &kernels_baseline;
#endif
    return i < count ? have[i] : NULL;
}

const struct kernels *isa_selected(void)
{
    const struct kernels *kernels = forced;
    return kernels != NULL ? kernels : isa_at(0);
}

err_code engine_select_isa(const char *name, struct error *err)
{
    for (size_t i = 0; isa_at(i) != NULL; i++)
        if (strcmp(isa_at(i)->isa, name) == 0) {
            forced = isa_at(i);
            return ERR_ok;
        }
    return error_set(err, ERR_invalid_value, "this machine has no instruction set \"%s\"; the best it has is \"%s\"",
                     name, isa_at(0)->isa);
}

const char *engine_isa(void)
{
    return isa_selected()->isa;
}
