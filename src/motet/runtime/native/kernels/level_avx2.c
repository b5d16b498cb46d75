/* AVX2: products of unsigned and signed bytes go to 16-bit sums of two. */
#include "level.h"

#if defined(__GNUC__) && defined(__x86_64__)
#define TARGET __attribute__((target("avx2,fma,f16c")))
#include "lanes_256.h"

/* Integer sums may be taken in any order, and GCC would add up a whole block's products at its end,
 * for which there are not enough registers. */
#define KEEP_ORDER(s) __asm__("" : "+x"(s))

/* A weight is at most 15 and an activation 127, so the 16 products of a block that meet in one
 * 16-bit lane stay below 32768. */
INLINE ints sums4_start(int32_t offset) {
    (void)offset;
    return _mm256_setzero_si256();
}
INLINE ints sums4_add(ints s, bytes w, quad x) {
    s = _mm256_add_epi16(s, _mm256_maddubs_epi16(w, x));
    KEEP_ORDER(s);
    return s;
}
INLINE ints sums4_end(ints s, int32_t offset) {
    return _mm256_add_epi32(_mm256_madd_epi16(s, _mm256_set1_epi16(1)), _mm256_set1_epi32(offset));
}

/* Two registers of weights of at most 63: four products are at most 4 * 63 * 127 = 32004. */
INLINE ints sums_add_pair(ints s, bytes w0, quad x0, bytes w1, quad x1) {
    const __m256i fours =
        _mm256_add_epi16(_mm256_maddubs_epi16(w0, x0), _mm256_maddubs_epi16(w1, x1));
    s = _mm256_add_epi32(s, _mm256_madd_epi16(fours, _mm256_set1_epi16(1)));
    KEEP_ORDER(s);
    return s;
}

/* |w| times x with the sign of w: two products are at most 2 * 128 * 127, still below 32768. */
typedef struct {
    __m256i value, magnitude;
} weights8;
INLINE weights8 weights8_signed(bytes plus_128) {
    const __m256i w = _mm256_xor_si256(plus_128, _mm256_set1_epi8(-128));
    return (weights8){w, _mm256_abs_epi8(w)};
}
INLINE weights8 weights8_load(const uint8_t *p) { return weights8_signed(bytes_load(p)); }
INLINE weights8 weights8_from_codes(bytes codes) {
    const __m128i table = _mm_loadu_si128((const __m128i *)motet_codes);
    return weights8_signed(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), codes));
}
INLINE ints sums8_start(int32_t offset) {
    (void)offset;
    return _mm256_setzero_si256();
}
INLINE ints sums8_add(ints s, weights8 w, quad x) {
    const __m256i pairs = _mm256_maddubs_epi16(w.magnitude, _mm256_sign_epi8(x, w.value));
    s = _mm256_add_epi32(s, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    KEEP_ORDER(s);
    return s;
}

#define LEVEL motet_level_avx2
#define LEVEL_NAME "avx2"
#include "bodies.h"
#else
typedef int motet_no_avx2;
#endif
