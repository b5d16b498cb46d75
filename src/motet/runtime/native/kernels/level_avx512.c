/* AVX-512 with VNNI. */
#include "level.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include "lanes_avx512.h"

#define LEVEL motet_level_avx512
#define LEVEL_NAME "avx512"
#include "bodies.h"
#else
typedef int motet_no_avx512;
#endif
