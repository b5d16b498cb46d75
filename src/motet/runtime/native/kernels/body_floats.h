/* Loops over floats: rounding to 8 bits, SwiGLU, scaled sums, reading. */
#include <float.h>
#include <string.h>

enum { VECTORS = MOTET_BLOCK_VALUES / LANES };

/* The largest magnitude among some multiple of 32 values; NaN is larger than all. */
INLINE float largest_magnitude(const float *x, int num) {
    ints bits = ints_all(0);
    for (int i = 0; i < num; i += LANES)
        bits = ints_max(bits, ints_magnitude_bits(floats_load(x + i)));
    const int32_t largest_bits = ints_largest(bits);
    float largest;
    memcpy(&largest, &largest_bits, sizeof largest);
    return largest;
}

static TARGET void quantise(const float *x, struct motet_block *blocks, int64_t n, int span) {
    float largest = 0.0f, inverse = 0.0f;
    for (int64_t b = 0; b < n; b++, x += MOTET_BLOCK_VALUES) {
        if (b % span == 0) {
            largest = largest_magnitude(x, span * MOTET_BLOCK_VALUES);
            inverse = largest >= 0x1p-100f ? 127.0f / largest : 0.0f;
        }
        ints sum[2] = {ints_all(0), ints_all(0)}, rounded[VECTORS];
        for (int i = 0; i < VECTORS; i++) {
            rounded[i] = ints_round(floats_mul(floats_load(x + i * LANES), floats_all(inverse)));
            sum[2 * i / VECTORS] = ints_add(sum[2 * i / VECTORS], rounded[i]);
        }
        blocks[b].scale = largest < 0x1p-100f ? 0.0f : largest / 127.0f;
        const uint32_t first = (uint32_t)ints_sum(sum[0]), second = (uint32_t)ints_sum(sum[1]);
        blocks[b].offset = (int32_t)(0u - 8u * (first + second));
        blocks[b].offset_8 = (int32_t)(0u - 128u * (first + second));
        blocks[b].offsets[0] = (int32_t)(0u - 32u * first);
        blocks[b].offsets[1] = (int32_t)(0u - 32u * second);
        ints_store_32_bytes(blocks[b].values, rounded);
    }
}

/* e^x within two units in the last place; x below -87 counts as -87, above 88 as 88. Coefficients
 * of Cephes' expf. */
INLINE floats floats_exp(floats x) {
    x = floats_min(floats_all(88.0f), floats_max(floats_all(-87.0f), x));
    const ints n = ints_round(floats_mul(x, floats_all(0x1.715476p0f)));
    const floats whole = floats_from_ints(n);
    floats r = floats_fma(whole, floats_all(-0.693359375f), x);
    r = floats_fma(whole, floats_all(2.12194440e-4f), r);
    floats y = floats_all(1.9875691500e-4f);
    y = floats_fma(y, r, floats_all(1.3981999507e-3f));
    y = floats_fma(y, r, floats_all(8.3334519073e-3f));
    y = floats_fma(y, r, floats_all(4.1665795894e-2f));
    y = floats_fma(y, r, floats_all(1.6666665459e-1f));
    y = floats_fma(y, r, floats_all(5.0000001201e-1f));
    y = floats_fma(floats_mul(r, r), y, floats_add(r, floats_all(1.0f)));
    return floats_mul(y, floats_power_of_2(n));
}

static TARGET void swiglu(float *gate, const float *up, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES) {
        const floats g = floats_load(gate + i);
        const floats e = floats_exp(floats_sub(floats_all(0.0f), g));
        const floats silu = floats_div(g, floats_add(floats_all(1.0f), e));
        floats_store(gate + i, floats_mul(silu, floats_load(up + i)));
    }
}

static TARGET void add_scaled(float *out, const float *y, float share, int64_t n) {
    for (int64_t i = 0; i < n; i += LANES)
        floats_store(out + i,
                     floats_fma(floats_all(share), floats_load(y + i), floats_load(out + i)));
}

static TARGET int32_t read_memory(const uint8_t *memory, int64_t num_bytes) {
    ints largest[4];
    for (int i = 0; i < 4; i++) largest[i] = ints_all(INT32_MIN);
    for (int64_t at = 0; at < num_bytes; at += 4 * (int64_t)sizeof(ints))
        for (int i = 0; i < 4; i++)
            largest[i] = ints_max(largest[i], ints_load(memory + at + i * (int)sizeof(ints)));
    return ints_largest(
        ints_max(ints_max(largest[0], largest[1]), ints_max(largest[2], largest[3])));
}
