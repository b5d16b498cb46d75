/* One row's block of IQ4_XS, and its place in a tile. */
#ifndef MOTET_IQ4_XS_H
#define MOTET_IQ4_XS_H

#include "products.h"

/* From block to tile or back. Lanes of a tile are to be filled in order: the first clears what is
 * gathered bit by bit. */
void motet_iq4_move(uint8_t *block, uint8_t *tile, int lane, int to_tile);

#endif
