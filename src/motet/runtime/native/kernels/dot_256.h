/* Sums of four products of bytes in each of 8 lanes, by one instruction (DOT_BYTES). */
INLINE ints sums4_start(int32_t offset) { return _mm256_set1_epi32(offset); }
INLINE ints sums4_add(ints s, bytes w, quad x) { return DOT_BYTES(s, w, x); }
INLINE ints sums4_end(ints s, int32_t offset) {
    (void)offset;
    return s;
}

/* Two registers of weights of at most 63. */
INLINE ints sums_add_pair(ints s, bytes w0, quad x0, bytes w1, quad x1) {
    return DOT_BYTES(DOT_BYTES(s, w0, x0), w1, x1);
}

typedef bytes weights8;
INLINE weights8 weights8_load(const uint8_t *p) { return bytes_load(p); }
INLINE weights8 weights8_from_codes(bytes codes) {
    const __m128i table = _mm_loadu_si128((const __m128i *)motet_codes);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), codes);
}
INLINE ints sums8_start(int32_t offset) { return _mm256_set1_epi32(offset); }
INLINE ints sums8_add(ints s, weights8 w, quad x) { return DOT_BYTES(s, w, x); }
