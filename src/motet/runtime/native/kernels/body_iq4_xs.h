/* IQ4_XS: tiles of 256 values, each one of 16 numbers; 32 share a scale, d times a 6-bit integer. */

enum {
    CODED_LOW_SCALES = 32,   /* where the low 4 bits of the scales begin */
    CODED_HIGH_SCALES = 96,  /* and the upper 2 */
    CODED_SCALES_BYTES = 128 /* before the values */
};

/* The scales of 32 values in some rows. */
INLINE floats coded_scales(const uint8_t *tile, int block, int row) {
    ints low = ints_from_uint8(tile + CODED_LOW_SCALES + block / 2 * MOTET_TILE_ROWS + row);
    ints high = ints_from_uint8(tile + CODED_HIGH_SCALES + block / 4 * MOTET_TILE_ROWS + row);
    if (block % 2) low = ints_over_16(low);
    if (block / 2 % 2) high = ints_over_16(high);
    if (block % 2) high = ints_over_4(high);
    const ints small = ints_add(ints_and(low, 15), ints_times_16(ints_and(high, 3)));
    return floats_mul(floats_from_halves(tile + row * 2),
                      floats_from_ints(ints_add(small, ints_all(-32))));
}

/* Adds a tile, whose activations are blocks b to b + 7, to the totals of rows `first` on. */
INLINE void add_coded_tile(const uint8_t *tile, const struct motet_block *const *cells,
                           const int num, int64_t b, int first, floats (*total)[STRIPES]) {
    if (first == 0) prefetch_lines(tile, CODED_SCALES_BYTES);
    for (int block = 0; block < K_BLOCKS; block++, b++) {
        const uint8_t *values = tile + CODED_SCALES_BYTES + block * MOTET_NIBBLES_BYTES;
        if (first == 0) prefetch_lines(values, MOTET_NIBBLES_BYTES);
        ints sum[CELLS][STRIPES];
        UNROLL for (int c = 0; c < num; c++)
            UNROLL for (int s = 0; s < STRIPES; s++) sum[c][s] = sums8_start(cells[c][b].offset);
        UNROLL for (int i = 0; i < 4; i++)
            UNROLL for (int s = 0; s < STRIPES; s++) {
                const int at = (i * MOTET_TILE_ROWS + first + s * LANES) * 4;
                const bytes both = bytes_load(values + at);
                const weights8 low = weights8_from_codes(bytes_low(both));
                const weights8 high = weights8_from_codes(bytes_high(both));
                UNROLL for (int c = 0; c < num; c++) {
                    const int8_t *x = cells[c][b].values + 4 * i;
                    sum[c][s] = sums8_add(sum[c][s], low, quad_load(x));
                    sum[c][s] = sums8_add(sum[c][s], high, quad_load(x + 16));
                }
            }
        UNROLL for (int s = 0; s < STRIPES; s++) {
            const floats scale = coded_scales(tile, block, first + s * LANES);
            UNROLL for (int c = 0; c < num; c++) {
                const floats both = floats_mul(scale, floats_all(cells[c][b].scale));
                total[c][s] = floats_fma(floats_from_ints(sum[c][s]), both, total[c][s]);
            }
        }
    }
}
