/* Sums of four products of bytes in each of 8 lanes, by one instruction (DOT_BYTES). */
typedef ints sums4;
INLINE sums4 sums4_start(int32_t offset) { return _mm256_set1_epi32(offset); }
INLINE sums4 sums4_add(sums4 s, bytes w, quad x) { return DOT_BYTES(s, w, x); }
INLINE ints sums4_end(sums4 s, int32_t offset) {
    (void)offset;
    return s;
}

typedef bytes weights8;
typedef ints sums8;
INLINE weights8 weights8_load(const uint8_t *p) { return bytes_load(p); }
INLINE sums8 sums8_start(int32_t offset) {
    return _mm256_slli_epi32(_mm256_set1_epi32(offset), 4);
}
INLINE sums8 sums8_add(sums8 s, weights8 w, quad x) { return DOT_BYTES(s, w, x); }
INLINE ints sums8_end(sums8 s) { return s; }
