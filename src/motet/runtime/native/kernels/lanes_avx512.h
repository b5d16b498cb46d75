/* 16 lanes: AVX-512 with the dot product of bytes (VNNI); WITH_VBMI: and look-ups of bytes (VBMI). */
#include <immintrin.h>
#include <stdint.h>

#define LANES 16
#define STRIPES 1 /* registers of a tile's rows that are worked on at once */
#define CELLS 8   /* cells that are worked on at once */
#define UNROLL _Pragma("GCC unroll 16") /* the next loop, whose bounds are known */
#define AVX512 "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"
#ifdef WITH_VBMI
#define TARGET __attribute__((target(AVX512 ",avx512vbmi")))
#else
#define TARGET __attribute__((target(AVX512)))
#endif
#define INLINE static inline ALWAYS_INLINE TARGET

typedef __m512 floats;
typedef __m512i ints;
typedef __m512i bytes;
typedef __m512i quad; /* the same four bytes in each lane */

INLINE floats floats_all(float x) { return _mm512_set1_ps(x); }
INLINE floats floats_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void floats_store(float *p, floats x) { _mm512_storeu_ps(p, x); }
INLINE floats floats_from_halves(const void *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
INLINE floats floats_from_bfloat16(const void *p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
INLINE floats floats_from_int8(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
INLINE floats floats_from_ints(ints x) { return _mm512_cvtepi32_ps(x); }
INLINE floats floats_add(floats x, floats y) { return _mm512_add_ps(x, y); }
INLINE floats floats_sub(floats x, floats y) { return _mm512_sub_ps(x, y); }
INLINE floats floats_mul(floats x, floats y) { return _mm512_mul_ps(x, y); }
INLINE floats floats_div(floats x, floats y) { return _mm512_div_ps(x, y); }
INLINE floats floats_max(floats x, floats y) { return _mm512_max_ps(x, y); } /* y if unordered */
INLINE floats floats_min(floats x, floats y) { return _mm512_min_ps(x, y); }
INLINE float floats_largest(floats x) { return _mm512_reduce_max_ps(x); }
INLINE floats floats_fma(floats x, floats y, floats z) { return _mm512_fmadd_ps(x, y, z); }

INLINE ints ints_round(floats x) { return _mm512_cvtps_epi32(x); }
INLINE ints ints_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE ints ints_add(ints x, ints y) { return _mm512_add_epi32(x, y); }
INLINE ints ints_and(ints x, int32_t mask) { return _mm512_and_si512(x, _mm512_set1_epi32(mask)); }
INLINE ints ints_times_16(ints x) { return _mm512_slli_epi32(x, 4); }
INLINE ints ints_over_4(ints x) { return _mm512_srli_epi32(x, 2); }
INLINE ints ints_over_16(ints x) { return _mm512_srli_epi32(x, 4); }
INLINE ints ints_from_uint8(const uint8_t *p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
INLINE ints ints_max(ints x, ints y) { return _mm512_max_epi32(x, y); }
INLINE ints ints_all(int32_t x) { return _mm512_set1_epi32(x); }
INLINE int32_t ints_largest(ints x) { return _mm512_reduce_max_epi32(x); }
INLINE int32_t ints_sum(ints x) { return _mm512_reduce_add_epi32(x); }
INLINE ints ints_magnitude_bits(floats x) {
    return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
}
INLINE floats floats_power_of_2(ints n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
}
INLINE void ints_store_32_bytes(int8_t *p, const ints *x) {
    _mm_storeu_si128((__m128i *)p, _mm512_cvtsepi32_epi8(x[0]));
    _mm_storeu_si128((__m128i *)(p + 16), _mm512_cvtsepi32_epi8(x[1]));
}

INLINE bytes bytes_load(const uint8_t *p) {
    bytes x = _mm512_loadu_si512(p);
    __asm__("" : "+v"(x)); /* loaded once: such loads are what limits several cells */
    return x;
}
INLINE bytes bytes_low(bytes x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
INLINE bytes bytes_high(bytes x) {
    return _mm512_and_si512(_mm512_srli_epi16(x, 4), _mm512_set1_epi8(15));
}
INLINE bytes bytes_and(bytes x, uint8_t mask) {
    return _mm512_and_si512(x, _mm512_set1_epi8((char)mask));
}
INLINE bytes bytes_or(bytes x, bytes y) { return _mm512_or_si512(x, y); }
/* By 16 bits: what a neighbour leaves in the highest bits is masked by who asks. */
INLINE bytes bytes_right_1(bytes x) { return _mm512_srli_epi16(x, 1); }
INLINE bytes bytes_right_2(bytes x) { return _mm512_srli_epi16(x, 2); }
INLINE bytes bytes_right_4(bytes x) { return _mm512_srli_epi16(x, 4); }
INLINE bytes bytes_left_4(bytes x) { return _mm512_slli_epi16(x, 4); }
INLINE quad quad_load(const int8_t *p) {
    return _mm512_set1_epi32(*(const int32_t *)(const void *)p);
}

/* Sums of products of weights and activations, one a lane. */
INLINE ints sums4_start(int32_t offset) { return _mm512_set1_epi32(offset); }
INLINE ints sums4_add(ints s, bytes w, quad x) { return _mm512_dpbusd_epi32(s, w, x); }
INLINE ints sums4_end(ints s, int32_t offset) {
    (void)offset;
    return s;
}

/* Two registers of weights of at most 63. */
INLINE ints sums_add_pair(ints s, bytes w0, quad x0, bytes w1, quad x1) {
    return _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(s, w0, x0), w1, x1);
}

typedef bytes weights8;
INLINE weights8 weights8_load(const uint8_t *p) { return bytes_load(p); }
INLINE weights8 weights8_from_codes(bytes codes) {
    const __m128i table = _mm_loadu_si128((const __m128i *)motet_codes);
#ifdef WITH_VBMI
#define CODES_IN_ANY_BYTES /* the upper four bits of a byte may be anything */
    return _mm512_permutexvar_epi8(codes, _mm512_broadcast_i32x4(table));
#else
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), codes);
#endif
}
INLINE ints sums8_start(int32_t offset) { return _mm512_set1_epi32(offset); }
INLINE ints sums8_add(ints s, weights8 w, quad x) { return _mm512_dpbusd_epi32(s, w, x); }

INLINE void prefetch(const uint8_t *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }

/* [16][16] from rows `stride` floats apart to rows `to_stride` apart. */
INLINE void transpose(const float *from, int64_t stride, float *to, int64_t to_stride) {
    __m512 r[16], t[16];
    UNROLL for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(from + i * stride);
    UNROLL for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) {
        const __m512d a = _mm512_castps_pd(t[i]), b = _mm512_castps_pd(t[i + 1]);
        const __m512d c = _mm512_castps_pd(t[i + 2]), d = _mm512_castps_pd(t[i + 3]);
        r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        _mm512_storeu_ps(to + i * to_stride, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
        _mm512_storeu_ps(to + (i + 4) * to_stride, _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88));
        _mm512_storeu_ps(to + (i + 8) * to_stride, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd));
        _mm512_storeu_ps(to + (i + 12) * to_stride,
                         _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd));
    }
}
