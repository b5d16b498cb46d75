/* 16 rows of weights times some cells: integers within a block, float32 sums along K.
 *
 * `kind`, the number of cells and the loops over registers are known when this is compiled.
 */
#include "body_k_quants.h"

#include "body_iq4_xs.h"

/* Q4_0 and Q8_0: the sums of one block for `num` cells and STRIPES registers of rows. */
INLINE void sum_block(const int kind, const uint8_t *values, const struct motet_block *const *cells,
                      const int num, int64_t b, ints (*sum)[STRIPES]) {
    const int registers = kind == MOTET_Q4_0 ? 4 : 8; /* in which one row has its values */
    UNROLL for (int i = 0; i < registers; i++) {
        const uint8_t *p = values + i * MOTET_TILE_ROWS * 4;
        UNROLL for (int s = 0; s < STRIPES; s++) {
            if (kind == MOTET_Q4_0) {
                const bytes both = bytes_load(p + s * LANES * 4);
                const bytes low = bytes_low(both), high = bytes_high(both);
                UNROLL for (int c = 0; c < num; c++) {
                    const int8_t *x = cells[c][b].values + 4 * i;
                    sum[c][s] = sums4_add(sum[c][s], low, quad_load(x));
                    sum[c][s] = sums4_add(sum[c][s], high, quad_load(x + 16));
                }
            } else {
                const weights8 w = weights8_load(p + s * LANES * 4);
                UNROLL for (int c = 0; c < num; c++) {
                    const int8_t *x = cells[c][b].values + 4 * i;
                    sum[c][s] = sums8_add(sum[c][s], w, quad_load(x));
                }
            }
        }
    }
}

/* Adds one tile of Q4_0 or Q8_0 to the totals of rows `first` on. */
INLINE void add_tile(const int kind, const uint8_t *tile, const struct motet_block *const *cells,
                     const int num, int64_t b, int first, floats (*total)[STRIPES]) {
    ints sum[CELLS][STRIPES];
    UNROLL for (int c = 0; c < num; c++)
        UNROLL for (int s = 0; s < STRIPES; s++)
            sum[c][s] = kind == MOTET_Q4_0 ? sums4_start(cells[c][b].offset)
                                           : sums8_start(cells[c][b].offset_8);
    sum_block(kind, tile + MOTET_SCALES_BYTES + first * 4, cells, num, b, sum);
    UNROLL for (int s = 0; s < STRIPES; s++) {
        const floats scale = floats_from_halves(tile + (first + s * LANES) * 2);
        UNROLL for (int c = 0; c < num; c++) {
            const ints whole =
                kind == MOTET_Q4_0 ? sums4_end(sum[c][s], cells[c][b].offset) : sum[c][s];
            const floats both = floats_mul(scale, floats_all(cells[c][b].scale));
            total[c][s] = floats_fma(floats_from_ints(whole), both, total[c][s]);
        }
    }
}

INLINE floats floats_from(const int kind, const uint8_t *p) {
    if (kind == MOTET_F32) return floats_load((const float *)(const void *)p);
    return kind == MOTET_F16 ? floats_from_halves(p) : floats_from_bfloat16(p);
}

/* Floats: 32 values of each row for `num` cells. */
INLINE void add_float_tile(const int kind, const uint8_t *tile, const float *const *cells,
                           const int num, int64_t b, int first, floats (*total)[STRIPES]) {
    const int size = kind == MOTET_F32 ? 4 : 2;
    for (int k = 0; k < MOTET_BLOCK_VALUES; k++) {
        const uint8_t *p = tile + (k * MOTET_TILE_ROWS + first) * size;
        floats w[STRIPES];
        if (first == 0) prefetch(p + PREFETCH_BYTES);
        UNROLL for (int s = 0; s < STRIPES; s++) w[s] = floats_from(kind, p + s * LANES * size);
        UNROLL for (int c = 0; c < num; c++) {
            const floats x = floats_all(cells[c][b * MOTET_BLOCK_VALUES + k]);
            UNROLL for (int s = 0; s < STRIPES; s++) total[c][s] = floats_fma(x, w[s], total[c][s]);
        }
    }
}

/* All tiles of 16 rows for `num` cells. */
INLINE void product_cells(const int kind, const uint8_t *tiles, int64_t n,
                          const void *const *activations, const int num, float *out,
                          int64_t stride) {
    const struct motet_block *cells[CELLS];
    const float *float_cells[CELLS];
    UNROLL for (int c = 0; c < num; c++) {
        if (motet_takes_floats(kind))
            float_cells[c] = activations[c];
        else
            cells[c] = activations[c];
    }
    const int blocks = motet_is_deep(kind) ? 8 : 1; /* of a tile */
    const int64_t tile_bytes = motet_tile_bytes(kind) * blocks / 8;
    for (int first = 0; first < MOTET_TILE_ROWS; first += STRIPES * LANES) {
        const uint8_t *tile = tiles;
        floats total[CELLS][STRIPES];
        UNROLL for (int c = 0; c < num; c++)
            UNROLL for (int s = 0; s < STRIPES; s++) total[c][s] = floats_all(0.0f);
        for (int64_t b = 0; b < n; b += blocks, tile += tile_bytes) {
            if (kind == MOTET_IQ4_XS) {
                add_coded_tile(tile, cells, num, b, first, total);
            } else if (motet_is_deep(kind)) {
                add_k_tile(kind, tile, cells, num, b, first, total);
            } else if (motet_takes_floats(kind)) {
                add_float_tile(kind, tile, float_cells, num, b, first, total);
            } else {
                if (first == 0) prefetch_lines(tile, kind == MOTET_Q4_0 ? 288 : 544);
                add_tile(kind, tile, cells, num, b, first, total);
            }
        }
        UNROLL for (int c = 0; c < num; c++)
            UNROLL for (int s = 0; s < STRIPES; s++)
                floats_store(out + c * stride + first + s * LANES, total[c][s]);
    }
}

/* A loop for each number of cells up to CELLS, so that all sums stay in registers. */
INLINE void product(const int kind, const uint8_t *tiles, int64_t n, const void *const *cells,
                    int64_t num, float *out, int64_t stride) {
    for (; num >= CELLS; num -= CELLS, cells += CELLS, out += CELLS * stride)
        product_cells(kind, tiles, n, cells, CELLS, out, stride);
    switch (num) {
#if CELLS > 4
    case 7: product_cells(kind, tiles, n, cells, 7, out, stride); break;
    case 6: product_cells(kind, tiles, n, cells, 6, out, stride); break;
    case 5: product_cells(kind, tiles, n, cells, 5, out, stride); break;
    case 4: product_cells(kind, tiles, n, cells, 4, out, stride); break;
#endif
#if CELLS > 1
    case 3: product_cells(kind, tiles, n, cells, 3, out, stride); break;
    case 2: product_cells(kind, tiles, n, cells, 2, out, stride); break;
    case 1: product_cells(kind, tiles, n, cells, 1, out, stride); break;
#endif
    default: break;
    }
}

#define PRODUCT(name, kind)                                                                        \
    static TARGET void name(const uint8_t *tiles, int64_t n, const void *const *cells,             \
                            int64_t num, float *out, int64_t stride) {                             \
        product(kind, tiles, n, cells, num, out, stride);                                          \
    }
PRODUCT(product_q4_0, MOTET_Q4_0)
PRODUCT(product_q8_0, MOTET_Q8_0)
PRODUCT(product_q4_k, MOTET_Q4_K)
PRODUCT(product_q5_k, MOTET_Q5_K)
PRODUCT(product_q6_k, MOTET_Q6_K)
PRODUCT(product_iq4_xs, MOTET_IQ4_XS)
PRODUCT(product_f32, MOTET_F32)
PRODUCT(product_f16, MOTET_F16)
PRODUCT(product_bf16, MOTET_BF16)
