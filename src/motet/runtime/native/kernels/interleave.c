/* Between the blocks of GGUF and the tiles of products.h; nothing is rounded. */
#include "iq4_xs.h"
#include "k_quants.h"
#include "level.h"

#include <string.h>

enum { HALF_BYTES = 2, WORD_BYTES = 4 }; /* a scale; what one row has in one vector of a tile */

/* Four 8-bit weights: value and value plus 128 differ in the highest bit. */
static void move_word(int kind, const uint8_t *from, uint8_t *to) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    if (kind == MOTET_Q8_0) word ^= 0x80808080u;
    memcpy(to, &word, sizeof word);
}

/* One row's 32 values of Q4_0 or Q8_0. */
static void move_block(int kind, uint8_t *block, uint8_t *tile, int lane, int to_tiles) {
    const int words = kind == MOTET_Q4_0 ? 4 : 8;
    uint8_t *scale = tile + lane * HALF_BYTES;
    memcpy(to_tiles ? scale : block, to_tiles ? block : scale, HALF_BYTES);
    for (int i = 0; i < words; i++) {
        uint8_t *word = block + HALF_BYTES + i * WORD_BYTES;
        uint8_t *place = tile + MOTET_SCALES_BYTES + (i * MOTET_TILE_ROWS + lane) * WORD_BYTES;
        move_word(kind, to_tiles ? word : place, to_tiles ? place : word);
    }
}

/* One row's 32 floats. */
static void move_floats(int kind, uint8_t *block, uint8_t *tile, int lane, int to_tiles) {
    const size_t size = kind == MOTET_F32 ? 4 : 2;
    for (size_t k = 0; k < MOTET_BLOCK_VALUES; k++) {
        uint8_t *value = block + k * size;
        uint8_t *place = tile + (k * MOTET_TILE_ROWS + (size_t)lane) * size;
        memcpy(to_tiles ? place : value, to_tiles ? value : place, size);
    }
}

static void move(int kind, uint8_t *blocks, uint8_t *tiles, int64_t first, int64_t last,
                 int64_t depth, int to_tiles) {
    const int is_deep = motet_is_deep(kind);
    const int64_t n = depth / (is_deep ? MOTET_K_VALUES : MOTET_BLOCK_VALUES);
    const int64_t tile = motet_tile_bytes(kind) / (is_deep ? 1 : 8);
    const int64_t block = tile / MOTET_TILE_ROWS;
    for (int64_t row = first; row < last; row++)
        for (int64_t b = 0; b < n; b++) {
            uint8_t *in_blocks = blocks + (row * n + b) * block;
            uint8_t *in_tiles = tiles + (row / MOTET_TILE_ROWS * n + b) * tile;
            const int lane = (int)(row % MOTET_TILE_ROWS);
            if (motet_takes_floats(kind))
                move_floats(kind, in_blocks, in_tiles, lane, to_tiles);
            else if (!is_deep)
                move_block(kind, in_blocks, in_tiles, lane, to_tiles);
            else if (kind == MOTET_IQ4_XS)
                motet_iq4_move(in_blocks, in_tiles, lane, to_tiles);
            else if (to_tiles)
                motet_k_to_tile(kind, in_blocks, in_tiles, lane);
            else
                motet_k_from_tile(kind, in_tiles, in_blocks, lane);
        }
}

void motet_interleave(int kind, const void *blocks, void *tiles, int64_t first, int64_t last,
                      int64_t depth) {
    move(kind, (uint8_t *)(uintptr_t)blocks, tiles, first, last, depth, 1);
}

void motet_deinterleave(int kind, const void *tiles, void *blocks, int64_t first, int64_t last,
                        int64_t depth) {
    move(kind, blocks, (uint8_t *)(uintptr_t)tiles, first, last, depth, 0);
}
