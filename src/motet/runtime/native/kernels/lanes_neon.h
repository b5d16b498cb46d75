/* 4 lanes: NEON with the dot product of signed bytes (ARMv8.2). */
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#define LANES 4
#define STRIPES 4 /* registers of a tile's rows that are worked on at once */
#define CELLS 4   /* cells that are worked on at once */
#define UNROLL _Pragma("GCC unroll 8") /* the next loop, whose bounds are known */
#if defined(__clang__)
#define TARGET __attribute__((target("dotprod")))
#else
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#define INLINE static inline ALWAYS_INLINE TARGET

typedef float32x4_t floats;
typedef int32x4_t ints;
typedef uint8x16_t bytes;
typedef int8x16_t quad; /* the same four bytes in each lane */

INLINE floats floats_all(float x) { return vdupq_n_f32(x); }
INLINE floats floats_load(const float *p) { return vld1q_f32(p); }
INLINE void floats_store(float *p, floats x) { vst1q_f32(p, x); }
INLINE floats floats_from_halves(const void *p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)p)));
}
INLINE floats floats_from_bfloat16(const void *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16((const uint16_t *)p), 16));
}
INLINE floats floats_from_int8(const int8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    const int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}
INLINE floats floats_from_ints(ints x) { return vcvtq_f32_s32(x); }
INLINE floats floats_add(floats x, floats y) { return vaddq_f32(x, y); }
INLINE floats floats_sub(floats x, floats y) { return vsubq_f32(x, y); }
INLINE floats floats_mul(floats x, floats y) { return vmulq_f32(x, y); }
INLINE floats floats_div(floats x, floats y) { return vdivq_f32(x, y); }
INLINE floats floats_max(floats x, floats y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
INLINE floats floats_min(floats x, floats y) { return vbslq_f32(vcltq_f32(x, y), x, y); }
INLINE float floats_largest(floats x) { return vmaxvq_f32(x); }
INLINE floats floats_fma(floats x, floats y, floats z) { return vfmaq_f32(z, x, y); }

INLINE ints ints_round(floats x) { return vcvtnq_s32_f32(x); }
INLINE ints ints_load(const void *p) { return vld1q_s32(p); }
INLINE ints ints_add(ints x, ints y) { return vaddq_s32(x, y); }
INLINE ints ints_and(ints x, int32_t mask) { return vandq_s32(x, vdupq_n_s32(mask)); }
INLINE ints ints_times_16(ints x) { return vshlq_n_s32(x, 4); }
INLINE ints ints_over_4(ints x) { return vshrq_n_s32(x, 2); }
INLINE ints ints_over_16(ints x) { return vshrq_n_s32(x, 4); }
INLINE ints ints_from_uint8(const uint8_t *p) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    const uint16x8_t wide = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(wide)));
}
INLINE ints ints_max(ints x, ints y) { return vmaxq_s32(x, y); }
INLINE ints ints_all(int32_t x) { return vdupq_n_s32(x); }
INLINE int32_t ints_largest(ints x) { return vmaxvq_s32(x); }
INLINE int32_t ints_sum(ints x) { return vaddvq_s32(x); }
INLINE ints ints_magnitude_bits(floats x) { return vreinterpretq_s32_f32(vabsq_f32(x)); }
INLINE floats floats_power_of_2(ints n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
INLINE void ints_store_32_bytes(int8_t *p, const ints *x) {
    for (int i = 0; i < 4; i++, x += 2) {
        const int16x8_t narrow = vcombine_s16(vqmovn_s32(x[0]), vqmovn_s32(x[1]));
        vst1_s8(p + 8 * i, vqmovn_s16(narrow));
    }
}

INLINE bytes bytes_load(const uint8_t *p) { return vld1q_u8(p); }
INLINE bytes bytes_low(bytes x) { return vandq_u8(x, vdupq_n_u8(15)); }
INLINE bytes bytes_high(bytes x) { return vshrq_n_u8(x, 4); }
INLINE bytes bytes_and(bytes x, uint8_t mask) { return vandq_u8(x, vdupq_n_u8(mask)); }
INLINE bytes bytes_or(bytes x, bytes y) { return vorrq_u8(x, y); }
INLINE bytes bytes_right_1(bytes x) { return vshrq_n_u8(x, 1); }
INLINE bytes bytes_right_2(bytes x) { return vshrq_n_u8(x, 2); }
INLINE bytes bytes_left_4(bytes x) { return vshlq_n_u8(x, 4); }
INLINE quad quad_load(const int8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

INLINE ints sums4_start(int32_t offset) { return vdupq_n_s32(offset); }
INLINE ints sums4_add(ints s, bytes w, quad x) {
    return vdotq_s32(s, vreinterpretq_s8_u8(w), x);
}
INLINE ints sums4_end(ints s, int32_t offset) {
    (void)offset;
    return s;
}

/* Two registers of weights of at most 63. */
INLINE ints sums_add_pair(ints s, bytes w0, quad x0, bytes w1, quad x1) {
    return sums4_add(sums4_add(s, w0, x0), w1, x1);
}

typedef int8x16_t weights8;
INLINE weights8 weights8_load(const uint8_t *p) {
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(128)));
}
INLINE weights8 weights8_from_codes(bytes codes) {
    const uint8x16_t w = vqtbl1q_u8(vld1q_u8(motet_codes), codes);
    return vreinterpretq_s8_u8(veorq_u8(w, vdupq_n_u8(128)));
}
INLINE ints sums8_start(int32_t offset) {
    (void)offset;
    return vdupq_n_s32(0);
}
INLINE ints sums8_add(ints s, weights8 w, quad x) { return vdotq_s32(s, w, x); }

INLINE void prefetch(const uint8_t *p) { __builtin_prefetch(p); }

/* [4][4] from rows `stride` floats apart to rows `to_stride` apart. */
INLINE void transpose(const float *from, int64_t stride, float *to, int64_t to_stride) {
    const float32x4x2_t low = vtrnq_f32(vld1q_f32(from), vld1q_f32(from + stride));
    const float32x4x2_t high =
        vtrnq_f32(vld1q_f32(from + 2 * stride), vld1q_f32(from + 3 * stride));
    for (int i = 0; i < 2; i++) {
        vst1q_f32(to + i * to_stride,
                  vcombine_f32(vget_low_f32(low.val[i]), vget_low_f32(high.val[i])));
        vst1q_f32(to + (i + 2) * to_stride,
                  vcombine_f32(vget_high_f32(low.val[i]), vget_high_f32(high.val[i])));
    }
}
