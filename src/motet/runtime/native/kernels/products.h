/* Products of few cells with interleaved quantised weights, and the feed-forward made of them.
 *
 * Weights [N][K] are the numbers of GGUF's blocks in another order, and take as many bytes: tiles
 * of 16 rows times 32 values (256 for K-quants and IQ4_XS), tile after tile along K, then the next 16 rows; N
 * is a multiple of 16, K of 32 (256). The bytes of 32 values of 16 rows are
 *
 *   nibbles, 256 bytes: byte [i][row][j], i and j < 4, has value 4i+j of the row in its low half
 *     and value 16+4i+j in its high half, as they stand in the blocks of Q4_0;
 *   8 bits (Q8_0), 512 bytes: byte [i][row][j], i < 8 and j < 4, is value 4i+j plus 128.
 *
 * So a vector register of any width takes four values of some rows, which is what the dot product
 * instructions of x86 and ARM want, and one file of tiles serves them all. A tile is
 *
 *   Q4_0 (288 bytes), Q8_0 (544): 16 half-precision scales; the values;
 *   Q4_K (2304), Q5_K (2816): 16 scales d and 16 dmin, in half precision; for each 32 values b the
 *     low 4 bits of 16 scales (low half of a byte) and minima (high half); for each two b the upper
 *     2 bits of scale and minimum of the first, and of the second, 16 bytes; for each b nibbles,
 *     and for Q5_K 64 bytes [row][j] whose bits 4 to 7 are the highest bits of values 4i+j, and
 *     bits 0 to 3 those of values 16+4i+j, i = 0 to 3;
 *   Q6_K (3360): 16 half-precision d; for each b 16 8-bit scales of values 0 to 15, and 16 of the
 *     others; for each b nibbles, and for each half of the values 64 bytes [row][j] with the upper
 *     two bits of values 4i+j: i = 0 in bits 4 and 5, 1 in 6 and 7, 2 in 0 and 1, 3 in 2 and 3;
 *   IQ4_XS (2176): 16 half-precision d; for each two 32 values b the low 4 bits of the scales of the
 *     first (low half of 16 bytes) and of the second (high half); for each four b 16 bytes with the
 *     upper 2 bits of each in turn, lowest bits first; for each b nibbles, which are places in
 *     `motet_codes`;
 *   F32 (2048), F16, BF16 (1024): for each of 32 values 16 rows.
 *
 * Tiles need an alignment of 2 bytes; 64 is best.
 *
 * Activations are rounded to 8 bits with one scale for 32 values, or for 256 if IQ4_XS takes them
 * (`struct motet_block`); only weights that are floats take them as float32. Sums of integers are exact and float32 sums go
 * along K with fused multiply-adds, so the results are the same bits for every instruction set,
 * number of threads and number of cells.
 */
#ifndef MOTET_PRODUCTS_H
#define MOTET_PRODUCTS_H

#include "abi.h"

enum {
    MOTET_TILE_ROWS = 16,
    MOTET_BLOCK_VALUES = 32,
    MOTET_MAX_EXPERTS = 256,
};

enum motet_weight_kind {
    MOTET_Q4_0,
    MOTET_Q8_0,
    MOTET_Q4_K,
    MOTET_Q5_K,
    MOTET_Q6_K,
    MOTET_IQ4_XS,
    MOTET_F32,
    MOTET_F16,
    MOTET_BF16,
    MOTET_KINDS
};

/* Blocks of activations in a row that have one scale: IQ4_XS takes 8, all others 1. */
enum { MOTET_MAX_SPAN = 8 };

/* 32 activations: value i is scale * values[i]. The sums take back what was added to weights. */
struct motet_block {
    float scale;
    int32_t offset;     /* -8 times the sum of the values */
    int32_t offset_8;   /* -128 times the sum of the values */
    int32_t offsets[2]; /* -32 times the sum of the first 16, and of the others */
    int8_t values[MOTET_BLOCK_VALUES];
};

/* Interleaved weights, [N][K], or [E][N][K] for experts. */
struct motet_weights {
    const void *tiles;
    int64_t expert_bytes; /* from one expert to the next; 0 if there is one */
    int32_t num_rows;     /* N */
    int32_t depth;        /* K */
    int32_t kind;         /* enum motet_weight_kind */
    int32_t num_experts;  /* E; 1 for a plain matrix */
};

/* How the threads of one call share its work; zero at first, and zero again after every call. */
struct motet_progress {
    int64_t next;     /* first unit that nobody has taken */
    int64_t num_done; /* threads that found nothing left */
};

struct motet_level; /* the code for one instruction set */

/* x [T][K] to blocks [T][K/32], each `span` of which have one scale; K a multiple of 32 * span. */
struct motet_quantise {
    const struct motet_level *level;
    const float *x;
    struct motet_block *blocks;
    int64_t x_stride; /* floats from cell to cell */
    int32_t num_cells, depth;
    int32_t span;
    struct motet_progress progress;
};

/* out [T][N] = residual [T][N] + activations times weights. */
struct motet_product {
    const struct motet_level *level;
    struct motet_weights weights;
    const void *activations; /* blocks [T][K/32]; float32 [T][K] if the weights are floats */
    const float *residual;   /* may be null: none; may be `out` */
    float *out;
    int64_t residual_stride, out_stride; /* floats from cell to cell */
    int32_t num_cells;
    struct motet_progress progress;
};

/* hidden [T][A][F] = silu(gate x) * (up x) for the A experts of each cell. Gate, up and down are
 * all floats, or none is; hidden are then float32, or else blocks, `span` to a scale. */
struct motet_experts_up {
    const struct motet_level *level;
    struct motet_weights gate, up;    /* [E][F][D], F a multiple of 32 * span */
    const void *activations;          /* [T][D], as in motet_product */
    const int32_t *experts;           /* [T][A], all different in a cell; null: expert 0 (a dense
                                         feed-forward, A = 1); E is at most MOTET_MAX_EXPERTS */
    void *hidden;
    int64_t experts_stride; /* int32s from cell to cell */
    int32_t num_cells, num_active; /* T, A */
    int32_t span;
    struct motet_progress progress;
};

/* out [T][D] = residual [T][D] + sum over a of shares [T][A] times (down hidden), in the order of
 * the experts. */
struct motet_experts_down {
    const struct motet_level *level;
    struct motet_weights down;        /* [E][D][F] */
    const void *hidden;
    const int32_t *experts;           /* as in motet_experts_up */
    const float *shares;              /* [T][A]; null: all 1 */
    const float *residual;            /* may be null: none; may be `out` */
    float *out;
    int64_t experts_stride, shares_stride, residual_stride, out_stride; /* elements */
    int32_t num_cells, num_active;
    struct motet_progress progress;
};

/* Custom operations; `userdata` is the structure of the same name. */
MOTET_EXPORT void motet_quantise(struct ggml_tensor *dst, int ith, int nth, void *userdata);
MOTET_EXPORT void motet_product(struct ggml_tensor *dst, int ith, int nth, void *userdata);
MOTET_EXPORT void motet_experts_up(struct ggml_tensor *dst, int ith, int nth, void *userdata);
MOTET_EXPORT void motet_experts_down(struct ggml_tensor *dst, int ith, int nth, void *userdata);

/* Instruction sets, best first: level i by name, null after the last; null code if the processor
 * lacks it. */
MOTET_EXPORT const char *motet_level_name(int index);
MOTET_EXPORT const struct motet_level *motet_level(int index);

/* Between GGUF blocks of a kind, [N][K/32] or [N][K/256], and tiles, for the rows [first, last),
 * both multiples of 16; pointers are to row 0. */
MOTET_EXPORT void motet_interleave(int kind, const void *blocks, void *tiles, int64_t first,
                                   int64_t last, int64_t depth);
MOTET_EXPORT void motet_deinterleave(int kind, const void *tiles, void *blocks, int64_t first,
                                     int64_t last, int64_t depth);

/* Reads memory as fast as one thread can: the largest 32-bit word of a multiple of 256 bytes. */
MOTET_EXPORT int32_t motet_read_memory(const struct motet_level *level, const void *memory,
                                       int64_t num_bytes);

/* Bytes of struct motet_block, motet_weights, motet_quantise, motet_product, motet_experts_up and
 * motet_experts_down: what another language's description of them must give too. */
MOTET_EXPORT void motet_structure_bytes(int64_t *six);

#endif
