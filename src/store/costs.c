/* The history of a job's cost. Points are packed into segments; a segment takes what is appended until it holds
 * FULL_ENOUGH, so that little is written again for a few points, and many at once make rows of SEGMENT_POINTS. */
#include "store/inside.h"
#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEGMENT_POINTS = 4096,
    FULL_ENOUGH = 256,
    FIELD_BYTES = 8,
    TIME_FIELD = 6, /* the last: all before it are compared */
    POINT_BYTES = 56,
    SCORE_BYTES = 24, /* of a point; they stand beside the points, where the job has any */
};

static const struct job_scores no_scores = {.accuracy = (double)NAN, .mae = (double)NAN, .r2 = (double)NAN};

/* ---- points as bytes ---- */

static void put_integer(unsigned char *to, int field, int64_t value)
{
    uint64_t bits = htole64((uint64_t)value);
    memcpy(to + (ptrdiff_t)field * FIELD_BYTES, &bits, FIELD_BYTES);
}

/* Every NaN becomes the same one. */
static void put_real(unsigned char *to, int field, double value)
{
    double written = isnan(value) ? (double)NAN : value;
    int64_t bits;
    memcpy(&bits, &written, sizeof bits);
    put_integer(to, field, bits);
}

static int64_t get_integer(const unsigned char *from, int field)
{
    uint64_t bits;
    memcpy(&bits, from + (ptrdiff_t)field * FIELD_BYTES, FIELD_BYTES);
    return (int64_t)le64toh(bits);
}

static double get_real(const unsigned char *from, int field)
{
    int64_t bits = get_integer(from, field);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void pack(const struct cost_point *p, unsigned char to[POINT_BYTES])
{
    put_integer(to, 0, p->step);
    put_integer(to, 1, p->epoch);
    put_real(to, 2, p->cost);
    put_real(to, 3, p->validation_cost);
    put_real(to, 4, p->learning_rate);
    put_real(to, 5, p->gradient_norm);
    put_integer(to, TIME_FIELD, p->time);
}

static struct cost_point unpack(const unsigned char from[POINT_BYTES])
{
    return (struct cost_point){
        .step = get_integer(from, 0),
        .epoch = get_integer(from, 1),
        .cost = get_real(from, 2),
        .validation_cost = get_real(from, 3),
        .learning_rate = get_real(from, 4),
        .gradient_norm = get_real(from, 5),
        .time = get_integer(from, TIME_FIELD),
    };
}

static bool equal_but_time(const struct cost_point *p, const unsigned char stored[POINT_BYTES])
{
    unsigned char packed[POINT_BYTES];
    pack(p, packed);
    return memcmp(packed, stored, (size_t)TIME_FIELD * FIELD_BYTES) == 0;
}

/* ---- scores as bytes ---- */

static void pack_scores(const struct job_scores *s, unsigned char to[SCORE_BYTES])
{
    put_real(to, 0, s->accuracy);
    put_real(to, 1, s->mae);
    put_real(to, 2, s->r2);
}

/* from: NULL where the segment has none. */
static struct job_scores unpack_scores(const unsigned char *from)
{
    if (!from)
        return no_scores;
    return (struct job_scores){.accuracy = get_real(from, 0), .mae = get_real(from, 1), .r2 = get_real(from, 2)};
}

static bool has_scores(const struct job_scores *s)
{
    return !isnan(s->accuracy) || !isnan(s->mae) || !isnan(s->r2);
}

static bool same_scores(const struct job_scores *s, const unsigned char *stored)
{
    const struct job_scores other = unpack_scores(stored);
    unsigned char a[SCORE_BYTES], b[SCORE_BYTES];
    pack_scores(s, a);
    pack_scores(&other, b);
    return memcmp(a, b, SCORE_BYTES) == 0;
}

/* A segment as it stands in its row: points and, or NULL, scores. Borrowed from the row. */
struct segment {
    const unsigned char *points, *scores;
    size_t count;
};

/* The next two columns. */
static struct segment column_segment(struct query *q)
{
    struct segment s;
    size_t size, score_size;
    s.points = column_bytes(q, &size);
    s.scores = column_bytes(q, &score_size);
    s.count = size / POINT_BYTES;
    if (score_size == 0)
        s.scores = NULL;
    return s;
}

static const unsigned char *scores_at(const struct segment *s, size_t i)
{
    return s->scores ? s->scores + i * SCORE_BYTES : NULL;
}

bool cost_steps_increase(const void *points, size_t size, int64_t *last, int64_t *ret_count)
{
    const unsigned char *at = points;
    const size_t count = size / POINT_BYTES;
    bool increase = size % POINT_BYTES == 0 && count > 0;
    for (size_t i = 0; i < count; i++, at += POINT_BYTES) {
        const int64_t step = get_integer(at, 0);
        increase = increase && step > *last;
        *last = step;
    }
    *ret_count = (int64_t)count;
    return increase;
}

/* ---- points that are there already ---- */

/* Compares points, from *at on, with those of a segment. */
static err_code compare_segment(const struct cost_point *points, size_t count, const struct segment *stored, size_t *at,
                                struct error *err)
{
    for (size_t i = 0; i < stored->count && *at < count; i++) {
        const unsigned char *other = stored->points + i * POINT_BYTES;
        int64_t step = get_integer(other, 0);
        if (step < points[*at].step)
            continue;
        if (step > points[*at].step || !equal_but_time(&points[*at], other) ||
            !same_scores(&points[*at].scores, scores_at(stored, i)))
            return error_set(err, ERR_internal,
                             "the point at step %" PRId64 " is not the one that was recorded before:"
                             " determinism was broken",
                             points[*at].step);
        (*at)++;
    }
    return ERR_ok;
}

/* All of the points, none of which is after the last one recorded, must be there and equal. */
static err_code compare(struct db *db, const char *job, const struct cost_point *points, size_t count,
                        struct error *err)
{
    if (count == 0)
        return ERR_ok;
    struct query q = query_start(db, "SELECT points, scores FROM cost_segment WHERE job = :job AND last_step >= :step"
                                     " ORDER BY last_step");
    query_text(&q, ":job", job);
    query_integer(&q, ":step", points[0].step);
    size_t at = 0;
    err_code difference = ERR_ok;
    while (difference == ERR_ok && at < count && query_row(&q)) {
        const struct segment stored = column_segment(&q);
        difference = compare_segment(points, count, &stored, &at, err);
    }
    if (difference != ERR_ok) {
        (void)query_end(&q, NULL);
        return difference;
    }
    return query_end(&q, err);
}

/* ---- appending ---- */

struct tail {
    int64_t last_step; /* of the last segment; -1: there is none */
    int64_t count;     /* points in it */
    bool scores;       /* it has them */
    int64_t time;      /* of the last point written: none is earlier, also when the clock was set back */
};

static err_code find_tail(struct db *db, const char *job, struct tail *ret, struct error *err)
{
    struct query q = query_start(db, "SELECT last_step, count, scores IS NOT NULL, substr(points, -8) FROM cost_segment"
                                     " WHERE job = :job ORDER BY last_step DESC LIMIT 1");
    query_text(&q, ":job", job);
    struct tail tail = {.last_step = -1, .time = INT64_MIN};
    if (query_row(&q)) {
        tail.last_step = column_integer(&q, -1);
        tail.count = column_integer(&q, 0);
        tail.scores = column_integer(&q, 0) != 0;
        size_t size;
        const void *time = column_bytes(&q, &size);
        if (time && size == FIELD_BYTES)
            tail.time = get_integer(time, 0);
    }
    err_code code = query_end(&q, err);
    if (code == ERR_ok)
        *ret = tail;
    return code;
}

static const char grow_segment[] = "UPDATE cost_segment SET last_step = :last_step, count = count + :count,"
                                   " points = CAST(points || :points AS BLOB),"
                                   " scores = CAST(coalesce(scores, :missing) || :scores AS BLOB)"
                                   " WHERE job = :job AND last_step = :tail";
static const char new_segment[] = "INSERT INTO cost_segment (job, last_step, count, points, scores)"
                                  " VALUES (:job, :last_step, :count, :points, :scores)";

/* What is written to a segment, packed; owned. */
struct packed {
    unsigned char *points;
    unsigned char *scores;  /* NULL: neither these points nor those before have any */
    unsigned char *missing; /* NULL, or those of the points before, which have none */
    size_t count, missing_count;
};

static void packed_clear(struct packed *p)
{
    free(p->points);
    free(p->scores);
    free(p->missing);
}

static bool any_scores(const struct cost_point *points, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (has_scores(&points[i].scores))
            return true;
    return false;
}

/* grows: the tail's segment does. At most SEGMENT_POINTS. */
static err_code pack_segment(struct tail *tail, bool grows, const struct cost_point *points, size_t count,
                             struct packed *ret, struct error *err)
{
    const bool before = grows && tail->scores, scored = before || any_scores(points, count);
    struct packed p = {.points = malloc(count * POINT_BYTES), .count = count};
    p.missing_count = scored && grows && !before ? (size_t)tail->count : 0;
    p.scores = scored ? malloc(count * SCORE_BYTES) : NULL;
    p.missing = p.missing_count > 0 ? malloc(p.missing_count * SCORE_BYTES) : NULL;
    if (!p.points || (scored && !p.scores) || (p.missing_count > 0 && !p.missing)) {
        packed_clear(&p);
        return error_set(err, ERR_out_of_memory, "no memory for points");
    }
    for (size_t i = 0; i < count; i++) {
        struct cost_point point = points[i];
        if (point.time < tail->time)
            point.time = tail->time;
        tail->time = point.time;
        pack(&point, p.points + i * POINT_BYTES);
    }
    for (size_t i = 0; i < count && scored; i++)
        pack_scores(&points[i].scores, p.scores + i * SCORE_BYTES);
    for (size_t i = 0; i < p.missing_count; i++)
        pack_scores(&no_scores, p.missing + i * SCORE_BYTES);
    *ret = p;
    return ERR_ok;
}

/* Writes points to the end of the last segment, or into a new one. */
static err_code write_segment(struct db *db, const char *job, struct tail *tail, bool grows,
                              const struct cost_point *points, size_t count, struct error *err)
{
    struct packed p = {0};
    err_code code = pack_segment(tail, grows, points, count, &p, err);
    if (code != ERR_ok)
        return code;
    struct query q = query_start(db, grows ? grow_segment : new_segment);
    if (grows)
        query_integer(&q, ":tail", tail->last_step);
    if (grows && p.missing)
        query_blob(&q, ":missing", p.missing, p.missing_count * SCORE_BYTES);
    query_text(&q, ":job", job);
    query_integer(&q, ":last_step", points[count - 1].step);
    query_integer(&q, ":count", (int64_t)count);
    query_blob(&q, ":points", p.points, count * POINT_BYTES);
    if (p.scores)
        query_blob(&q, ":scores", p.scores, count * SCORE_BYTES);
    code = query_finish(&q, err);
    packed_clear(&p);
    return code;
}

static err_code write_points(struct db *db, const char *job, struct tail *tail, const struct cost_point *points,
                             size_t count, struct error *err)
{
    bool grows = tail->last_step >= 0 && tail->count < FULL_ENOUGH;
    size_t room = SEGMENT_POINTS - (grows ? (size_t)tail->count : 0);
    err_code code = ERR_ok;
    for (size_t at = 0, taken; at < count && code == ERR_ok; at += taken) {
        taken = count - at < room ? count - at : room;
        code = write_segment(db, job, tail, grows, points + at, taken, err);
        room = SEGMENT_POINTS;
        grows = false;
    }
    return code;
}

err_code costs_append(struct db *db, const char *job, const struct cost_point *points, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (points[i].step < 0 || (i > 0 && points[i].step <= points[i - 1].step))
            return error_set(err, ERR_internal, "the point at step %" PRId64 " is out of order", points[i].step);
    }
    struct tail tail;
    err_code code = find_tail(db, job, &tail, err);
    if (code != ERR_ok)
        return code;
    size_t repeated = 0;
    while (repeated < count && points[repeated].step <= tail.last_step)
        repeated++;
    code = compare(db, job, points, repeated, err);
    return code == ERR_ok ? write_points(db, job, &tail, points + repeated, count - repeated, err) : code;
}

/* ---- reading ---- */

static err_code count_points(struct db *db, const char *job, size_t *ret, struct error *err)
{
    struct query q = query_start(db, "SELECT (SELECT sum(count) FROM cost_segment WHERE job = :job)"
                                     " FROM job WHERE id = :job");
    query_text(&q, ":job", job);
    bool found = query_row(&q);
    int64_t total = found ? column_integer(&q, 0) : 0;
    err_code code = query_end(&q, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "there is no job '%s'", job);
    if (code == ERR_ok)
        *ret = (size_t)total;
    return code;
}

struct points {
    struct cost_point *list;
    size_t count;
};

/* Takes the points of a segment that are after a step, up to the limit. */
static void take_points(struct query *q, int64_t after, size_t limit, struct points *to)
{
    const struct segment s = column_segment(q);
    for (size_t i = 0; i < s.count && to->count < limit; i++) {
        if (get_integer(s.points + i * POINT_BYTES, 0) <= after)
            continue;
        if (!query_room(q, (void **)&to->list, to->count, sizeof *to->list))
            return;
        struct cost_point *point = &to->list[to->count++];
        *point = unpack(s.points + i * POINT_BYTES);
        point->scores = unpack_scores(scores_at(&s, i));
    }
}

static err_code read_points(struct db *db, const char *job, int64_t after, size_t limit, struct points *ret,
                            struct error *err)
{
    struct query q = query_start(db, "SELECT points, scores FROM cost_segment WHERE job = :job AND last_step > :after"
                                     " ORDER BY last_step");
    query_text(&q, ":job", job);
    query_integer(&q, ":after", after);
    struct points points = {0};
    while (points.count < limit && query_row(&q))
        take_points(&q, after, limit, &points);
    err_code code = query_end(&q, err);
    if (code == ERR_ok)
        *ret = points;
    else
        free(points.list);
    return code;
}

err_code store_job_costs(struct store *s, const char *id, int64_t after, size_t limit, struct cost_point **ret,
                         size_t *ret_count, size_t *ret_total, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    struct points points = {0};
    size_t total = 0;
    code = count_points(db, id, &total, err);
    if (code == ERR_ok)
        code = read_points(db, id, after, limit, &points, err);
    readers_give(s->readers, db);
    if (code != ERR_ok)
        return code;
    *ret = points.list;
    *ret_count = points.count;
    *ret_total = total;
    return ERR_ok;
}
