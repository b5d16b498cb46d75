/* The kernels on exact allocations, for sanitizers: each level against plain C, bit by bit.
 *
 * Every buffer is a separate allocation of just the bytes that the kernels may touch, so a read or
 * write outside is found by the address sanitizer; threads are real, so that a race on the shared
 * progress shows too. Prints the number of comparisons; any failure ends the process.
 */
#include "level.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef WITH_DOT_256
extern const struct motet_level motet_level_dot_256;
#endif

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below) { /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % below;
}

static float draw_float(void) { return (float)((int)draw(20001) - 10000) / 5000.0f; }

static void *room(size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory) abort();
    memset(memory, 0xA5, bytes);
    return memory;
}

static float *draw_floats(size_t n) {
    float *x = room(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = draw_float();
    return x;
}

/* Scales that are no infinite and no large numbers. */
static void moderate(int kind, uint8_t *blocks, size_t bytes) {
    static const int size[] = {18, 34, 144, 176, 210, 136, 4, 2, 2};
    static const int scale[] = {0, 0, 0, 0, 208, 0, 2, 0, 0};
    for (size_t at = 0; at < bytes; at += (size_t)size[kind]) {
        uint8_t *high = blocks + at + scale[kind] + 1;
        *high = (uint8_t)(0x20 | (*high & 0x83));
        if (kind == MOTET_Q4_K || kind == MOTET_Q5_K) high[2] = *high;
    }
}

/* What K must be a multiple of. */
static int unit(int kind) {
    return motet_is_deep(kind) ? 256 : 32;
}

/* Random tiles, by way of GGUF blocks and back. */
static uint8_t *draw_tiles(int kind, int64_t rows, int64_t depth) {
    const size_t bytes = (size_t)(rows * depth / 256 * motet_tile_bytes(kind) / 16);
    uint8_t *blocks = room(bytes), *tiles = room(bytes), *again = room(bytes);
    for (size_t i = 0; i < bytes; i++) blocks[i] = (uint8_t)draw(256);
    moderate(kind, blocks, bytes);
    motet_interleave(kind, blocks, tiles, 0, rows, depth);
    motet_deinterleave(kind, tiles, again, 0, rows, depth);
    if (memcmp(blocks, again, bytes) != 0) abort();
    free(blocks);
    free(again);
    return tiles;
}

static struct motet_weights weights(int kind, uint8_t *tiles, int E, int N, int K) {
    const int64_t bytes = (int64_t)N * K / 256 * motet_tile_bytes(kind) / 16;
    return (struct motet_weights){tiles, bytes, N, K, kind, E};
}

typedef void operation(struct ggml_tensor *, int, int, void *);

struct part {
    operation *op;
    void *userdata;
    int ith, nth;
};

static void *run_part(void *argument) {
    const struct part *p = argument;
    p->op(NULL, p->ith, p->nth, p->userdata);
    return NULL;
}

static void run(operation *op, void *userdata, int nth) {
    pthread_t threads[8];
    struct part parts[8];
    for (int i = 0; i < nth; i++) {
        parts[i] = (struct part){op, userdata, i, nth};
        if (pthread_create(&threads[i], NULL, run_part, &parts[i])) abort();
    }
    for (int i = 0; i < nth; i++) pthread_join(threads[i], NULL);
}

/* All levels that this processor has, plain C first. */
static int collect(const struct motet_level **levels) {
    int num = 0;
    levels[num++] = &motet_level_portable;
    for (int i = 0; motet_level_name(i); i++)
        if (motet_level(i) && motet_level(i) != &motet_level_portable)
            levels[num++] = motet_level(i);
#ifdef WITH_DOT_256
    for (int i = 0; motet_level_name(i); i++)
        if (motet_level(i) && strcmp(motet_level_name(i), "avx512") == 0)
            levels[num++] = &motet_level_dot_256;
#endif
    return num;
}

static int num_same;

/* Keeps the first result, and compares all others with it. */
static void compare(const char *what, const struct motet_level *level, float **first, float *got,
                    size_t n) {
    if (!*first) {
        *first = got;
        return;
    }
    if (memcmp(*first, got, n * sizeof *got) != 0) {
        printf("%s differs at level %s\n", what, level->name);
        exit(1);
    }
    num_same++;
    free(got);
}

static int span_of(int kind) { return kind == MOTET_IQ4_XS ? MOTET_MAX_SPAN : 1; }

/* The activations that weights of a kind take. */
static void *taken_of(int kind, const struct motet_level *level, const float *x, int T, int K,
                      int nth) {
    void *taken = room((size_t)T * (size_t)motet_cell_bytes(kind, K));
    struct motet_quantise q = {
        .level = level, .x = x, .blocks = taken, .x_stride = K, .num_cells = T, .depth = K,
        .span = span_of(kind)};
    if (motet_takes_floats(kind))
        memcpy(taken, x, (size_t)T * (size_t)K * sizeof *x);
    else
        run(motet_quantise, &q, nth);
    return taken;
}

static void products(const struct motet_level **levels, int num_levels, int kind) {
    const int K = unit(kind) * (1 + (int)draw(6));
    const int N = 16 * (1 + (int)draw(4)), T = 1 + (int)draw(40);
    uint8_t *tiles = draw_tiles(kind, N, K);
    float *x = draw_floats((size_t)T * (size_t)K), *residual = draw_floats((size_t)T * (size_t)N);
    float *first = NULL;
    for (int i = 0; i < num_levels; i++) {
        const int nth = 1 + (int)draw(3);
        void *taken = taken_of(kind, levels[i], x, T, K, nth);
        struct motet_product p = {
            .level = levels[i],
            .weights = weights(kind, tiles, 1, N, K),
            .activations = taken,
            .residual = residual,
            .out = room((size_t)T * (size_t)N * sizeof(float)),
            .residual_stride = N,
            .out_stride = N,
            .num_cells = T,
        };
        run(motet_product, &p, nth);
        compare("product", levels[i], &first, p.out, (size_t)T * (size_t)N);
        free(taken);
    }
    free(first);
    free(residual);
    free(x);
    free(tiles);
}

static void feed_forwards(const struct motet_level **levels, int num_levels, int kind) {
    const int E = 1 + (int)draw(5), A = 1 + (int)draw((uint32_t)E), T = 1 + (int)draw(20);
    const int D = unit(kind) * (1 + (int)draw(2)), F = unit(kind) * (1 + (int)draw(2));
    uint8_t *gate = draw_tiles(kind, (int64_t)E * F, D), *up = draw_tiles(kind, (int64_t)E * F, D);
    uint8_t *down = draw_tiles(kind, (int64_t)E * D, F);
    float *x = draw_floats((size_t)T * (size_t)D), *shares = draw_floats((size_t)T * (size_t)A);
    int32_t *chosen = room((size_t)T * (size_t)A * sizeof *chosen);
    for (int t = 0; t < T; t++) { /* A neighbours, so that all differ */
        const int start = (int)draw((uint32_t)E);
        for (int a = 0; a < A; a++) chosen[t * A + a] = (start + a) % E;
    }
    float *first = NULL;
    for (int i = 0; i < num_levels; i++) {
        const int nth = 1 + (int)draw(3);
        void *taken = taken_of(kind, levels[i], x, T, D, nth);
        void *hidden = room((size_t)(T * A) * (size_t)motet_cell_bytes(kind, F));
        struct motet_experts_up u = {
            .level = levels[i],
            .gate = weights(kind, gate, E, F, D),
            .up = weights(kind, up, E, F, D),
            .activations = taken,
            .experts = chosen,
            .hidden = hidden,
            .experts_stride = A,
            .num_cells = T,
            .num_active = A,
            .span = span_of(kind),
        };
        run(motet_experts_up, &u, nth);
        struct motet_experts_down d = {
            .level = levels[i],
            .down = weights(kind, down, E, D, F),
            .hidden = hidden,
            .experts = chosen,
            .shares = shares,
            .out = room((size_t)T * (size_t)D * sizeof(float)),
            .experts_stride = A,
            .shares_stride = A,
            .out_stride = D,
            .num_cells = T,
            .num_active = A,
        };
        run(motet_experts_down, &d, nth);
        compare("feed-forward", levels[i], &first, d.out, (size_t)T * (size_t)D);
        free(taken);
        free(hidden);
    }
    free(first);
    free(chosen);
    free(shares);
    free(x);
    free(gate);
    free(up);
    free(down);
}

static void attentions(const struct motet_level **levels, int num_levels) {
    const int kv_type = (int)draw(3), share = 1 + (int)draw(6), G = 1 + (int)draw(2);
    const int K = kv_type == MOTET_KV_Q8_0 ? 32 * (1 + (int)draw(3)) : 1 + (int)draw(70);
    const int C = 1 + (int)draw(5), R = 1 + (int)draw(24), past = (int)draw((uint32_t)R);
    const size_t T = (size_t)(R * C), H = (size_t)(G * share), width = (size_t)K;
    float *q = draw_floats(T * H * width);
    float *k = draw_floats(T * (size_t)G * width), *v = draw_floats(T * (size_t)G * width);
    float *first = NULL;
    for (int i = 0; i < num_levels; i++) {
        const size_t bytes = 2 * (size_t)G * T * (size_t)motet_cached_bytes(kv_type, K);
        char *cache = room(bytes);
        float *out = room(T * H * width * sizeof *out);
        for (int part = 0; part < 2; part++) { /* the past, then the rest */
            const int begin = part ? past : 0, end = part ? R : past;
            const size_t skip = (size_t)(begin * C);
            struct motet_segment s = {
                .cache = cache,
                .max_cells = R * C,
                .num_cells = (end - begin) * C,
                .past_cells = begin * C,
            };
            const struct motet_call call = {&s, 1};
            struct motet_rows_attention a = {
                .call = &call,
                .q = q + skip * H * width,
                .k = k + skip * (size_t)G * width,
                .v = v + skip * (size_t)G * width,
                .out = out + skip * H * width,
                .H = (int32_t)H,
                .G = G,
                .K = K,
                .C = C,
                .kv_type = kv_type,
                .scale = 0.25f,
                .level = levels[i],
            };
            const int nth = 1 + (int)draw(3);
            run(motet_rows_store, &a, nth);
            run(motet_rows_attend, &a, nth);
        }
        compare("attention", levels[i], &first, out, T * H * width);
        free(cache);
    }
    free(first);
    free(q);
    free(k);
    free(v);
}

int main(int argc, char **argv) {
    const struct motet_level *levels[8];
    const int num_levels = collect(levels), rounds = argc > 1 ? atoi(argv[1]) : 8;
    for (int i = 0; i < rounds; i++) {
        products(levels, num_levels, i % MOTET_KINDS);
        feed_forwards(levels, num_levels, i % MOTET_KINDS);
        attentions(levels, num_levels);
    }
    printf("%d levels, %d results the same\n", num_levels, num_same);
    return 0;
}
