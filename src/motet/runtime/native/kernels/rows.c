/* Row attention and row convolution, in portable C.
 *
 * Attention keeps a running maximum and sum over blocks of cached cells (the online softmax of
 * FlashAttention, arXiv:2205.14135), so it needs no mask and no memory that grows with the context.
 * Queries that share a key/value head and a row go through the cache together. Every query adds up
 * in the same order whatever stands beside it.
 */
#include "rows.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK = 32,   /* cached cells at a time */
    TILE = 16,    /* queries at a time */
    LANES = 16,   /* partial sums of a dot product */
    Q8_GROUP = 32,
};

struct q8_block {
    uint16_t scale;
    int8_t values[Q8_GROUP];
};

static float half_to_float(uint16_t half) {
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f; /* the difference of the exponents' biases; right for subnormal numbers too */
    memcpy(&bits, &value, sizeof bits);
    bits |= (uint32_t)(half & 0x8000) << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounds to the nearest, ties to even; what is too large becomes the largest finite number. */
static uint16_t float_to_half(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = (bits >> 16) & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (bits >= 0x477ff000) return (uint16_t)(sign | 0x7bff);
    if (bits < 0x38800000) { /* subnormal: let an addition do the rounding */
        float shifted;
        memcpy(&shifted, &bits, sizeof shifted);
        shifted += 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    bits += 0xfff + ((bits >> 13) & 1);
    return (uint16_t)(sign | ((bits - 0x38000000) >> 13));
}

static int64_t row_bytes(int kv_type, int K) {
    switch (kv_type) {
    case MOTET_KV_F32: return (int64_t)K * 4;
    case MOTET_KV_F16: return (int64_t)K * 2;
    default: return (int64_t)(K / Q8_GROUP) * (int64_t)sizeof(struct q8_block);
    }
}

static void encode(int kv_type, int K, const float *source, char *target) {
    if (kv_type == MOTET_KV_F32) {
        memcpy(target, source, (size_t)K * sizeof(float));
    } else if (kv_type == MOTET_KV_F16) {
        uint16_t *halves = (uint16_t *)(void *)target;
        for (int i = 0; i < K; i++) halves[i] = float_to_half(source[i]);
    } else {
        struct q8_block *blocks = (struct q8_block *)(void *)target;
        for (int b = 0; b < K / Q8_GROUP; b++, source += Q8_GROUP) {
            float largest = 0.0f;
            for (int i = 0; i < Q8_GROUP; i++) largest = fmaxf(largest, fabsf(source[i]));
            const float scale = largest / 127.0f;
            const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
            blocks[b].scale = float_to_half(scale);
            for (int i = 0; i < Q8_GROUP; i++)
                blocks[b].values[i] = (int8_t)lrintf(source[i] * inverse);
        }
    }
}

static void decode(int kv_type, int K, const char *source, float *target) {
    if (kv_type == MOTET_KV_F32) {
        memcpy(target, source, (size_t)K * sizeof(float));
    } else if (kv_type == MOTET_KV_F16) {
        const uint16_t *halves = (const uint16_t *)(const void *)source;
        for (int i = 0; i < K; i++) target[i] = half_to_float(halves[i]);
    } else {
        const struct q8_block *blocks = (const struct q8_block *)(const void *)source;
        for (int b = 0; b < K / Q8_GROUP; b++, target += Q8_GROUP) {
            const float scale = half_to_float(blocks[b].scale);
            for (int i = 0; i < Q8_GROUP; i++) target[i] = scale * (float)blocks[b].values[i];
        }
    }
}

/* Where the keys (which = 0) or values (1) of one head begin in a session's cache. */
static char *plane(const struct motet_rows_attention *a, const struct motet_segment *s, int which,
                   int g) {
    const int64_t index = ((int64_t)a->layer * 2 + which) * a->G + g;
    return s->cache + index * s->max_cells * row_bytes(a->kv_type, a->K);
}

void motet_rows_store(struct ggml_tensor *dst, int ith, int nth, void *userdata) {
    (void)dst;
    const struct motet_rows_attention *a = userdata;
    const int64_t bytes = row_bytes(a->kv_type, a->K);
    int64_t unit = 0;
    for (int64_t i = 0; i < a->call->num_segments; i++) {
        const struct motet_segment *s = &a->call->segments[i];
        for (int64_t t = 0; t < s->num_cells; t++, unit++) {
            if (unit % nth != ith) continue;
            const int64_t from = (s->first_cell + t) * a->G;
            const int64_t to = (s->past_cells + t) * bytes;
            for (int g = 0; g < a->G; g++) {
                encode(a->kv_type, a->K, a->k + (from + g) * a->K, plane(a, s, 0, g) + to);
                encode(a->kv_type, a->K, a->v + (from + g) * a->K, plane(a, s, 1, g) + to);
            }
        }
    }
}

static float dot(const float *x, const float *y, int K) {
    float parts[LANES] = {0};
    int i = 0;
    for (; i + LANES <= K; i += LANES)
        for (int lane = 0; lane < LANES; lane++) parts[lane] += x[i + lane] * y[i + lane];
    for (int lane = 0; i < K; i++, lane++) parts[lane] += x[i] * y[i];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int lane = 0; lane < width; lane++) parts[lane] += parts[lane + width];
    return parts[0];
}

/* What a query has gathered so far: the largest score, the sum of weights, the weighted values. */
struct gathered {
    const float *q;
    float *out;
    float largest, sum;
    float values[MOTET_MAX_HEAD_WIDTH];
};

/* Takes in `n` cells whose keys and values are given as floats, [n][K]. */
static void gather(struct gathered *g, const float *keys, const float *values, int n, int K,
                   float scale) {
    float weights[BLOCK], largest = g->largest;
    for (int j = 0; j < n; j++) {
        weights[j] = scale * dot(g->q, keys + (int64_t)j * K, K);
        largest = fmaxf(largest, weights[j]);
    }
    const float shrink = expf(g->largest - largest); /* 0 for the first block */
    g->largest = largest;
    g->sum *= shrink;
    for (int i = 0; i < K; i++) g->values[i] *= shrink;
    for (int j = 0; j < n; j++) {
        const float weight = expf(weights[j] - largest);
        const float *value = values + (int64_t)j * K;
        g->sum += weight;
        for (int i = 0; i < K; i++) g->values[i] += weight * value[i];
    }
}

/* One key/value head for the queries `first` to `last` - 1 of one row: query n is head n % (H/G) of
 * channel n / (H/G). */
static void attend_tile(const struct motet_rows_attention *a, const struct motet_segment *s,
                        int64_t row, int head, int first, int last) {
    const int K = a->K, share = a->H / a->G, num = last - first;
    const int64_t bytes = row_bytes(a->kv_type, K), before = row * a->C;
    const char *key_plane = plane(a, s, 0, head), *value_plane = plane(a, s, 1, head);
    float keys[BLOCK * MOTET_MAX_HEAD_WIDTH], values[BLOCK * MOTET_MAX_HEAD_WIDTH];
    struct gathered queries[TILE];
    for (int n = 0; n < num; n++) {
        const int c = (first + n) / share, h = head * share + (first + n) % share;
        const int64_t cell = s->first_cell + before - s->past_cells + c;
        queries[n].q = a->q + (cell * a->H + h) * K;
        queries[n].out = a->out + (cell * a->H + h) * K;
        queries[n].largest = -INFINITY;
        queries[n].sum = 0.0f;
        memset(queries[n].values, 0, (size_t)K * sizeof(float));
    }
    for (int64_t start = 0; start < before; start += BLOCK) {
        const int n = (int)(before - start < BLOCK ? before - start : BLOCK);
        for (int j = 0; j < n; j++) {
            decode(a->kv_type, K, key_plane + (start + j) * bytes, keys + (int64_t)j * K);
            decode(a->kv_type, K, value_plane + (start + j) * bytes, values + (int64_t)j * K);
        }
        for (int i = 0; i < num; i++) gather(&queries[i], keys, values, n, K, a->scale);
    }
    for (int n = 0; n < num; n++) {
        const int64_t own = (before + (first + n) / share) * bytes;
        decode(a->kv_type, K, key_plane + own, keys);
        decode(a->kv_type, K, value_plane + own, values);
        gather(&queries[n], keys, values, 1, K, a->scale);
        for (int i = 0; i < K; i++) queries[n].out[i] = queries[n].values[i] / queries[n].sum;
    }
}

void motet_rows_attend(struct ggml_tensor *dst, int ith, int nth, void *userdata) {
    (void)dst;
    const struct motet_rows_attention *a = userdata;
    const int num_queries = a->C * (a->H / a->G);
    int64_t unit = 0;
    for (int64_t i = 0; i < a->call->num_segments; i++) {
        const struct motet_segment *s = &a->call->segments[i];
        const int64_t past = s->past_cells / a->C, rows = s->num_cells / a->C;
        for (int64_t r = 0; r < rows; r++)
            for (int g = 0; g < a->G; g++, unit++) {
                if (unit % nth != ith) continue;
                for (int first = 0; first < num_queries; first += TILE) {
                    const int last = first + TILE < num_queries ? first + TILE : num_queries;
                    attend_tile(a, s, past + r, g, first, last);
                }
            }
    }
}

/* u = B * x of one cell of this call. */
static void conv_input(const struct motet_rows_conv *c, int64_t cell, int from, int to, float *u) {
    const float *gate = c->bcx + cell * 3 * c->D, *x = gate + 2 * (int64_t)c->D;
    for (int d = from; d < to; d++) u[d] = gate[d] * x[d];
}

static float *ring_cell(const struct motet_rows_conv *c, const struct motet_segment *s, int64_t row,
                        int64_t channel) {
    const int64_t slot = (int64_t)c->layer * MOTET_RING_ROWS + row % MOTET_RING_ROWS;
    return s->ring + (slot * c->C + channel) * c->D;
}

/* Adds tap * u of the cell (row, channel) of a session, which may lie in the call, in the past, or
 * before the start, where u is zero. */
static void add_tap(const struct motet_rows_conv *c, const struct motet_segment *s, int64_t row,
                    int64_t channel, const float *tap, int from, int to, float *out) {
    const int64_t cell = row * c->C + channel - s->past_cells;
    if (row < 0) return;
    if (cell < 0) {
        const float *u = ring_cell(c, s, row, channel);
        for (int d = from; d < to; d++) out[d] += tap[d] * u[d];
    } else {
        const float *gate = c->bcx + (s->first_cell + cell) * 3 * c->D;
        const float *x = gate + 2 * (int64_t)c->D;
        for (int d = from; d < to; d++) out[d] += tap[d] * (gate[d] * x[d]);
    }
}

/* Keeps u for the calls to come: in the ring, and in the snapshot that it belongs to, if any. */
static void remember(const struct motet_rows_conv *c, const struct motet_segment *s, int64_t row,
                     int64_t channel, int64_t end_row, int from, int to) {
    const int64_t cell = s->first_cell + row * c->C + channel - s->past_cells;
    const int64_t place = row % MOTET_RING_ROWS - (MOTET_RING_ROWS - (c->W - 1));
    if (end_row - row <= MOTET_RING_ROWS)
        conv_input(c, cell, from, to, ring_cell(c, s, row, channel));
    if (place >= 0) {
        const int64_t slot = (row / MOTET_RING_ROWS) * c->num_layers + c->layer;
        const int64_t index = (slot * (c->W - 1) + place) * c->C + channel;
        conv_input(c, cell, from, to, s->snapshots + index * c->D);
    }
}

static void convolve(const struct motet_rows_conv *c, const struct motet_segment *s, int from,
                     int to) {
    const int past_taps = c->W - 1;
    const int64_t first_row = s->past_cells / c->C, end_row = first_row + s->num_cells / c->C;
    for (int64_t row = first_row; row < end_row; row++)
        for (int64_t channel = 0; channel < c->C; channel++) {
            const int64_t cell = s->first_cell + row * c->C + channel - s->past_cells;
            const float *gate = c->bcx + cell * 3 * c->D + c->D;
            float *out = c->out + cell * c->D;
            for (int d = from; d < to; d++) out[d] = 0.0f;
            for (int tap = 0; tap < past_taps; tap++) {
                const float *weight = c->taps + (int64_t)tap * c->D;
                if (c->row_boundary) {
                    const int64_t flat = row * c->C - past_taps + tap;
                    if (flat >= 0) add_tap(c, s, flat / c->C, flat % c->C, weight, from, to, out);
                } else {
                    add_tap(c, s, row - past_taps + tap, channel, weight, from, to, out);
                }
            }
            add_tap(c, s, row, channel, c->taps + (int64_t)past_taps * c->D, from, to, out);
            for (int d = from; d < to; d++) out[d] *= gate[d];
        }
    for (int64_t row = first_row; row < end_row; row++)
        for (int64_t channel = 0; channel < c->C; channel++)
            remember(c, s, row, channel, end_row, from, to);
}

void motet_rows_conv(struct ggml_tensor *dst, int ith, int nth, void *userdata) {
    (void)dst;
    const struct motet_rows_conv *c = userdata;
    const int from = (int)((int64_t)c->D * ith / nth), to = (int)((int64_t)c->D * (ith + 1) / nth);
    for (int64_t i = 0; i < c->call->num_segments; i++)
        convolve(c, &c->call->segments[i], from, to);
}
