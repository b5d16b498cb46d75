/* AVX-VNNI: the dot product of bytes for processors that have it without AVX-512. */
#include "level.h"

#if defined(__GNUC__) && defined(__x86_64__)
#define TARGET __attribute__((target("avx2,fma,f16c,avxvnni")))
#include "lanes_256.h"
#define DOT_BYTES _mm256_dpbusd_avx_epi32
#include "dot_256.h"

#define LEVEL motet_level_avxvnni
#define LEVEL_NAME "avxvnni"
#include "bodies.h"
#else
typedef int motet_no_avxvnni;
#endif
