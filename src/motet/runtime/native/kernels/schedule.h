/* How threads share the units of one call: each takes a part of what is left, smaller and smaller.
 *
 * Long parts first keep reads of memory in order; short parts last let a slow thread be late by
 * little (guided self-scheduling). Who computes a unit does not change what comes out.
 */
#ifndef MOTET_SCHEDULE_H
#define MOTET_SCHEDULE_H

#include "products.h"

/* Takes units before `end`: returns how many, 0 if none is left; the first goes into `*first`. */
static inline int64_t take_units(struct motet_progress *p, int64_t end, int nth, int64_t *first) {
    int64_t next = __atomic_load_n(&p->next, __ATOMIC_RELAXED), num;
    do {
        if (next >= end) return 0;
        num = (end - next) / (2 * (int64_t)nth);
        if (num < 1) num = 1;
    } while (!__atomic_compare_exchange_n(&p->next, &next, next + num, 1, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    *first = next;
    return num;
}

/* Each thread says once that it found nothing left; the last makes all as it was. */
static inline void finish_units(struct motet_progress *p, int nth) {
    if (__atomic_add_fetch(&p->num_done, 1, __ATOMIC_ACQ_REL) == nth) {
        __atomic_store_n(&p->next, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&p->num_done, 0, __ATOMIC_RELAXED);
    }
}

#endif
