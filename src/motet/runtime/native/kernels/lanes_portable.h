/* 16 lanes in plain C. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "half.h"

#define LANES 16
#define STRIPES 1
#define CELLS 1   /* cells that are worked on at once */
#define UNROLL
#define TARGET
#define INLINE static inline
#define EACH for (int i = 0; i < LANES; i++)

typedef struct {
    float lane[LANES];
} floats;
typedef struct {
    int32_t lane[LANES];
} ints;
typedef struct {
    uint8_t lane[LANES][4];
} bytes;
typedef struct {
    int8_t of[4];
} quad;

#define FLOATS(name, expression)                                                                   \
    INLINE floats name(floats x, floats y) {                                                       \
        floats result;                                                                             \
        EACH {                                                                                     \
            const float a = x.lane[i], b = y.lane[i];                                              \
            result.lane[i] = (expression);                                                         \
        }                                                                                          \
        return result;                                                                             \
    }
FLOATS(floats_add, a + b)
FLOATS(floats_sub, a - b)
FLOATS(floats_mul, a *b)
FLOATS(floats_div, a / b)
FLOATS(floats_max, a > b ? a : b)
FLOATS(floats_min, a < b ? a : b)

INLINE floats floats_all(float x) {
    floats result;
    EACH result.lane[i] = x;
    return result;
}
INLINE floats floats_load(const float *p) {
    floats result;
    memcpy(&result, p, sizeof result);
    return result;
}
INLINE void floats_store(float *p, floats x) { memcpy(p, &x, sizeof x); }
INLINE floats floats_from_halves(const void *p) {
    const uint8_t *source = p;
    floats result;
    EACH {
        uint16_t half;
        memcpy(&half, source + 2 * i, sizeof half);
        result.lane[i] = half_to_float(half);
    }
    return result;
}
INLINE floats floats_from_bfloat16(const void *p) {
    const uint8_t *source = p;
    floats result;
    EACH {
        uint16_t half;
        memcpy(&half, source + 2 * i, sizeof half);
        const uint32_t bits = (uint32_t)half << 16;
        memcpy(&result.lane[i], &bits, sizeof bits);
    }
    return result;
}
INLINE floats floats_from_int8(const int8_t *p) {
    floats result;
    EACH result.lane[i] = (float)p[i];
    return result;
}
INLINE floats floats_from_ints(ints x) {
    floats result;
    EACH result.lane[i] = (float)x.lane[i];
    return result;
}
INLINE float floats_largest(floats x) {
    float largest = x.lane[0];
    EACH largest = x.lane[i] > largest ? x.lane[i] : largest;
    return largest;
}
INLINE floats floats_fma(floats x, floats y, floats z) {
    EACH z.lane[i] = fmaf(x.lane[i], y.lane[i], z.lane[i]);
    return z;
}

/* To the nearest, ties to even, by an addition after which no fraction fits; |x| < 2^22, else any
 * value. */
INLINE ints ints_round(floats x) {
    ints result;
    EACH {
        const float shifted = x.lane[i] + 0x1.8p23f;
        uint32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        result.lane[i] = (int32_t)(bits - 0x4b400000u);
    }
    return result;
}
INLINE ints ints_load(const void *p) {
    ints result;
    memcpy(&result, p, sizeof result);
    return result;
}
INLINE ints ints_add(ints x, ints y) {
    EACH x.lane[i] += y.lane[i];
    return x;
}
INLINE ints ints_and(ints x, int32_t mask) {
    EACH x.lane[i] &= mask;
    return x;
}
INLINE ints ints_times_16(ints x) {
    EACH x.lane[i] *= 16;
    return x;
}
INLINE ints ints_over_4(ints x) {
    EACH x.lane[i] /= 4;
    return x;
}
INLINE ints ints_over_16(ints x) {
    EACH x.lane[i] /= 16;
    return x;
}
INLINE ints ints_from_uint8(const uint8_t *p) {
    ints result;
    EACH result.lane[i] = p[i];
    return result;
}
INLINE ints ints_max(ints x, ints y) {
    EACH x.lane[i] = x.lane[i] > y.lane[i] ? x.lane[i] : y.lane[i];
    return x;
}
INLINE ints ints_all(int32_t x) {
    ints result;
    EACH result.lane[i] = x;
    return result;
}
INLINE int32_t ints_largest(ints x) {
    int32_t largest = x.lane[0];
    EACH largest = x.lane[i] > largest ? x.lane[i] : largest;
    return largest;
}
INLINE int32_t ints_sum(ints x) {
    int32_t sum = 0;
    EACH sum += x.lane[i];
    return sum;
}
INLINE ints ints_magnitude_bits(floats x) {
    ints result;
    memcpy(&result, &x, sizeof result);
    EACH result.lane[i] &= 0x7fffffff;
    return result;
}
INLINE floats floats_power_of_2(ints n) {
    floats result;
    EACH n.lane[i] = (int32_t)((uint32_t)(n.lane[i] + 127) << 23);
    memcpy(&result, &n, sizeof result);
    return result;
}
INLINE void ints_store_32_bytes(int8_t *p, const ints *x) {
    for (int half = 0; half < 2; half++) EACH {
            const int32_t value = x[half].lane[i];
            p[16 * half + i] = (int8_t)(value > 127 ? 127 : value < -128 ? -128 : value);
        }
}

INLINE bytes bytes_load(const uint8_t *p) {
    bytes result;
    memcpy(&result, p, sizeof result);
    return result;
}
#define BYTES(name, arguments, expression)                                                         \
    INLINE bytes name arguments {                                                                  \
        EACH for (int j = 0; j < 4; j++) x.lane[i][j] = (uint8_t)(expression);                     \
        return x;                                                                                  \
    }
BYTES(bytes_and, (bytes x, uint8_t mask), x.lane[i][j] & mask)
BYTES(bytes_or, (bytes x, bytes y), x.lane[i][j] | y.lane[i][j])
BYTES(bytes_right_1, (bytes x), x.lane[i][j] >> 1)
BYTES(bytes_right_2, (bytes x), x.lane[i][j] >> 2)
BYTES(bytes_left_4, (bytes x), x.lane[i][j] << 4)
BYTES(bytes_low, (bytes x), x.lane[i][j] & 15)
BYTES(bytes_high, (bytes x), x.lane[i][j] >> 4)
INLINE quad quad_load(const int8_t *p) {
    quad result;
    memcpy(&result, p, sizeof result);
    return result;
}

INLINE ints sums4_start(int32_t offset) { return ints_all(offset); }
INLINE ints sums4_add(ints s, bytes w, quad x) {
    EACH for (int j = 0; j < 4; j++) s.lane[i] += (int32_t)w.lane[i][j] * x.of[j];
    return s;
}
INLINE ints sums4_end(ints s, int32_t offset) {
    (void)offset;
    return s;
}

/* Two registers of weights of at most 63. */
INLINE ints sums_add_pair(ints s, bytes w0, quad x0, bytes w1, quad x1) {
    return sums4_add(sums4_add(s, w0, x0), w1, x1);
}

typedef bytes weights8;
INLINE weights8 weights8_load(const uint8_t *p) { return bytes_load(p); }
INLINE weights8 weights8_from_codes(bytes codes) {
    EACH for (int j = 0; j < 4; j++) codes.lane[i][j] = motet_codes[codes.lane[i][j]];
    return codes;
}
INLINE ints sums8_start(int32_t offset) { return ints_all(offset); }
INLINE ints sums8_add(ints s, weights8 w, quad x) { return sums4_add(s, w, x); }

INLINE void prefetch(const uint8_t *p) { (void)p; }

INLINE void transpose(const float *from, int64_t stride, float *to, int64_t to_stride) {
    EACH for (int j = 0; j < LANES; j++) to[j * to_stride + i] = from[i * stride + j];
}
