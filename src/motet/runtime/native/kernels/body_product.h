/* 16 rows of weights times some cells: integers within a block, float32 sums along K. */

enum { PREFETCH_BYTES = 4096 }; /* ahead of what is read; the next rows follow in memory */

/* The sums of one block, `bits` 4 or 8, for `num` cells and STRIPES registers of rows. */
INLINE void sum_block(const int bits, const uint8_t *values, const struct motet_block *const *cells,
                      const int num, int64_t b, ints (*sum)[STRIPES]) {
    const int registers = bits == 4 ? 4 : 8; /* in which one row has its values */
    UNROLL for (int i = 0; i < registers; i++) {
        const uint8_t *p = values + i * MOTET_TILE_ROWS * 4;
        UNROLL for (int s = 0; s < STRIPES; s++) {
            if (bits == 4) {
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

INLINE void product_cells(const int bits, const uint8_t *tiles, int64_t n,
                          const struct motet_block *const *cells, const int num, float *out,
                          int64_t stride) {
    const int64_t tile_bytes = bits == 4 ? MOTET_TILE4_BYTES : MOTET_TILE8_BYTES;
    for (int first = 0; first < MOTET_TILE_ROWS; first += STRIPES * LANES) {
        const uint8_t *tile = tiles;
        floats total[CELLS][STRIPES];
        UNROLL for (int c = 0; c < num; c++)
            UNROLL for (int s = 0; s < STRIPES; s++) total[c][s] = floats_all(0.0f);
        for (int64_t b = 0; b < n; b++, tile += tile_bytes) {
            ints sum[CELLS][STRIPES];
            floats scale[STRIPES];
            if (first == 0)
                UNROLL for (int line = 0; line < tile_bytes / 64; line++)
                    prefetch(tile + PREFETCH_BYTES + 64 * line);
            UNROLL for (int c = 0; c < num; c++)
                UNROLL for (int s = 0; s < STRIPES; s++)
                    sum[c][s] = bits == 4 ? sums4_start(cells[c][b].offset)
                                          : sums8_start(cells[c][b].offset);
            sum_block(bits, tile + MOTET_SCALES_BYTES + first * 4, cells, num, b, sum);
            UNROLL for (int s = 0; s < STRIPES; s++)
                scale[s] = floats_from_halves(tile + (first + s * LANES) * 2);
            UNROLL for (int c = 0; c < num; c++)
                UNROLL for (int s = 0; s < STRIPES; s++) {
                    const ints whole =
                        bits == 4 ? sums4_end(sum[c][s], cells[c][b].offset) : sum[c][s];
                    const floats both = floats_mul(scale[s], floats_all(cells[c][b].scale));
                    total[c][s] = floats_fma(floats_from_ints(whole), both, total[c][s]);
                }
        }
        UNROLL for (int c = 0; c < num; c++)
            UNROLL for (int s = 0; s < STRIPES; s++)
                floats_store(out + c * stride + first + s * LANES, total[c][s]);
    }
}

/* A loop for each number of cells up to CELLS, so that all sums stay in registers. */
INLINE void product(const int bits, const uint8_t *tiles, int64_t n,
                    const struct motet_block *const *cells, int64_t num, float *out,
                    int64_t stride) {
    for (; num >= CELLS; num -= CELLS, cells += CELLS, out += CELLS * stride)
        product_cells(bits, tiles, n, cells, CELLS, out, stride);
    switch (num) {
#if CELLS > 4
    case 7: product_cells(bits, tiles, n, cells, 7, out, stride); break;
    case 6: product_cells(bits, tiles, n, cells, 6, out, stride); break;
    case 5: product_cells(bits, tiles, n, cells, 5, out, stride); break;
    case 4: product_cells(bits, tiles, n, cells, 4, out, stride); break;
#endif
#if CELLS > 1
    case 3: product_cells(bits, tiles, n, cells, 3, out, stride); break;
    case 2: product_cells(bits, tiles, n, cells, 2, out, stride); break;
    case 1: product_cells(bits, tiles, n, cells, 1, out, stride); break;
#endif
    default: break;
    }
}

static TARGET void product4(const uint8_t *tiles, int64_t n, const struct motet_block *const *cells,
                            int64_t num, float *out, int64_t stride) {
    product(4, tiles, n, cells, num, out, stride);
}

static TARGET void product8(const uint8_t *tiles, int64_t n, const struct motet_block *const *cells,
                            int64_t num, float *out, int64_t stride) {
    product(8, tiles, n, cells, num, out, stride);
}
