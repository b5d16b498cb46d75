/* What is compiled once for each instruction set: the inner loops behind every kernel.
 *
 * A level is a table of these loops. Each `level_*.c` defines the vector operations of one
 * instruction set (`lanes_*.h`) and includes the bodies (`body_*.h`), which are written once in
 * terms of them and fix the order of every sum, so that all levels give the same bits.
 */
#ifndef MOTET_LEVEL_H
#define MOTET_LEVEL_H

#include "products.h"
#include "rows.h"

enum {
    MOTET_SCALES_BYTES = 32,   /* of 16 rows in half precision */
    MOTET_NIBBLES_BYTES = 256, /* of 16 rows times 32 values */
    MOTET_PARTS = 16,          /* partial sums of a long sum, whatever the width of a register */
    MOTET_ATTEND_CELLS = 32,   /* cached cells at a time */
    MOTET_ATTEND_QUERIES = 16, /* queries at a time */
};

/* The numbers that IQ4_XS has for its 16 codes, plus 128. Source: kvalues_iq4nl of ggml. */
static const uint8_t motet_codes[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                        129, 141, 153, 166, 181, 197, 217, 241};

/* Queries of one key/value head that attend to the same cells, and what they gathered so far. */
struct motet_gathering {
    int32_t width;   /* K */
    int32_t kv_type; /* enum motet_kv_type */
    float scale;
    const float *queries[MOTET_ATTEND_QUERIES];    /* each [K] */
    float largest[MOTET_ATTEND_QUERIES];           /* score so far; -infinity at first */
    float sums[MOTET_ATTEND_QUERIES][MOTET_PARTS]; /* of the weights, by cell modulo 16 */
    float values[MOTET_ATTEND_QUERIES][MOTET_MAX_HEAD_WIDTH]; /* weighted */
};

/* Loops are compiled for each number of cells by inlining; unoptimised builds, for sanitizers, take
 * the same functions as they are. */
#if defined(__GNUC__) && defined(__OPTIMIZE__)
#define ALWAYS_INLINE __attribute__((always_inline))
#else
#define ALWAYS_INLINE
#endif

struct motet_level {
    const char *name;

    /* x [32 n] to n blocks, each `span` of which have one scale; n a multiple of span. */
    void (*quantise)(const float *x, struct motet_block *blocks, int64_t n, int span);

    /* By kind: out [cell][16] for 16 rows of weights of K = 32 n and any number of cells, each
     * given by its n blocks or 32 n floats; `stride` is in floats. */
    void (*product[MOTET_KINDS])(const uint8_t *tiles, int64_t n, const void *const *cells,
                                 int64_t num_cells, float *out, int64_t stride);

    /* gate [n] becomes silu(gate) * up; n a multiple of 16. */
    void (*swiglu)(float *gate, const float *up, int64_t n);

    /* out [n] += share * y; n a multiple of 16. */
    void (*add_scaled)(float *out, const float *y, float share, int64_t n);

    /* Takes in `n` cached cells, at most MOTET_ATTEND_CELLS, for the queries from `first` up to
     * `last` - 1. */
    void (*gather)(struct motet_gathering *g, int first, int last, const char *keys,
                   const char *values, int n);

    /* The largest 32-bit word of a memory; num_bytes a multiple of 256. */
    int32_t (*read)(const uint8_t *memory, int64_t num_bytes);
};

extern const struct motet_level motet_level_portable;
#if defined(__GNUC__) && defined(__x86_64__)
extern const struct motet_level motet_level_avx2, motet_level_avxvnni, motet_level_avx512,
    motet_level_avx512vbmi;
#endif
#if defined(__GNUC__) && defined(__aarch64__)
extern const struct motet_level motet_level_neon;
#endif

/* The level to run when none is named. */
const struct motet_level *motet_best_level(void);

enum { MOTET_CELLS_AT_ONCE = 64 }; /* the most that a kernel hands to `product` */

/* Bytes of 16 rows times 256 values. */
static inline int64_t motet_tile_bytes(int kind) {
    static const int16_t bytes[MOTET_KINDS] = {8 * 288, 8 * 544, 2304,  2816,
                                               3360,    2176,    16384, 8192, 8192};
    return bytes[kind];
}

static inline int motet_takes_floats(int kind) { return kind >= MOTET_F32; }

/* 256 values stand in one tile, and have scales of their own for fewer. */
static inline int motet_is_deep(int kind) { return kind >= MOTET_Q4_K && kind <= MOTET_IQ4_XS; }

/* Bytes of one cell's activations for weights of a kind. */
static inline int64_t motet_cell_bytes(int kind, int64_t depth) {
    if (motet_takes_floats(kind)) return depth * (int64_t)sizeof(float);
    return depth / MOTET_BLOCK_VALUES * (int64_t)sizeof(struct motet_block);
}

/* out [cell][16] for group `group` of 16 rows of one expert's weights. */
static inline void motet_multiply(const struct motet_level *level, const struct motet_weights *w,
                                  int64_t expert, int64_t group,
                                  const void *const *cells, int64_t num, float *out,
                                  int64_t stride) {
    const int64_t n = w->depth / MOTET_BLOCK_VALUES;
    const uint8_t *tiles = (const uint8_t *)w->tiles + expert * w->expert_bytes;
    level->product[w->kind](tiles + group * (n * motet_tile_bytes(w->kind) / 8), n, cells, num,
                            out, stride);
}

#endif
