/* What a test program asks of the allocator and of locks. A program that includes this is linked with --wrap for each
 * of the functions (Makefile: COUNTED); calls from gradd's own code are counted, those inside libraries are not. */
#ifndef GRADD_TESTS_SUPPORT_COUNTED_H
#define GRADD_TESTS_SUPPORT_COUNTED_H

#include <stddef.h>

struct counted {
    size_t calls;        /* of malloc and its kin, free too */
    size_t live;         /* bytes asked for and not freed */
    size_t live_aligned; /* those of aligned_alloc among them */
    size_t locks;        /* taken */
};
extern struct counted counted;

#endif
