/* Names and widths of the instruction set that is being compiled for. */
#ifndef GRADD_ENGINE_VECTOR_ISA_H
#define GRADD_ENGINE_VECTOR_ISA_H

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
/* The name of a symbol that each instruction set has its own of. */
#define FOR_ISA(name) JOIN(name, ISA)
#define INLINE static inline __attribute__((always_inline, unused))

#endif
