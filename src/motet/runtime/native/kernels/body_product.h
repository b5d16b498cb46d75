/* 16 rows of weights times some cells: integers within a block, float32 sums along K. */

enum { PREFETCH4 = 2048, PREFETCH8 = 2048 }; /* bytes ahead of those that are used */


INLINE void product4_cells(const uint8_t *tile, int64_t n, const struct motet_block *const *cells,
                           const int num, float *out, int64_t stride) {
    for (int first = 0; first < MOTET_TILE_ROWS / LANES; first += STRIPES) {
        const uint8_t *t = tile;
        floats total[CELLS][STRIPES];
#pragma GCC unroll 8
        for (int c = 0; c < num; c++)
#pragma GCC unroll 4
            for (int s = 0; s < STRIPES; s++) total[c][s] = floats_all(0.0f);
        for (int64_t b = 0; b < n; b++, t += MOTET_TILE4_BYTES) {
            sums4 sum[CELLS][STRIPES];
#pragma GCC unroll 8
            for (int c = 0; c < num; c++)
#pragma GCC unroll 4
                for (int s = 0; s < STRIPES; s++) sum[c][s] = sums4_start(cells[c][b].offset);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                const uint8_t *p = t + MOTET_SCALES_BYTES + i * 64 + first * LANES * 4;
                bytes low[STRIPES], high[STRIPES];
                if (first == 0) prefetch(p + PREFETCH4);
#pragma GCC unroll 4
                for (int s = 0; s < STRIPES; s++) {
                    const bytes both = bytes_load(p + s * LANES * 4);
                    low[s] = bytes_low(both);
                    high[s] = bytes_high(both);
                }
#pragma GCC unroll 8
                for (int c = 0; c < num; c++) {
                    const quad x = quad_load(cells[c][b].values + 4 * i);
#pragma GCC unroll 4
                    for (int s = 0; s < STRIPES; s++) sum[c][s] = sums4_add(sum[c][s], low[s], x);
                }
#pragma GCC unroll 8
                for (int c = 0; c < num; c++) {
                    const quad x = quad_load(cells[c][b].values + 16 + 4 * i);
#pragma GCC unroll 4
                    for (int s = 0; s < STRIPES; s++) sum[c][s] = sums4_add(sum[c][s], high[s], x);
                }
            }
            floats scale[STRIPES];
#pragma GCC unroll 4
            for (int s = 0; s < STRIPES; s++) scale[s] = floats_from_halves(t + (first + s) * LANES * 2);
#pragma GCC unroll 8
            for (int c = 0; c < num; c++)
#pragma GCC unroll 4
                for (int s = 0; s < STRIPES; s++)
                    total[c][s] = floats_fma(
                        floats_from_ints(sums4_end(sum[c][s], cells[c][b].offset)),
                        floats_mul(scale[s], floats_all(cells[c][b].scale)), total[c][s]);
        }
#pragma GCC unroll 8
        for (int c = 0; c < num; c++)
#pragma GCC unroll 4
            for (int s = 0; s < STRIPES; s++)
                floats_store(out + c * stride + (first + s) * LANES, total[c][s]);
    }
}

INLINE void product8_cells(const uint8_t *tile, int64_t n, const struct motet_block *const *cells,
                           const int num, float *out, int64_t stride) {
    for (int first = 0; first < MOTET_TILE_ROWS / LANES; first += STRIPES) {
        const uint8_t *t = tile;
        floats total[CELLS][STRIPES];
#pragma GCC unroll 8
        for (int c = 0; c < num; c++)
#pragma GCC unroll 4
            for (int s = 0; s < STRIPES; s++) total[c][s] = floats_all(0.0f);
        for (int64_t b = 0; b < n; b++, t += MOTET_TILE8_BYTES) {
            sums8 sum[CELLS][STRIPES];
#pragma GCC unroll 8
            for (int c = 0; c < num; c++)
#pragma GCC unroll 4
                for (int s = 0; s < STRIPES; s++) sum[c][s] = sums8_start(cells[c][b].offset);
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) {
                const uint8_t *p = t + MOTET_SCALES_BYTES + i * 64 + first * LANES * 4;
                weights8 w[STRIPES];
                if (first == 0) prefetch(p + PREFETCH8);
#pragma GCC unroll 4
                for (int s = 0; s < STRIPES; s++) w[s] = weights8_load(p + s * LANES * 4);
#pragma GCC unroll 8
                for (int c = 0; c < num; c++) {
                    const quad x = quad_load(cells[c][b].values + 4 * i);
#pragma GCC unroll 4
                    for (int s = 0; s < STRIPES; s++) sum[c][s] = sums8_add(sum[c][s], w[s], x);
                }
            }
            floats scale[STRIPES];
#pragma GCC unroll 4
            for (int s = 0; s < STRIPES; s++) scale[s] = floats_from_halves(t + (first + s) * LANES * 2);
#pragma GCC unroll 8
            for (int c = 0; c < num; c++)
#pragma GCC unroll 4
                for (int s = 0; s < STRIPES; s++)
                    total[c][s] = floats_fma(
                        floats_from_ints(sums8_end(sum[c][s])),
                        floats_mul(scale[s], floats_all(cells[c][b].scale)), total[c][s]);
        }
#pragma GCC unroll 8
        for (int c = 0; c < num; c++)
#pragma GCC unroll 4
            for (int s = 0; s < STRIPES; s++)
                floats_store(out + c * stride + (first + s) * LANES, total[c][s]);
    }
}

/* A loop for each number of cells up to CELLS, so that all sums stay in registers. */
#define PRODUCT(name, cells_name)                                                               \
    static TARGET void name(const uint8_t *tiles, int64_t n,                                    \
                            const struct motet_block *const *cells, int64_t num, float *out,    \
                            int64_t stride) {                                                   \
        while (num > 0) {                                                                       \
            const int64_t now = num < CELLS ? num : CELLS;                                      \
            switch (now) {                                                                      \
            case 1: cells_name(tiles, n, cells, 1, out, stride); break;                         \
            case 2: cells_name(tiles, n, cells, 2, out, stride); break;                         \
            case 3: cells_name(tiles, n, cells, 3, out, stride); break;                         \
            case 4: cells_name(tiles, n, cells, 4, out, stride); break;                         \
            MORE_CELLS(cells_name)                                                              \
            }                                                                                   \
            cells += now;                                                                       \
            out += now * stride;                                                                \
            num -= now;                                                                         \
        }                                                                                       \
    }
#if CELLS == 8
#define MORE_CELLS(cells_name)                                                                  \
    case 5: cells_name(tiles, n, cells, 5, out, stride); break;                                 \
    case 6: cells_name(tiles, n, cells, 6, out, stride); break;                                 \
    case 7: cells_name(tiles, n, cells, 7, out, stride); break;                                 \
    case 8: cells_name(tiles, n, cells, 8, out, stride); break;
#else
#define MORE_CELLS(cells_name)
#endif

PRODUCT(product4, product4_cells)
PRODUCT(product8, product8_cells)
