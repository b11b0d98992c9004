#include "engine/xsmm.h"

#if defined(__x86_64__) && __has_include(<libxsmm.h>)
#include <libxsmm_cpuid.h>
#include <libxsmm_generator.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The shapes that are compiled. With AVX-512 and less than twelve rows LIBXSMM sums some of them in several parts. */
enum { ROWS_LEAST = 12, ROWS_MOST = 64, COLUMNS_MOST = 64, DEPTH_MOST = 64, CODE_BYTES_MOST = 1 << 16 };

/* A product as LIBXSMM is told it: rows are `_row` elements apart; a transposed a is stored as (k, m). */
struct form {
    enum dtype dtype;
    int arch;
    int m, n, k;
    int a_row, b_row, c_row;
    int a_transposed;
};

/* What has been compiled, or tried in vain (NULL). */
static struct {
    pthread_mutex_t lock;
    size_t count;
    bool forbidden; /* executable memory */
    struct {
        struct form form;
        product_code code;
    } entry[XSMM_CODES_MOST];
} made = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Rows close together, as those of leaves or padded ones are: other strides would be too many forms. */
static bool is_close(int64_t row, int64_t columns)
{
    return row == columns || row == (columns + 15) / 16 * 16;
}

static bool form_of(const struct product_args *g, const struct kernels_of_dtype *kernels, enum dtype dtype,
                    struct form *ret)
{
    const bool c_slack = !g->c_kept || g->c_slack;
    const bool a_transposed = g->a_col != 1;
    const int64_t whole = 64 / (int64_t)dtype_size(dtype);
    struct form f = {.dtype = dtype, .a_transposed = a_transposed};
    if (strcmp(kernels->isa, "avx512") == 0)
        f.arch = LIBXSMM_X86_AVX512_CORE;
    else if (strcmp(kernels->isa, "avx2") == 0)
        f.arch = LIBXSMM_X86_AVX2;
    else
        return false;
    if (g->batch_rank > 0 || g->m < ROWS_LEAST || g->m > ROWS_MOST || g->n < 2 || g->n > COLUMNS_MOST || g->k < 1 ||
        g->k > DEPTH_MOST || g->b_col != 1 || (a_transposed && g->a_row != 1))
        return false;
    const int64_t a_row = a_transposed ? g->a_col : g->a_row;
    const int64_t c_row = g->c_kept ? g->c_row : product_block_row(g);
    if (!is_close(a_row, a_transposed ? g->m : g->k) || !is_close(c_row, g->n))
        return false;
    f.m = (int)g->m;
    f.n = (int)(c_slack && g->b_slack ? (g->n + whole - 1) / whole * whole : g->n);
    /* Without masks, LIBXSMM does what is left of a row element by element. */
    if (f.arch == LIBXSMM_X86_AVX2 && f.n % (whole / 2) != 0)
        return false;
    f.k = (int)g->k;
    f.a_row = (int)a_row;
    f.b_row = g->k == 1 ? f.n : (int)g->b_row; /* of a single row the stride does not matter */
    f.c_row = (int)c_row;
    if (g->k > 1 && !is_close(g->b_row, g->n))
        return false;
    *ret = f;
    return true;
}

/* LIBXSMM is column-major: our c = a b is its c^T = b^T a^T. */
static bool generate(const struct form *f, libxsmm_generated_code *code)
{
    libxsmm_descriptor_blob blob;
    const libxsmm_gemm_precision precision =
        f->dtype == DTYPE_FLOAT32 ? LIBXSMM_GEMM_PRECISION_F32 : LIBXSMM_GEMM_PRECISION_F64;
    const libxsmm_gemm_descriptor *descriptor = libxsmm_gemm_descriptor_dinit(
        &blob, precision, f->n, f->m, f->k, f->b_row, f->a_row, f->c_row, 1, 0,
        f->a_transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE, LIBXSMM_GEMM_PREFETCH_NONE);
    if (descriptor == NULL)
        return false;
    libxsmm_generator_gemm_kernel(code, descriptor);
    return code->last_error == 0 && code->code_size > 0;
}

/* A copy of the code in memory that is executable and no longer writable; NULL: there is no memory, or none that may be
 * executed (`made.forbidden`). */
static void *make_executable(const void *code, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    memcpy(memory, code, bytes);
    if (mprotect(memory, bytes, PROT_READ | PROT_EXEC) == 0)
        return memory;
    made.forbidden = true;
    (void)munmap(memory, bytes);
    return NULL;
}

static void fill(void *to, enum dtype dtype, int64_t count, uint32_t seed)
{
    uint32_t state = seed;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        const double x = (double)(state >> 8) * 0x1p-24 - 0.5;
        if (dtype == DTYPE_FLOAT32)
            ((float *)to)[i] = (float)x;
        else
            ((double *)to)[i] = x * (1 + 0x1p-30);
    }
}

/* Whether the code gives the bits of our own kernel for pseudorandom numbers. */
static bool agrees(const struct form *f, product_code code, const struct kernels_of_dtype *kernels)
{
    enum { ELEMENTS_MOST = 64 * 64, PROBES = 3 };
    const size_t size = dtype_size(f->dtype);
    const size_t bytes = ELEMENTS_MOST * size;
    struct product_args g = {.m = f->m,
                             .n = f->n,
                             .k = f->k,
                             .a_row = f->a_transposed ? 1 : f->a_row,
                             .a_col = f->a_transposed ? f->a_row : 1,
                             .b_row = f->b_row,
                             .b_col = 1,
                             .c_row = f->c_row,
                             .c_kept = true};
    unsigned char *memory = calloc(4, bytes);
    bool same = memory != NULL;
    for (uint32_t probe = 0; probe < PROBES && same; probe++) {
        unsigned char *a = memory;
        unsigned char *b = a + bytes;
        unsigned char *mine = b + bytes;
        unsigned char *its = mine + bytes;
        void *p[] = {mine, a, b, NULL};
        fill(a, f->dtype, ELEMENTS_MOST, probe);
        fill(b, f->dtype, ELEMENTS_MOST, probe + PROBES);
        kernels->product(&g, p);
        code(b, a, its);
        for (int64_t i = 0; i < f->m && same; i++) {
            const size_t row = (size_t)i * (size_t)f->c_row * size;
            same = memcmp(mine + row, its + row, (size_t)f->n * size) == 0;
        }
    }
    free(memory);
    return same;
}

static product_code compile(const struct form *f, const struct kernels_of_dtype *kernels)
{
    libxsmm_generated_code text = {.generated_code = calloc(1, CODE_BYTES_MOST),
                                   .buffer_size = CODE_BYTES_MOST,
                                   .code_type = 2,
                                   .arch = (unsigned)f->arch};
    void *memory = NULL;
    product_code code = NULL;
    if (text.generated_code != NULL && generate(f, &text))
        memory = make_executable(text.generated_code, text.code_size);
    free(text.generated_code);
    if (memory == NULL)
        return NULL;
    memcpy(&code, &memory, sizeof code); /* ISO C has no cast between them */
    if (agrees(f, code, kernels))
        return code;
    (void)munmap(memory, text.code_size);
    return NULL;
}

product_code xsmm_code(const struct product_args *g, const struct kernels_of_dtype *kernels, enum dtype dtype)
{
    struct form f;
    product_code code = NULL;
    size_t i = 0;
    if (!form_of(g, kernels, dtype, &f))
        return NULL;
    pthread_mutex_lock(&made.lock);
    while (i < made.count && memcmp(&made.entry[i].form, &f, sizeof f) != 0)
        i++;
    if (i < made.count) {
        code = made.entry[i].code;
    } else if (i < XSMM_CODES_MOST && !made.forbidden) {
        code = compile(&f, kernels);
        made.entry[made.count].form = f;
        made.entry[made.count++].code = code;
    }
    pthread_mutex_unlock(&made.lock);
    return code;
}

#else

product_code xsmm_code(const struct product_args *g, const struct kernels_of_dtype *kernels, enum dtype dtype)
{
    (void)g;
    (void)kernels;
    (void)dtype;
    return NULL;
}

#endif
