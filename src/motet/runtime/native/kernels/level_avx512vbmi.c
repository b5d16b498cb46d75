/* AVX-512 with VNNI and VBMI. */
#include "level.h"

#if defined(__GNUC__) && defined(__x86_64__)
#define WITH_VBMI
#include "lanes_avx512.h"

#define LEVEL motet_level_avx512vbmi
#define LEVEL_NAME "avx512vbmi"
#include "bodies.h"
#else
typedef int motet_no_avx512vbmi;
#endif
