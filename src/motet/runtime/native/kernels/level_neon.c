/* NEON with the dot product of bytes. */
#include "level.h"

#if defined(__GNUC__) && defined(__aarch64__)
#include "lanes_neon.h"

#define LEVEL motet_level_neon
#define LEVEL_NAME "neon"
#include "bodies.h"
#else
typedef int motet_no_neon;
#endif
