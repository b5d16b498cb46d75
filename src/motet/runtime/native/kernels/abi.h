/* What every kernel shares: the shape of a custom operation of ggml, and one call's sessions.
 *
 * A kernel is called by each thread of a graph as `op(dst, ith, nth, userdata)`. Everything it needs
 * stands in the plain structure at `userdata`, which Python fills when the memory of the graph is
 * laid out; no kernel looks into a ggml tensor. What a kernel computes depends neither on `nth` nor
 * on which other cells are in the call.
 */
#ifndef MOTET_ABI_H
#define MOTET_ABI_H

#include <stdint.h>

#if defined(_WIN32)
#define MOTET_EXPORT __declspec(dllexport)
#else
#define MOTET_EXPORT __attribute__((visibility("default")))
#endif

struct ggml_tensor;

/* The rows that one session reads in this call, and where its past is kept.
 *
 * L attention layers, N conv layers, G key/value heads of width K, C channels, D width, W conv width.
 */
struct motet_segment {
    char *cache;      /* [L][2][G][max_cells][K]: keys, then values, in the type of the cache */
    float *ring;      /* [N][MOTET_RING_ROWS][C][D]: inputs of the conv, row r at r % ring rows */
    float *snapshots; /* [n][N][W - 1][C][D]: the W - 1 rows before row (n + 1) * ring rows */
    int64_t max_cells;
    int64_t first_cell; /* among the cells of the call */
    int64_t num_cells;
    int64_t past_cells; /* read before this call; a whole number of rows, as num_cells is */
};

struct motet_call {
    const struct motet_segment *segments;
    int64_t num_segments;
};

#define MOTET_RING_ROWS 64

#endif
