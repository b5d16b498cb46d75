/* 8 lanes: what AVX2 with FMA and F16C has, and AVX-VNNI too; TARGET is defined before. */
#include <immintrin.h>
#include <stdint.h>

#define LANES 8
#define STRIPES 2 /* registers of a tile's rows that are worked on at once */
#define CELLS 4   /* cells that are worked on at once */
#define UNROLL _Pragma("GCC unroll 8") /* the next loop, whose bounds are known */
#define INLINE static inline ALWAYS_INLINE TARGET

typedef __m256 floats;
typedef __m256i ints;
typedef __m256i bytes;
typedef __m256i quad; /* the same four bytes in each lane */

INLINE floats floats_all(float x) { return _mm256_set1_ps(x); }
INLINE floats floats_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void floats_store(float *p, floats x) { _mm256_storeu_ps(p, x); }
INLINE floats floats_from_halves(const void *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
INLINE floats floats_from_bfloat16(const void *p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
INLINE floats floats_from_int8(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
INLINE floats floats_from_ints(ints x) { return _mm256_cvtepi32_ps(x); }
INLINE floats floats_add(floats x, floats y) { return _mm256_add_ps(x, y); }
INLINE floats floats_sub(floats x, floats y) { return _mm256_sub_ps(x, y); }
INLINE floats floats_mul(floats x, floats y) { return _mm256_mul_ps(x, y); }
INLINE floats floats_div(floats x, floats y) { return _mm256_div_ps(x, y); }
INLINE floats floats_max(floats x, floats y) { return _mm256_max_ps(x, y); } /* y if unordered */
INLINE floats floats_min(floats x, floats y) { return _mm256_min_ps(x, y); }
INLINE float floats_largest(floats x) {
    __m128 h = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_max_ss(h, _mm_shuffle_ps(h, h, 1)));
}
INLINE floats floats_fma(floats x, floats y, floats z) { return _mm256_fmadd_ps(x, y, z); }

INLINE ints ints_round(floats x) { return _mm256_cvtps_epi32(x); }
INLINE ints ints_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE ints ints_add(ints x, ints y) { return _mm256_add_epi32(x, y); }
INLINE ints ints_and(ints x, int32_t mask) { return _mm256_and_si256(x, _mm256_set1_epi32(mask)); }
INLINE ints ints_times_16(ints x) { return _mm256_slli_epi32(x, 4); }
INLINE ints ints_over_4(ints x) { return _mm256_srli_epi32(x, 2); }
INLINE ints ints_over_16(ints x) { return _mm256_srli_epi32(x, 4); }
INLINE ints ints_from_uint8(const uint8_t *p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
INLINE ints ints_max(ints x, ints y) { return _mm256_max_epi32(x, y); }
INLINE ints ints_all(int32_t x) { return _mm256_set1_epi32(x); }
INLINE int32_t ints_largest(ints x) {
    __m128i h = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    h = _mm_max_epi32(h, _mm_shuffle_epi32(h, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(h, _mm_shuffle_epi32(h, 0xb1)));
}
INLINE int32_t ints_sum(ints x) {
    __m128i h = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(h, _mm_shuffle_epi32(h, 0xb1)));
}
INLINE ints ints_magnitude_bits(floats x) {
    return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}
INLINE floats floats_power_of_2(ints n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
INLINE void ints_store_32_bytes(int8_t *p, const ints *x) {
    const __m256i low = _mm256_packs_epi32(x[0], x[1]), high = _mm256_packs_epi32(x[2], x[3]);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); /* packing is by 128 bits */
    _mm256_storeu_si256((__m256i *)p,
                        _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order));
}

INLINE bytes bytes_load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE bytes bytes_low(bytes x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
INLINE bytes bytes_high(bytes x) {
    return _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15));
}
INLINE bytes bytes_and(bytes x, uint8_t mask) {
    return _mm256_and_si256(x, _mm256_set1_epi8((char)mask));
}
INLINE bytes bytes_or(bytes x, bytes y) { return _mm256_or_si256(x, y); }
/* By 16 bits: what a neighbour leaves in the highest bits is masked by who asks. */
INLINE bytes bytes_right_1(bytes x) { return _mm256_srli_epi16(x, 1); }
INLINE bytes bytes_right_2(bytes x) { return _mm256_srli_epi16(x, 2); }
INLINE bytes bytes_left_4(bytes x) { return _mm256_slli_epi16(x, 4); }
INLINE quad quad_load(const int8_t *p) {
    return _mm256_set1_epi32(*(const int32_t *)(const void *)p);
}

INLINE void prefetch(const uint8_t *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }

/* [8][8] from rows `stride` floats apart to rows `to_stride` apart. */
INLINE void transpose(const float *from, int64_t stride, float *to, int64_t to_stride) {
    __m256 r[8], t[8];
    UNROLL for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(from + i * stride);
    UNROLL for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(to + i * to_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * to_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}
