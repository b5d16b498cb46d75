/* K-quants: tiles of 256 values, of which 32 (Q4_K, Q5_K) or 16 (Q6_K) share a scale.
 *
 * A scale is a half-precision number times a small integer, which float32 holds exactly. Q4_K and
 * Q5_K also have a minimum, which counts as often as the sum of the activations.
 */

enum {
    K_BLOCKS = 8,            /* of 32 values in a tile */
    K_SCALES_BYTES = 256,    /* before the values of Q4_K and Q5_K */
    K_LOW_SCALES = 64,       /* where the low 4 bits of scales and minima begin */
    K_HIGH_SCALES = 192,     /* and the upper 2 */
    Q6_K_SCALES_BYTES = 288, /* before the values of Q6_K */
    PLANE_BYTES = 64,        /* one or two bits of some values of 16 rows */
};

enum { PREFETCH_BYTES = 4096 }; /* ahead of what is read; the next rows follow in memory */

INLINE void prefetch_lines(const uint8_t *p, const int num_bytes) {
    UNROLL for (int at = 0; at + 64 <= num_bytes; at += 64) prefetch(p + PREFETCH_BYTES + at);
}

/* Two registers of weights: four values of each row from 16 half + 8 pair on, and the next four. */
INLINE void weight_pair(const int kind, const uint8_t *values, const int half, const int pair,
                        bytes *w) {
    UNROLL for (int i = 0; i < 2; i++) {
        const bytes both = bytes_load(values + (2 * pair + i) * MOTET_TILE_ROWS * 4);
        w[i] = half ? bytes_high(both) : bytes_low(both);
    }
    if (kind == MOTET_Q5_K) {
        bytes plane = bytes_load(values + MOTET_NIBBLES_BYTES);
        if (half) plane = bytes_left_4(plane);
        if (pair) plane = bytes_right_2(plane);
        w[0] = bytes_or(w[0], bytes_and(plane, 0x10));
        w[1] = bytes_or(w[1], bytes_and(bytes_right_1(plane), 0x10));
    } else if (kind == MOTET_Q6_K) {
        bytes plane = bytes_load(values + MOTET_NIBBLES_BYTES + half * PLANE_BYTES);
        if (pair) plane = bytes_left_4(plane);
        w[0] = bytes_or(w[0], bytes_and(plane, 0x30));
        w[1] = bytes_or(w[1], bytes_and(bytes_right_2(plane), 0x30));
    }
}

/* Adds 16 values of each row to the sums of `num` cells. */
INLINE void sum_half(const int kind, const uint8_t *values, const struct motet_block *const *cells,
                     const int num, int64_t b, const int half, ints (*sum)[STRIPES]) {
    UNROLL for (int pair = 0; pair < 2; pair++)
        UNROLL for (int s = 0; s < STRIPES; s++) {
            bytes w[2];
            weight_pair(kind, values + s * LANES * 4, half, pair, w);
            UNROLL for (int c = 0; c < num; c++) {
                const int8_t *x = cells[c][b].values + 16 * half + 8 * pair;
                sum[c][s] = sums_add_pair(sum[c][s], w[0], quad_load(x), w[1], quad_load(x + 4));
            }
        }
}

/* The scales and minima of 32 values in some rows of Q4_K or Q5_K, which are small integers. */
INLINE void small_scales(const uint8_t *tile, int block, int row, ints *scale, ints *minimum) {
    const ints low = ints_from_uint8(tile + K_LOW_SCALES + block * MOTET_TILE_ROWS + row);
    ints high = ints_from_uint8(tile + K_HIGH_SCALES + block / 2 * MOTET_TILE_ROWS + row);
    if (block % 2) high = ints_over_16(high);
    *scale = ints_add(ints_and(low, 15), ints_times_16(ints_and(high, 3)));
    *minimum = ints_add(ints_over_16(low), ints_times_16(ints_and(ints_over_4(high), 3)));
}

/* Adds 32 values of Q4_K or Q5_K to the totals. */
INLINE void add_with_minimum(const int kind, const uint8_t *tile, const uint8_t *values, int block,
                             const struct motet_block *const *cells, const int num, int64_t b,
                             int first, floats (*total)[STRIPES]) {
    ints sum[CELLS][STRIPES];
    UNROLL for (int c = 0; c < num; c++)
        UNROLL for (int s = 0; s < STRIPES; s++) sum[c][s] = ints_all(0);
    sum_half(kind, values + first * 4, cells, num, b, 0, sum);
    sum_half(kind, values + first * 4, cells, num, b, 1, sum);
    UNROLL for (int s = 0; s < STRIPES; s++) {
        const int row = first + s * LANES;
        ints small, small_minimum;
        small_scales(tile, block, row, &small, &small_minimum);
        const floats scale =
            floats_mul(floats_from_halves(tile + row * 2), floats_from_ints(small));
        const floats eighth = floats_mul(floats_from_halves(tile + MOTET_SCALES_BYTES + row * 2),
                                         floats_all(0.125f));
        const floats minimum = floats_mul(eighth, floats_from_ints(small_minimum));
        UNROLL for (int c = 0; c < num; c++) {
            const floats offset = floats_from_ints(ints_all(cells[c][b].offset));
            floats part = floats_mul(scale, floats_from_ints(sum[c][s]));
            part = floats_fma(minimum, offset, part);
            total[c][s] = floats_fma(part, floats_all(cells[c][b].scale), total[c][s]);
        }
    }
}

/* Adds 32 values of Q6_K to the totals. */
INLINE void add_in_halves(const uint8_t *tile, const uint8_t *values, int block,
                          const struct motet_block *const *cells, const int num, int64_t b,
                          int first, floats (*total)[STRIPES]) {
    floats part[CELLS][STRIPES];
    UNROLL for (int half = 0; half < 2; half++) {
        ints sum[CELLS][STRIPES];
        UNROLL for (int c = 0; c < num; c++)
            UNROLL for (int s = 0; s < STRIPES; s++)
                sum[c][s] = ints_all(cells[c][b].offsets[half]);
        sum_half(MOTET_Q6_K, values + first * 4, cells, num, b, half, sum);
        UNROLL for (int s = 0; s < STRIPES; s++) {
            const int row = first + s * LANES;
            const uint8_t *small =
                tile + MOTET_SCALES_BYTES + (2 * block + half) * MOTET_TILE_ROWS + row;
            const floats scale = floats_mul(floats_from_halves(tile + row * 2),
                                            floats_from_int8((const int8_t *)small));
            UNROLL for (int c = 0; c < num; c++) {
                const floats whole = floats_from_ints(sum[c][s]);
                part[c][s] = half ? floats_fma(scale, whole, part[c][s]) : floats_mul(scale, whole);
            }
        }
    }
    UNROLL for (int s = 0; s < STRIPES; s++)
        UNROLL for (int c = 0; c < num; c++)
            total[c][s] = floats_fma(part[c][s], floats_all(cells[c][b].scale), total[c][s]);
}

/* Adds a tile of a K-quant, whose activations are blocks b to b + 7, to the totals of rows `first`
 * on. */
INLINE void add_k_tile(const int kind, const uint8_t *tile, const struct motet_block *const *cells,
                       const int num, int64_t b, int first, floats (*total)[STRIPES]) {
    const int scales_bytes = kind == MOTET_Q6_K ? Q6_K_SCALES_BYTES : K_SCALES_BYTES;
    const int planes = kind == MOTET_Q4_K ? 0 : kind == MOTET_Q5_K ? 1 : 2;
    const int block_bytes = MOTET_NIBBLES_BYTES + planes * PLANE_BYTES;
    if (first == 0) prefetch_lines(tile, scales_bytes);
    for (int block = 0; block < K_BLOCKS; block++) {
        const uint8_t *values = tile + scales_bytes + block * block_bytes;
        if (first == 0) prefetch_lines(values, block_bytes);
        if (kind == MOTET_Q6_K)
            add_in_halves(tile, values, block, cells, num, b + block, first, total);
        else
            add_with_minimum(kind, tile, values, block, cells, num, b + block, first, total);
    }
}
