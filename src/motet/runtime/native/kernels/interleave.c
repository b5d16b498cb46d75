/* Between the blocks of GGUF's Q4_0 and Q8_0 and the tiles of products.h; nothing is rounded. */
#include "level.h"

#include <string.h>

enum { HALF_BYTES = 2, WORD_BYTES = 4 }; /* a scale; what one row has in one vector of a tile */

static int64_t block_bytes(int kind) { return kind == MOTET_WEIGHTS_Q4 ? 18 : 34; }

static int64_t tile_bytes(int kind) {
    return kind == MOTET_WEIGHTS_Q4 ? MOTET_TILE4_BYTES : MOTET_TILE8_BYTES;
}

/* Flips the sign bit of four 8-bit weights: value and value plus 128. */
static void move_word(int kind, const uint8_t *from, uint8_t *to) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    if (kind == MOTET_WEIGHTS_Q8) word ^= 0x80808080u;
    memcpy(to, &word, sizeof word);
}

static void move(int kind, uint8_t *blocks, uint8_t *tiles, int64_t first, int64_t last,
                 int64_t depth, int to_tiles) {
    const int64_t n = depth / MOTET_BLOCK_VALUES, block = block_bytes(kind), tile = tile_bytes(kind);
    const int64_t words = (block - HALF_BYTES) / WORD_BYTES;
    for (int64_t row = first; row < last; row++)
        for (int64_t b = 0; b < n; b++) {
            uint8_t *in_blocks = blocks + (row * n + b) * block;
            uint8_t *in_tiles = tiles + (row / MOTET_TILE_ROWS * n + b) * tile;
            const int64_t lane = row % MOTET_TILE_ROWS;
            uint8_t *scale = in_tiles + lane * HALF_BYTES;
            if (to_tiles)
                memcpy(scale, in_blocks, HALF_BYTES);
            else
                memcpy(in_blocks, scale, HALF_BYTES);
            for (int64_t i = 0; i < words; i++) {
                uint8_t *word = in_blocks + HALF_BYTES + i * WORD_BYTES;
                uint8_t *place = in_tiles + MOTET_SCALES_BYTES +
                                 (i * MOTET_TILE_ROWS + lane) * WORD_BYTES;
                if (to_tiles)
                    move_word(kind, word, place);
                else
                    move_word(kind, place, word);
            }
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
