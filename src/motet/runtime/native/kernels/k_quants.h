/* One row's block of a K-quant, and its place in a tile. */
#ifndef MOTET_K_QUANTS_H
#define MOTET_K_QUANTS_H

#include "products.h"

enum { MOTET_K_VALUES = 256 };

/* Lanes of a tile are to be filled in order: the first clears what is gathered bit by bit. */
void motet_k_to_tile(int kind, const uint8_t *block, uint8_t *tile, int lane);
void motet_k_from_tile(int kind, const uint8_t *tile, uint8_t *block, int lane);

#endif
