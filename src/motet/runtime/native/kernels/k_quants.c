/* Blocks of Q4_K, Q5_K and Q6_K, taken apart and put together in the two orders.
 *
 * In GGUF, 64 (Q4_K, Q5_K) or 128 (Q6_K) values stand side by side in the bits of 32 bytes, and
 * 6-bit scales and minima in the bits of 12; a tile has the same bits where a vector register wants
 * them (see products.h). Source: dequantize_row_q4_K, _q5_K and _q6_K of ggml.
 */
#include "k_quants.h"

#include "level.h"

#include <string.h>

enum { SUBS = 8, PACKED_SCALES = 12, WORD = 4, PLANE = 64 };

/* One row's 256 values, in order. */
struct row {
    uint8_t d[2], dmin[2];
    uint8_t scales[16];     /* Q6_K: signed, of 16 values each; else the first 8, of 32 each */
    uint8_t minima[SUBS];
    uint8_t values[MOTET_K_VALUES];
};

/* 6-bit numbers: four bytes have the first four scales and, in their top bits, the upper two bits
 * of the last four; the next four the same of minima; the last four the lower halves of the
 * others. */
static void read_small(const uint8_t *packed, struct row *r) {
    for (int i = 0; i < 4; i++) {
        r->scales[i] = packed[i] & 63;
        r->minima[i] = packed[i + 4] & 63;
        r->scales[i + 4] = (uint8_t)((packed[i + 8] & 15) | (packed[i] >> 6) << 4);
        r->minima[i + 4] = (uint8_t)(packed[i + 8] >> 4 | (packed[i + 4] >> 6) << 4);
    }
}

static void write_small(const struct row *r, uint8_t *packed) {
    for (int i = 0; i < 4; i++) {
        packed[i] = (uint8_t)(r->scales[i] | (r->scales[i + 4] >> 4) << 6);
        packed[i + 4] = (uint8_t)(r->minima[i] | (r->minima[i + 4] >> 4) << 6);
        packed[i + 8] = (uint8_t)((r->scales[i + 4] & 15) | (r->minima[i + 4] & 15) << 4);
    }
}

/* Q4_K and Q5_K: d, dmin, small numbers, highest bits (Q5_K), nibbles. */
static void read_45(int kind, const uint8_t *block, struct row *r) {
    const uint8_t *high = block + 4 + PACKED_SCALES, *low = high + (kind == MOTET_Q5_K ? 32 : 0);
    memcpy(r->d, block, 2);
    memcpy(r->dmin, block + 2, 2);
    read_small(block + 4, r);
    for (int sub = 0; sub < SUBS; sub++)
        for (int i = 0; i < 32; i++) {
            const uint8_t both = low[sub / 2 * 32 + i];
            uint8_t value = sub % 2 ? both >> 4 : both & 15;
            if (kind == MOTET_Q5_K) value = (uint8_t)(value | ((high[i] >> sub) & 1) << 4);
            r->values[sub * 32 + i] = value;
        }
}

static void write_45(int kind, const struct row *r, uint8_t *block) {
    uint8_t *high = block + 4 + PACKED_SCALES, *low = high + (kind == MOTET_Q5_K ? 32 : 0);
    memcpy(block, r->d, 2);
    memcpy(block + 2, r->dmin, 2);
    write_small(r, block + 4);
    if (kind == MOTET_Q5_K) memset(high, 0, 32);
    for (int sub = 0; sub < SUBS; sub += 2)
        for (int i = 0; i < 32; i++) {
            const uint8_t first = r->values[sub * 32 + i], second = r->values[sub * 32 + 32 + i];
            low[sub / 2 * 32 + i] = (uint8_t)((first & 15) | (second & 15) << 4);
            if (kind == MOTET_Q5_K)
                high[i] = (uint8_t)(high[i] | (first >> 4) << sub | (second >> 4) << (sub + 1));
        }
}

/* Q6_K: nibbles, upper two bits, scales, d. Value 32 s + i of each 128 has its upper bits in bits
 * 2 s and 2 s + 1 of byte i. */
static void read_6(const uint8_t *block, struct row *r) {
    const uint8_t *low = block, *high = block + 128;
    memcpy(r->scales, block + 192, 16);
    memcpy(r->d, block + 208, 2);
    for (int half = 0; half < 2; half++, low += 64, high += 32)
        for (int s = 0; s < 4; s++)
            for (int i = 0; i < 32; i++) {
                const uint8_t both = low[s % 2 * 32 + i], upper = (high[i] >> (2 * s)) & 3;
                const uint8_t nibble = s < 2 ? both & 15 : both >> 4;
                r->values[half * 128 + s * 32 + i] = (uint8_t)(nibble | upper << 4);
            }
}

static void write_6(const struct row *r, uint8_t *block) {
    uint8_t *low = block, *high = block + 128;
    memset(block, 0, 192);
    memcpy(block + 192, r->scales, 16);
    memcpy(block + 208, r->d, 2);
    for (int half = 0; half < 2; half++, low += 64, high += 32)
        for (int s = 0; s < 4; s++)
            for (int i = 0; i < 32; i++) {
                const uint8_t value = r->values[half * 128 + s * 32 + i];
                uint8_t *both = &low[s % 2 * 32 + i];
                *both = (uint8_t)(*both | (value & 15) << (s < 2 ? 0 : 4));
                high[i] = (uint8_t)(high[i] | (value >> 4) << (2 * s));
            }
}

/* Where a tile has its parts. */
static uint8_t *values_of(int kind, uint8_t *tile, int sub) {
    const int scales = kind == MOTET_Q6_K ? 288 : 256;
    const int planes = kind == MOTET_Q4_K ? 0 : kind == MOTET_Q5_K ? 1 : 2;
    return tile + scales + sub * (MOTET_NIBBLES_BYTES + planes * PLANE);
}

static uint8_t *low_small(uint8_t *tile, int sub, int lane) {
    return tile + 64 + sub * MOTET_TILE_ROWS + lane;
}

static uint8_t *high_small(uint8_t *tile, int sub, int lane) {
    return tile + 192 + sub / 2 * MOTET_TILE_ROWS + lane;
}

/* The bit of byte j of a plane where the highest bits of value 4 i + j begin: for Q5_K of i = 0 to
 * 7 in one plane, for Q6_K of i = 0 to 3 in each of two. */
static int place_of(int kind, int i) { return kind == MOTET_Q5_K ? (i + 4) % 8 : (2 * i + 4) % 8; }

static void write_values(int kind, const uint8_t *values, uint8_t *to, int lane) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < WORD; j++)
            to[(i * MOTET_TILE_ROWS + lane) * WORD + j] =
                (uint8_t)((values[4 * i + j] & 15) | (values[16 + 4 * i + j] & 15) << 4);
    if (kind == MOTET_Q4_K) return;
    uint8_t *planes = to + MOTET_NIBBLES_BYTES + lane * WORD;
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < WORD; j++) {
            uint8_t *plane = planes + (kind == MOTET_Q6_K ? i / 4 * PLANE : 0) + j;
            *plane = (uint8_t)(*plane | (values[4 * i + j] >> 4) << place_of(kind, i));
        }
}

static void read_values(int kind, const uint8_t *from, uint8_t *values, int lane) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < WORD; j++) {
            const uint8_t both = from[(i * MOTET_TILE_ROWS + lane) * WORD + j];
            values[4 * i + j] = both & 15;
            values[16 + 4 * i + j] = both >> 4;
        }
    if (kind == MOTET_Q4_K) return;
    const uint8_t *planes = from + MOTET_NIBBLES_BYTES + lane * WORD;
    const int mask = kind == MOTET_Q5_K ? 1 : 3;
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < WORD; j++) {
            const uint8_t plane = planes[(kind == MOTET_Q6_K ? i / 4 * PLANE : 0) + j];
            const int upper = (plane >> place_of(kind, i)) & mask;
            values[4 * i + j] = (uint8_t)(values[4 * i + j] | upper << 4);
        }
}

void motet_k_to_tile(int kind, const uint8_t *block, uint8_t *tile, int lane) {
    struct row r;
    if (lane == 0) memset(tile, 0, (size_t)motet_tile_bytes(kind));
    if (kind == MOTET_Q6_K)
        read_6(block, &r);
    else
        read_45(kind, block, &r);
    memcpy(tile + 2 * lane, r.d, 2);
    if (kind == MOTET_Q6_K) {
        for (int i = 0; i < 16; i++)
            tile[MOTET_SCALES_BYTES + i * MOTET_TILE_ROWS + lane] = r.scales[i];
    } else {
        memcpy(tile + MOTET_SCALES_BYTES + 2 * lane, r.dmin, 2);
        for (int sub = 0; sub < SUBS; sub++) {
            const int upper = r.scales[sub] >> 4 | (r.minima[sub] >> 4) << 2;
            *low_small(tile, sub, lane) =
                (uint8_t)((r.scales[sub] & 15) | (r.minima[sub] & 15) << 4);
            uint8_t *high = high_small(tile, sub, lane);
            *high = (uint8_t)(*high | upper << sub % 2 * 4);
        }
    }
    for (int sub = 0; sub < SUBS; sub++)
        write_values(kind, r.values + sub * 32, values_of(kind, tile, sub), lane);
}

void motet_k_from_tile(int kind, const uint8_t *const_tile, uint8_t *block, int lane) {
    uint8_t *tile = (uint8_t *)(uintptr_t)const_tile;
    struct row r;
    memcpy(r.d, tile + 2 * lane, 2);
    for (int sub = 0; sub < SUBS; sub++)
        read_values(kind, values_of(kind, tile, sub), r.values + sub * 32, lane);
    if (kind == MOTET_Q6_K) {
        for (int i = 0; i < 16; i++)
            r.scales[i] = tile[MOTET_SCALES_BYTES + i * MOTET_TILE_ROWS + lane];
        write_6(&r, block);
        return;
    }
    memcpy(r.dmin, tile + MOTET_SCALES_BYTES + 2 * lane, 2);
    for (int sub = 0; sub < SUBS; sub++) {
        const uint8_t low = *low_small(tile, sub, lane);
        const int high = *high_small(tile, sub, lane) >> sub % 2 * 4;
        r.scales[sub] = (uint8_t)((low & 15) | (high & 3) << 4);
        r.minima[sub] = (uint8_t)(low >> 4 | (high >> 2 & 3) << 4);
    }
    write_45(kind, &r, block);
}
