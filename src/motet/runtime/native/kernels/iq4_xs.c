/* Blocks of IQ4_XS: d, upper two bits of eight 6-bit scales, their low halves, nibbles of 32 values.
 *
 * A tile has the same bits where a vector register wants them (see products.h). Source:
 * dequantize_row_iq4_xs of ggml.
 */
#include "iq4_xs.h"

#include "level.h"

#include <string.h>

enum { SUBS = 8, WORD = 4, LOW = 32, HIGH = 96, VALUES = 128, BLOCK_LOW = 4, BLOCK_VALUES = 8 };

/* Puts `num_bits` of *from, from bit `at` on, into *to from bit `to_at` on, where there is zero. */
static void put_bits(const uint8_t *from, int at, uint8_t *to, int to_at, int num_bits) {
    *to = (uint8_t)(*to | ((*from >> at) & ((1 << num_bits) - 1)) << to_at);
}

static void move_scales(uint8_t *block, uint8_t *tile, int lane, int to_tile) {
    for (int sub = 0; sub < SUBS; sub++) {
        uint8_t *low = block + BLOCK_LOW + sub / 2, *high = block + 2 + sub / 4;
        uint8_t *low_place = tile + LOW + sub / 2 * MOTET_TILE_ROWS + lane;
        uint8_t *high_place = tile + HIGH + sub / 4 * MOTET_TILE_ROWS + lane;
        const int at = sub % 2 * 4, high_at = sub % 4 * 2;
        put_bits(to_tile ? low : low_place, at, to_tile ? low_place : low, at, 4);
        put_bits(to_tile ? high : high_place, high_at, to_tile ? high_place : high, high_at, 2);
    }
}

void motet_iq4_move(uint8_t *block, uint8_t *tile, int lane, int to_tile) {
    uint8_t *d = tile + 2 * lane;
    if (to_tile && lane == 0) memset(tile + LOW, 0, VALUES - LOW);
    if (!to_tile) memset(block, 0, BLOCK_VALUES);
    memcpy(to_tile ? d : block, to_tile ? block : d, 2);
    move_scales(block, tile, lane, to_tile);
    for (int i = 0; i < SUBS * 4; i++) {
        uint8_t *word = block + BLOCK_VALUES + i * WORD;
        uint8_t *place = tile + VALUES + (i * MOTET_TILE_ROWS + lane) * WORD;
        memcpy(to_tile ? place : word, to_tile ? word : place, WORD);
    }
}
