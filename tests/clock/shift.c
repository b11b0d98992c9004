/* Sets the clock that a process sees: loaded with LD_PRELOAD, it adds to CLOCK_REALTIME the milliseconds that stand, as
 * a 64-bit integer, in the file that GRADD_TEST_CLOCK names. Whoever writes another number there makes the clock jump.
 * The kernel's clocks stay: an absolute time of the shifted clock is as wrong for it as after a real jump. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *shift;

__attribute__((constructor)) static void open_shift(void)
{
    const char *path = getenv("GRADD_TEST_CLOCK");
    int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = descriptor >= 0 ? mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, descriptor, 0) : MAP_FAILED;
    if (descriptor >= 0)
        (void)close(descriptor);
    if (mapped != MAP_FAILED)
        shift = mapped;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the header's names are reserved ones. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int status = (int)syscall(SYS_clock_gettime, clock, ret);
    if (status == 0 && clock == CLOCK_REALTIME && shift) {
        int64_t milliseconds = atomic_load(shift);
        ret->tv_sec += milliseconds / 1000;
        ret->tv_nsec += milliseconds % 1000 * 1000000;
        if (ret->tv_nsec < 0 || ret->tv_nsec >= 1000000000) {
            int64_t carry = ret->tv_nsec < 0 ? -1 : 1;
            ret->tv_sec += carry;
            ret->tv_nsec -= carry * 1000000000;
        }
    }
    return status;
}
