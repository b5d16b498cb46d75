/* Attention of some queries to a block of cached cells: one step of the online softmax.
 *
 * Keys are turned over so that a register holds the same value of several cells; the scores of a
 * query are then sums along K in order, and its values sums over cells in order, however wide a
 * register is and however many queries there are.
 */
#include <math.h>

enum { CELL_VECTORS = MOTET_ATTEND_CELLS / LANES };

struct scratch {
    _Alignas(64) float rows[MOTET_ATTEND_CELLS * MOTET_MAX_HEAD_WIDTH];   /* [cell][padded K] */
    _Alignas(64) float turned[MOTET_MAX_HEAD_WIDTH * MOTET_ATTEND_CELLS]; /* [padded K][cell] */
    _Alignas(64) float weights[MOTET_ATTEND_QUERIES][MOTET_ATTEND_CELLS];
};

/* One cached cell's K values to floats, with zeros up to a multiple of 16. */
INLINE void decode(int kv_type, int K, const char *source, float *target) {
    int i = 0;
    if (kv_type == MOTET_KV_F32) {
        memcpy(target, source, (size_t)K * sizeof(float));
        i = K;
    } else if (kv_type == MOTET_KV_F16) {
        for (; i + LANES <= K; i += LANES)
            floats_store(target + i, floats_from_halves(source + 2 * i));
        for (; i < K; i++) {
            uint16_t half;
            memcpy(&half, source + 2 * i, sizeof half);
            target[i] = half_to_float(half);
        }
    } else {
        for (; i < K; source += sizeof(struct motet_q8_block)) {
            const struct motet_q8_block *block = (const void *)source;
            const floats scale = floats_all(half_to_float(block->scale));
            for (int j = 0; j < 32; j += LANES, i += LANES)
                floats_store(target + i, floats_mul(scale, floats_from_int8(block->values + j)));
        }
    }
    for (; i % MOTET_PARTS; i++) target[i] = 0.0f;
}

/* Scores of `num` queries for `vectors` registers of cells. */
INLINE void score(const float *const *queries, const int num, int K, const float *turned,
                  const int vectors, floats scale, float (*scores)[MOTET_ATTEND_CELLS]) {
    floats sum[4][2];
    UNROLL for (int q = 0; q < num; q++)
        UNROLL for (int v = 0; v < vectors; v++) sum[q][v] = floats_all(0.0f);
    for (int d = 0; d < K; d++, turned += MOTET_ATTEND_CELLS) {
        floats key[2];
        UNROLL for (int v = 0; v < vectors; v++) key[v] = floats_load(turned + v * LANES);
        UNROLL for (int q = 0; q < num; q++)
            UNROLL for (int v = 0; v < vectors; v++)
                sum[q][v] = floats_fma(floats_all(queries[q][d]), key[v], sum[q][v]);
    }
    UNROLL for (int q = 0; q < num; q++)
        UNROLL for (int v = 0; v < vectors; v++)
            floats_store(scores[q] + v * LANES, floats_mul(scale, sum[q][v]));
}

/* Adds the values of `n` cells to `vectors` registers of `num` queries. */
INLINE void add_values(float (*values)[MOTET_MAX_HEAD_WIDTH], const int num,
                       const float (*weights)[MOTET_ATTEND_CELLS], const float *rows, int padded,
                       int n, const int vectors, int at) {
    floats sum[4][2];
    UNROLL for (int q = 0; q < num; q++)
        UNROLL for (int v = 0; v < vectors; v++)
            sum[q][v] = floats_load(values[q] + at + v * LANES);
    for (int j = 0; j < n; j++) {
        floats value[2];
        UNROLL for (int v = 0; v < vectors; v++)
            value[v] = floats_load(rows + (int64_t)j * padded + at + v * LANES);
        UNROLL for (int q = 0; q < num; q++)
            UNROLL for (int v = 0; v < vectors; v++)
                sum[q][v] = floats_fma(floats_all(weights[q][j]), value[v], sum[q][v]);
    }
    UNROLL for (int q = 0; q < num; q++)
        UNROLL for (int v = 0; v < vectors; v++)
            floats_store(values[q] + at + v * LANES, sum[q][v]);
}

/* Scores to weights of one query; shrinks what it gathered if a score is larger than all before. */
INLINE void soften(struct motet_gathering *g, int q, int padded, float *scores, int n,
                   int vectors) {
    for (int j = n; j < vectors * LANES; j++) scores[j] = -INFINITY;
    floats most = floats_all(g->largest[q]);
    for (int v = 0; v < vectors; v++) most = floats_max(floats_load(scores + v * LANES), most);
    const float largest = floats_largest(most);
    if (largest > g->largest[q]) {
        const floats shrink = floats_exp(floats_all(g->largest[q] - largest));
        for (int i = 0; i < padded; i += LANES)
            floats_store(g->values[q] + i, floats_mul(shrink, floats_load(g->values[q] + i)));
        for (int i = 0; i < MOTET_PARTS; i += LANES)
            floats_store(g->sums[q] + i, floats_mul(shrink, floats_load(g->sums[q] + i)));
        g->largest[q] = largest;
    }
    for (int v = 0; v < vectors; v++)
        floats_store(scores + v * LANES,
                     floats_exp(floats_sub(floats_load(scores + v * LANES), floats_all(largest))));
    for (int j = n; j < vectors * LANES; j++) scores[j] = 0.0f;
    for (int v = 0; v < vectors; v++) {
        float *part = g->sums[q] + v * LANES % MOTET_PARTS;
        floats_store(part, floats_add(floats_load(part), floats_load(scores + v * LANES)));
    }
}

INLINE void gather_queries(struct motet_gathering *g, int first, const int num,
                           struct scratch *s, int padded, int n, int vectors) {
    const floats scale = floats_all(g->scale);
    float(*weights)[MOTET_ATTEND_CELLS] = s->weights + first;
    int v = 0;
    for (; v + 2 <= vectors; v += 2)
        score(g->queries + first, num, g->width, s->turned + v * LANES, 2, scale,
              (float(*)[MOTET_ATTEND_CELLS])(weights[0] + v * LANES));
    if (v < vectors)
        score(g->queries + first, num, g->width, s->turned + v * LANES, 1, scale,
              (float(*)[MOTET_ATTEND_CELLS])(weights[0] + v * LANES));
    for (int q = 0; q < num; q++) soften(g, first + q, padded, weights[q], n, vectors);
}

INLINE void gather_values(struct motet_gathering *g, int first, const int num,
                          const struct scratch *s, int padded, int n) {
    const float(*weights)[MOTET_ATTEND_CELLS] = s->weights + first;
    int at = 0;
    for (; at + 2 * LANES <= padded; at += 2 * LANES)
        add_values(g->values + first, num, weights, s->rows, padded, n, 2, at);
    for (; at < padded; at += LANES)
        add_values(g->values + first, num, weights, s->rows, padded, n, 1, at);
}

/* Calls one of two loops for four queries at a time, and for what is left. */
#define BY_FOUR(call)                                                                              \
    for (int q = first; q < last; q += 4) switch (last - q) {                                      \
        case 1: call(1); break;                                                                    \
        case 2: call(2); break;                                                                    \
        case 3: call(3); break;                                                                    \
        default: call(4); break;                                                                   \
        }

static TARGET void gather(struct motet_gathering *g, int first, int last, const char *keys,
                          const char *values, int n) {
    struct scratch s;
    const int K = g->width, padded = (K + MOTET_PARTS - 1) / MOTET_PARTS * MOTET_PARTS;
    const int64_t bytes = motet_cached_bytes(g->kv_type, K);
    const int vectors = (n + LANES - 1) / LANES;
    for (int j = 0; j < n; j++) decode(g->kv_type, K, keys + j * bytes, s.rows + j * padded);
    for (int j = n; j < vectors * LANES; j++)
        memset(s.rows + j * padded, 0, (size_t)padded * sizeof(float));
    for (int j = 0; j < vectors * LANES; j += LANES)
        for (int d = 0; d < padded; d += LANES)
            transpose(s.rows + j * padded + d, padded, s.turned + d * MOTET_ATTEND_CELLS + j,
                      MOTET_ATTEND_CELLS);
#define SCORES(num) gather_queries(g, q, num, &s, padded, n, vectors)
    BY_FOUR(SCORES)
    for (int j = 0; j < n; j++) decode(g->kv_type, K, values + j * bytes, s.rows + j * padded);
#define VALUES(num) gather_values(g, q, num, &s, padded, n)
    BY_FOUR(VALUES)
}
