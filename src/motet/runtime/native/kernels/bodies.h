/* All loops of one level, and its table; the vector operations, LEVEL and LEVEL_NAME come first. */
#include "half.h"

#include "body_floats.h"

#include "body_attention.h"
#include "body_product.h"

const struct motet_level LEVEL = {
    .name = LEVEL_NAME,
    .quantise = quantise,
    .product = {product_q4_0, product_q8_0, product_q4_k, product_q5_k, product_q6_k,
                product_iq4_xs, product_f32, product_f16, product_bf16},
    .swiglu = swiglu,
    .add_scaled = add_scaled,
    .gather = gather,
    .read = read_memory,
};
