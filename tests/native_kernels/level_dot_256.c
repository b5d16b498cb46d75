/* The loops of AVX-VNNI with the same instruction of AVX-512VL, where only that is at hand. */
#include "level.h"

#define TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512vl,avx512vnni")))
#include "lanes_256.h"
#define DOT_BYTES _mm256_dpbusd_epi32
#include "dot_256.h"

extern const struct motet_level motet_level_dot_256;
#define LEVEL motet_level_dot_256
#define LEVEL_NAME "dot_256"
#include "bodies.h"
