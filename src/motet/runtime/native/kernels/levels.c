/* Which instruction sets there are, and which of them this processor has. */
#include "level.h"

#include <stddef.h>

#if defined(__GNUC__) && defined(__x86_64__)
#include <cpuid.h>

static int has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static int has_avxvnni(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 4));
}

static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

static int supports(const struct motet_level *level) {
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    if (level == &motet_level_avx2) return avx2;
    if (level == &motet_level_avxvnni) return avx2 && has_avxvnni();
    if (level == &motet_level_avx512) return avx2 && has_avx512();
    if (level == &motet_level_avx512vbmi)
        return avx2 && has_avx512() && __builtin_cpu_supports("avx512vbmi");
    return 1;
}

static const struct motet_level *const levels[] = {
    &motet_level_avx512vbmi, &motet_level_avx512, &motet_level_avxvnni, &motet_level_avx2,
    &motet_level_portable};

#elif defined(__GNUC__) && defined(__aarch64__)
#if defined(__APPLE__)
#include <sys/sysctl.h>

static int has_dotprod(void) {
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, NULL, 0) == 0 && has;
}
#elif defined(__linux__)
#include <sys/auxv.h>

static int has_dotprod(void) { return (getauxval(AT_HWCAP) & (1ul << 20)) != 0; } /* ASIMDDP */
#else
static int has_dotprod(void) { return 0; }
#endif

static int supports(const struct motet_level *level) {
    return level != &motet_level_neon || has_dotprod();
}

static const struct motet_level *const levels[] = {&motet_level_neon, &motet_level_portable};

#else
static int supports(const struct motet_level *level) {
    (void)level;
    return 1;
}

static const struct motet_level *const levels[] = {&motet_level_portable};
#endif

enum { NUM_LEVELS = sizeof levels / sizeof *levels };

const char *motet_level_name(int index) {
    return index >= 0 && index < NUM_LEVELS ? levels[index]->name : NULL;
}

const struct motet_level *motet_level(int index) {
    if (index < 0 || index >= NUM_LEVELS || !supports(levels[index])) return NULL;
    return levels[index];
}

const struct motet_level *motet_best_level(void) {
    int index = 0;
    while (!supports(levels[index])) index++; /* the portable level is always there */
    return levels[index];
}

int32_t motet_read_memory(const struct motet_level *level, const void *memory, int64_t num_bytes) {
    return level->read(memory, num_bytes);
}
