/* Row attention and row convolution over the sessions of a call.
 *
 * Attention keeps a running maximum and sum over blocks of cached cells (the online softmax of
 * FlashAttention, arXiv:2205.14135), so it needs no mask and no memory that grows with the context.
 * Queries that share a key/value head and a row go through the cache together; blocks begin at the
 * same cells whatever the call. Every query adds up in the same order whatever stands beside it.
 */
#include "half.h"
#include "level.h"

#include <math.h>
#include <string.h>

static void encode(int kv_type, int K, const float *source, char *target) {
    if (kv_type == MOTET_KV_F32) {
        memcpy(target, source, (size_t)K * sizeof(float));
    } else if (kv_type == MOTET_KV_F16) {
        for (int i = 0; i < K; i++) {
            const uint16_t half = float_to_half(source[i]);
            memcpy(target + 2 * i, &half, sizeof half);
        }
    } else {
        struct motet_q8_block *block = (struct motet_q8_block *)(void *)target;
        for (const float *end = source + K; source < end; source += 32, block++) {
            float largest = 0.0f;
            for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(source[i]));
            const float scale = largest / 127.0f;
            const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
            block->scale = float_to_half(scale);
            for (int i = 0; i < 32; i++) block->values[i] = (int8_t)lrintf(source[i] * inverse);
        }
    }
}

/* Where the keys (which = 0) or values (1) of one head begin in a session's cache. */
static char *plane(const struct motet_rows_attention *a, const struct motet_segment *s, int which,
                   int g) {
    const int64_t index = ((int64_t)a->layer * 2 + which) * a->G + g;
    return s->cache + index * s->max_cells * motet_cached_bytes(a->kv_type, a->K);
}

void motet_rows_store(struct ggml_tensor *dst, int ith, int nth, void *userdata) {
    (void)dst;
    const struct motet_rows_attention *a = userdata;
    const int64_t bytes = motet_cached_bytes(a->kv_type, a->K);
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

static float sum_of_parts(float *parts) {
    for (int width = MOTET_PARTS / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) parts[i] += parts[i + width];
    return parts[0];
}

/* One key/value head for the queries `first` to `last` - 1 of one row: query n is head n % (H/G) of
 * channel n / (H/G). */
static void attend_tile(const struct motet_level *level, const struct motet_rows_attention *a,
                        const struct motet_segment *s, int64_t row, int head, int first, int last) {
    const int K = a->K, share = a->H / a->G, num = last - first;
    const int64_t bytes = motet_cached_bytes(a->kv_type, K), before = row * a->C;
    const char *keys = plane(a, s, 0, head), *values = plane(a, s, 1, head);
    const int64_t first_cell = s->first_cell + before - s->past_cells;
    float *out[MOTET_ATTEND_QUERIES];
    struct motet_gathering g = {.width = K, .kv_type = a->kv_type, .scale = a->scale};
    for (int n = 0; n < num; n++) {
        const int64_t cell = first_cell + (first + n) / share;
        const int64_t at = (cell * a->H + head * share + (first + n) % share) * K;
        g.queries[n] = a->q + at;
        g.largest[n] = -INFINITY;
        out[n] = a->out + at;
    }
    for (int64_t start = 0; start < before; start += MOTET_ATTEND_CELLS) {
        const int64_t left = before - start;
        const int cells = left < MOTET_ATTEND_CELLS ? (int)left : MOTET_ATTEND_CELLS;
        level->gather(&g, 0, num, keys + start * bytes, values + start * bytes, cells);
    }
    for (int n = 0, next; n < num; n = next) { /* each channel its own cell */
        const int channel = (first + n) / share;
        const int64_t own = (before + channel) * bytes;
        next = (channel + 1) * share - first < num ? (channel + 1) * share - first : num;
        level->gather(&g, n, next, keys + own, values + own, 1);
    }
    for (int n = 0; n < num; n++) {
        const float sum = sum_of_parts(g.sums[n]);
        for (int i = 0; i < K; i++) out[n][i] = g.values[n][i] / sum;
    }
}

void motet_rows_attend(struct ggml_tensor *dst, int ith, int nth, void *userdata) {
    (void)dst;
    const struct motet_rows_attention *a = userdata;
    const struct motet_level *level = a->level ? a->level : motet_best_level();
    const int num_queries = a->C * (a->H / a->G);
    int64_t unit = 0;
    for (int64_t i = 0; i < a->call->num_segments; i++) {
        const struct motet_segment *s = &a->call->segments[i];
        const int64_t past = s->past_cells / a->C, rows = s->num_cells / a->C;
        for (int64_t r = 0; r < rows; r++)
            for (int g = 0; g < a->G; g++, unit++) {
                if (unit % nth != ith) continue;
                for (int first = 0; first < num_queries; first += MOTET_ATTEND_QUERIES) {
                    int last = first + MOTET_ATTEND_QUERIES;
                    if (last > num_queries) last = num_queries;
                    attend_tile(level, a, s, past + r, g, first, last);
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
