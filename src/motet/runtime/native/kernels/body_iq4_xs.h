/* IQ4_XS: tiles of 256 values, each one of 16 numbers; 32 share a scale, d times a 6-bit integer. */
#include <string.h>

enum {
    CODED_LOW_SCALES = 32,   /* where the low 4 bits of the scales begin */
    CODED_HIGH_SCALES = 96,  /* and the upper 2 */
    CODED_SCALES_BYTES = 128 /* before the values */
};

/* The integer scales [8][16] of a tile, each 32 too large; two at a time, which no shift mixes. */
INLINE void coded_scales(const uint8_t *tile, uint16_t *scales) {
    enum { WORDS = MOTET_TILE_ROWS / 2 };
    for (int pair = 0; pair < K_BLOCKS / 2; pair++) {
        uint16_t low[WORDS], high[WORDS];
        memcpy(low, tile + CODED_LOW_SCALES + pair * MOTET_TILE_ROWS, sizeof low);
        memcpy(high, tile + CODED_HIGH_SCALES + pair / 2 * MOTET_TILE_ROWS, sizeof high);
        uint16_t *even = scales + 2 * pair * WORDS, *odd = even + WORDS;
        for (int i = 0; i < WORDS; i++) {
            const uint16_t upper = (uint16_t)(high[i] >> pair % 2 * 4);
            even[i] = (uint16_t)((low[i] & 0x0f0f) | (upper << 4 & 0x3030));
            odd[i] = (uint16_t)((low[i] >> 4 & 0x0f0f) | (upper << 2 & 0x3030));
        }
    }
}

/* The numbers that the low, or the high, codes of some bytes stand for. */
INLINE weights8 coded_weights(bytes both, const int is_high) {
#ifdef CODES_IN_ANY_BYTES
    return weights8_from_codes(is_high ? bytes_right_4(both) : both);
#else
    return weights8_from_codes(is_high ? bytes_high(both) : bytes_low(both));
#endif
}

/* Adds a tile, whose activations are blocks b to b + 7 with one scale, to the totals of rows
 * `first` on. */
INLINE void add_coded_tile(const uint8_t *tile, const struct motet_block *const *cells,
                           const int num, int64_t b, int first, floats (*total)[STRIPES]) {
    uint16_t scales[K_BLOCKS * MOTET_TILE_ROWS / 2];
    floats whole[STRIPES], none[STRIPES], part[CELLS][STRIPES];
    UNROLL for (int c = 0; c < num; c++)
        UNROLL for (int s = 0; s < STRIPES; s++) part[c][s] = floats_all(0.0f);
    coded_scales(tile, scales);
    UNROLL for (int s = 0; s < STRIPES; s++) {
        whole[s] = floats_from_halves(tile + (first + s * LANES) * 2);
        none[s] = floats_mul(whole[s], floats_all(-32.0f));
    }
    if (first == 0) prefetch_lines(tile, CODED_SCALES_BYTES);
    for (int block = 0; block < K_BLOCKS; block++, b++) {
        const uint8_t *values = tile + CODED_SCALES_BYTES + block * MOTET_NIBBLES_BYTES;
        if (first == 0) prefetch_lines(values, MOTET_NIBBLES_BYTES);
        ints sum[CELLS][STRIPES];
        UNROLL for (int c = 0; c < num; c++)
            UNROLL for (int s = 0; s < STRIPES; s++) sum[c][s] = sums8_start(cells[c][b].offset_8);
        UNROLL for (int i = 0; i < 4; i++)
            UNROLL for (int s = 0; s < STRIPES; s++) {
                const int at = (i * MOTET_TILE_ROWS + first + s * LANES) * 4;
                const bytes both = bytes_load(values + at);
                const weights8 low = coded_weights(both, 0);
                const weights8 high = coded_weights(both, 1);
                UNROLL for (int c = 0; c < num; c++) {
                    const int8_t *x = cells[c][b].values + 4 * i;
                    sum[c][s] = sums8_add(sum[c][s], low, quad_load(x));
                    sum[c][s] = sums8_add(sum[c][s], high, quad_load(x + 16));
                }
            }
        UNROLL for (int s = 0; s < STRIPES; s++) {
            const uint8_t *small =
                (const uint8_t *)scales + block * MOTET_TILE_ROWS + first + s * LANES;
            const floats scale =
                floats_fma(whole[s], floats_from_ints(ints_from_uint8(small)), none[s]);
            UNROLL for (int c = 0; c < num; c++)
                part[c][s] = floats_fma(floats_from_ints(sum[c][s]), scale, part[c][s]);
        }
    }
    UNROLL for (int c = 0; c < num; c++)
        UNROLL for (int s = 0; s < STRIPES; s++)
            total[c][s] = floats_fma(part[c][s], floats_all(cells[c][b - 1].scale), total[c][s]);
}
