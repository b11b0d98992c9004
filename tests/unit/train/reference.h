/* The scalar reference: five lines of algebra a function, no graph, no plan, no vectors. A template: REAL, FMA, SIGMOID
 * and NAME are those of the dtype. Every sum is in the order that the engine promises: a product in the order of k, by
 * fused multiply-add; a product of one column and any plain sum in 16 virtual lanes. */

/* Sum over i of a[i * a_step] * b[i * b_step] (b NULL: of a alone), element i in lane i mod 16. */
static REAL NAME(lanes)(const REAL *a, size_t a_step, const REAL *b, size_t b_step, size_t k)
{
    REAL lane[16] = {0};
    for (size_t i = 0; i < k; i++)
        lane[i % 16] = b != NULL ? FMA(a[i * a_step], b[i * b_step], lane[i % 16]) : lane[i % 16] + a[i * a_step];
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] = lane[i] + lane[i + half];
    return lane[0];
}

/* c (m,n) = a (m,k) @ b (k,n), with any strides. */
static void NAME(product)(REAL *c, const REAL *a, size_t a_row, size_t a_col, const REAL *b, size_t b_row, size_t b_col,
                          size_t m, size_t n, size_t k)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            REAL sum = 0;
            for (size_t p = 0; p < k; p++)
                sum = FMA(a[i * a_row + p * a_col], b[p * b_row + j * b_col], sum);
            c[i * n + j] = n == 1 ? NAME(lanes)(a + i * a_row, a_col, b, b_row, k) : sum;
        }
}

/* out (n) = the sum over the rows of x (m,n). */
static void NAME(sum_rows)(REAL *out, const REAL *x, size_t m, size_t n)
{
    for (size_t j = 0; j < n; j++)
        out[j] = NAME(lanes)(x + j, n, NULL, 0, m);
}

static void NAME(descend)(REAL *parameter, const REAL *gradient, REAL rate, size_t count)
{
    for (size_t i = 0; i < count; i++)
        parameter[i] = parameter[i] - rate * gradient[i];
}

/* One SGD step of the lesson's network on m rows of x (m,in) and y (m); returns the cost. s and d have room for
 * (m,hidden), g for the largest gradient. */
static REAL NAME(step)(const struct sizes *z, REAL *const parameter[4], const REAL *x, const REAL *y, size_t m,
                       REAL *const work[5])
{
    REAL *w1 = parameter[0], *b1 = parameter[1], *w2 = parameter[2], *b2 = parameter[3];
    REAL *s = work[0], *d = work[1], *error = work[2], *g1 = work[3], *g2 = work[4];
    const size_t in = z->in, hidden = z->hidden;
    NAME(product)(s, x, in, 1, w1, hidden, 1, m, hidden, in);
    for (size_t i = 0; i < m * hidden; i++)
        s[i] = SIGMOID(s[i] + b1[i % hidden]);
    NAME(product)(error, s, hidden, 1, w2, 1, 1, m, 1, hidden);
    for (size_t i = 0; i < m; i++) {
        const REAL difference = error[i] + *b2 - y[i];
        d[i] = difference * difference;
        error[i] = 2 * (1 / (REAL)m) * difference;
    }
    const REAL cost = NAME(lanes)(d, 1, NULL, 0, m) / (REAL)m;

    NAME(product)(d, error, 1, 1, w2, 1, 1, m, hidden, 1);
    for (size_t i = 0; i < m * hidden; i++)
        d[i] = d[i] * s[i] * (1 - s[i]);
    NAME(product)(g1, s, 1, hidden, error, 1, 1, hidden, 1, m);
    NAME(sum_rows)(g2, error, m, 1);
    NAME(descend)(w2, g1, (REAL)z->rate, hidden);
    NAME(descend)(b2, g2, (REAL)z->rate, 1);
    NAME(product)(g1, x, 1, in, d, hidden, 1, in, hidden, m);
    NAME(sum_rows)(g2, d, m, hidden);
    NAME(descend)(w1, g1, (REAL)z->rate, in * hidden);
    NAME(descend)(b1, g2, (REAL)z->rate, hidden);
    return cost;
}

/* z->steps steps over z->rows rows in batches of z->batch, shuffled; returns the last cost. */
static double NAME(train)(const struct sizes *z, struct tensor *const *parameters, const REAL *x, const REAL *y)
{
    REAL *work[5], *bx = calloc(z->batch * z->in, sizeof *bx), *by = calloc(z->batch, sizeof *by);
    REAL *const parameter[4] = {parameters[0]->data, parameters[1]->data, parameters[2]->data, parameters[3]->data};
    REAL cost = 0;
    for (size_t i = 0; i < 5; i++)
        work[i] = calloc((z->batch + z->in) * z->hidden, sizeof *work[i]);
    for (size_t step = 0, first = 0, epoch = 0; step < z->steps; step++) {
        struct permutation order;
        permutation_init(&order, &(struct rng){.seed = z->seed, .step = epoch, .purpose = RNG_SHUFFLE}, z->rows);
        size_t m = z->rows - first < z->batch ? z->rows - first : z->batch;
        for (size_t i = 0; i < m; i++) {
            size_t row = (size_t)permutation_at(&order, first + i);
            memcpy(bx + i * z->in, x + row * z->in, z->in * sizeof *bx);
            by[i] = y[row];
        }
        cost = NAME(step)(z, parameter, bx, by, m, work);
        first += m;
        if (first == z->rows) {
            first = 0;
            epoch++;
        }
    }
    for (size_t i = 0; i < 5; i++)
        free(work[i]);
    free(bx);
    free(by);
    return (double)cost;
}
