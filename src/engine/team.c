#include "engine/team.h"

#include "base/cores.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* About 50 us of pauses. */
enum { SPINS = 1500, SPINS_FOR_LAST = 3000 };

/* Threads of all teams that are awake, with those who ask: where they are more than the processors, spinning only keeps
 * others from working. */
static atomic_int awake;

struct member {
    struct team *team;
    int number;
    pthread_t thread;
};

struct team {
    int threads, cores;
    struct member *members; /* threads - 1 */
    /* The round, and how many of its pieces nobody has taken yet, in one word: so a member that took its time never
     * takes a piece of a round that it has not seen. */
    _Alignas(64) atomic_uint_least64_t work;
    _Alignas(64) atomic_uint_least32_t round; /* as in `work`: what members sleep on */
    atomic_int sleepers;
    _Alignas(64) atomic_uint_least32_t unfinished; /* pieces of this round: what who asks sleeps on */
    atomic_bool waits;                             /* who asks sleeps */
    atomic_bool ending;
    team_task *task;
    void *context;
};

static void futex_wait(atomic_uint_least32_t *word, uint32_t value)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint_least32_t *word, int count)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static inline void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool may_spin(const struct team *t)
{
    return atomic_load_explicit(&awake, memory_order_relaxed) <= t->cores;
}

/* ---- pieces ---- */

/* Takes a piece of a round; false if there is none left, or it is over. */
static bool take_piece(struct team *t, uint32_t round, uint32_t *ret)
{
    uint64_t work = atomic_load_explicit(&t->work, memory_order_acquire);
    while ((uint32_t)(work >> 32) == round && (uint32_t)work > 0)
        if (atomic_compare_exchange_weak_explicit(&t->work, &work, work - 1, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            *ret = (uint32_t)work - 1;
            return true;
        }
    return false;
}

static void compute(struct team *t, uint32_t round, int thread)
{
    uint32_t piece;
    while (take_piece(t, round, &piece)) {
        t->task(t->context, piece, thread);
        if (atomic_fetch_sub_explicit(&t->unfinished, 1, memory_order_seq_cst) == 1 &&
            atomic_load_explicit(&t->waits, memory_order_seq_cst))
            futex_wake(&t->unfinished, 1);
    }
}

/* ---- members ---- */

/* Waits for another round than the one that was seen last. */
static uint32_t next_round(struct team *t, uint32_t seen)
{
    for (int i = 0; i < SPINS && may_spin(t); i++) {
        const uint32_t round = atomic_load_explicit(&t->round, memory_order_acquire);
        if (round != seen)
            return round;
        pause_a_little();
    }
    atomic_fetch_sub_explicit(&awake, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->sleepers, 1, memory_order_seq_cst);
    uint32_t round = atomic_load_explicit(&t->round, memory_order_seq_cst);
    while (round == seen) {
        futex_wait(&t->round, seen);
        round = atomic_load_explicit(&t->round, memory_order_seq_cst);
    }
    atomic_fetch_sub_explicit(&t->sleepers, 1, memory_order_seq_cst);
    atomic_fetch_add_explicit(&awake, 1, memory_order_relaxed);
    return round;
}

static void *serve(void *context)
{
    const struct member *m = context;
    struct team *t = m->team;
    uint32_t round = 0;
    atomic_fetch_add_explicit(&awake, 1, memory_order_relaxed);
    for (;;) {
        round = next_round(t, round);
        if (atomic_load_explicit(&t->ending, memory_order_acquire))
            break;
        compute(t, round, m->number);
    }
    atomic_fetch_sub_explicit(&awake, 1, memory_order_relaxed);
    return NULL;
}

/* ---- who asks ---- */

static void start_round(struct team *t, uint32_t pieces)
{
    const uint32_t round = atomic_load_explicit(&t->round, memory_order_relaxed) + 1;
    atomic_store_explicit(&t->unfinished, pieces, memory_order_relaxed);
    atomic_store_explicit(&t->work, (uint64_t)round << 32 | pieces, memory_order_release);
    atomic_store_explicit(&t->round, round, memory_order_seq_cst);
    if (atomic_load_explicit(&t->sleepers, memory_order_seq_cst) > 0)
        futex_wake(&t->round, t->threads);
}

static void wait_for_last(struct team *t)
{
    uint32_t left = atomic_load_explicit(&t->unfinished, memory_order_acquire);
    for (int i = 0; left > 0 && i < SPINS_FOR_LAST && may_spin(t); i++) {
        pause_a_little();
        left = atomic_load_explicit(&t->unfinished, memory_order_acquire);
    }
    if (left == 0)
        return;
    atomic_store_explicit(&t->waits, true, memory_order_seq_cst);
    while ((left = atomic_load_explicit(&t->unfinished, memory_order_seq_cst)) > 0)
        futex_wait(&t->unfinished, left);
    atomic_store_explicit(&t->waits, false, memory_order_relaxed);
}

void team_run(struct team *t, uint32_t pieces, team_task *task, void *context)
{
    if (pieces == 0)
        return;
    t->task = task;
    t->context = context;
    atomic_fetch_add_explicit(&awake, 1, memory_order_relaxed);
    start_round(t, pieces);
    compute(t, atomic_load_explicit(&t->round, memory_order_relaxed), 0);
    wait_for_last(t);
    atomic_fetch_sub_explicit(&awake, 1, memory_order_relaxed);
}

int team_threads(const struct team *t)
{
    return t->threads;
}

/* ---- beginning and end ---- */

/* With all signals blocked: they are main's. */
static int start_member(struct member *m)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&m->thread, NULL, serve, m);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

/* Ends the first `members` members. */
static void end_members(struct team *t, int members)
{
    atomic_store_explicit(&t->ending, true, memory_order_release);
    atomic_fetch_add_explicit(&t->round, 1, memory_order_seq_cst);
    futex_wake(&t->round, t->threads);
    for (int i = 0; i < members; i++)
        (void)pthread_join(t->members[i].thread, NULL);
    free(t->members);
    free(t);
}

err_code team_new(int threads, struct team **ret, struct error *err)
{
    struct team *t = aligned_alloc(64, (sizeof *t + 63) / 64 * 64);
    struct member *members = calloc((size_t)threads, sizeof *members);
    if (t == NULL || members == NULL) {
        free(t);
        free(members);
        return error_set(err, ERR_out_of_memory, "there is no memory for %d threads", threads);
    }
    *t = (struct team){.threads = threads, .cores = cores_count(), .members = members};
    for (int i = 0; i < threads - 1; i++) {
        members[i] = (struct member){.team = t, .number = i + 1};
        if (start_member(&members[i]) != 0) {
            end_members(t, i);
            return error_set(err, ERR_out_of_memory, "%d threads can't be started", threads);
        }
    }
    *ret = t;
    return ERR_ok;
}

void team_free(struct team *t)
{
    if (t == NULL)
        return;
    end_members(t, t->threads - 1);
}
