/* All loops of one level, and its table; the vector operations, LEVEL and LEVEL_NAME come first. */
#include "half.h"

#include "body_floats.h"

#include "body_attention.h"
#include "body_product.h"

const struct motet_level LEVEL = {
    .name = LEVEL_NAME,
    .quantise = quantise,
    .product4 = product4,
    .product8 = product8,
    .swiglu = swiglu,
    .add_scaled = add_scaled,
    .gather = gather,
    .read = read_memory,
};
