/* The two operations of a transformer that mix cells, over the rows of several sessions. */
#ifndef MOTET_ROWS_H
#define MOTET_ROWS_H

#include "abi.h"

struct motet_level;

enum motet_kv_type { MOTET_KV_F32 = 0, MOTET_KV_F16 = 1, MOTET_KV_Q8_0 = 2 };

enum { MOTET_MAX_HEAD_WIDTH = 256 };

/* 32 cached values of MOTET_KV_Q8_0, as in GGUF's Q8_0. */
struct motet_q8_block {
    uint16_t scale; /* half precision */
    int8_t values[32];
};

/* Bytes of K cached values of one cell and head; K is a multiple of 32 for MOTET_KV_Q8_0. */
static inline int64_t motet_cached_bytes(int kv_type, int K) {
    switch (kv_type) {
    case MOTET_KV_F32: return (int64_t)K * 4;
    case MOTET_KV_F16: return (int64_t)K * 2;
    default: return (int64_t)(K / 32) * (int64_t)sizeof(struct motet_q8_block);
    }
}

struct motet_rows_attention {
    const struct motet_call *call;
    const float *q; /* [T][H][K] */
    const float *k; /* [T][G][K] */
    const float *v; /* [T][G][K] */
    float *out;     /* [T][H][K] */
    int32_t H, G, K, C;
    int32_t layer; /* among the attention layers */
    int32_t kv_type;
    float scale;
    const struct motet_level *level; /* the code to run; null: the best that the processor has */
};

struct motet_rows_conv {
    const struct motet_call *call;
    const float *bcx;  /* [T][3][D]: gate of the input, gate of the output, input */
    const float *taps; /* [W][D], the oldest row first */
    float *out;        /* [T][D] */
    int32_t D, W, C;
    int32_t layer, num_layers; /* among the conv layers */
    int32_t row_boundary;      /* 0: each channel over its own column */
};

/* Writes the call's keys and values into the caches; must be complete before `attend` starts. */
MOTET_EXPORT void motet_rows_store(struct ggml_tensor *dst, int ith, int nth, void *userdata);

/* Cell (r, c) attends to all cells of the rows before r of its session, and to itself. */
MOTET_EXPORT void motet_rows_attend(struct ggml_tensor *dst, int ith, int nth, void *userdata);

/* out = C * conv(B * x) of the short conv block of LFM2, with the past of each session. */
MOTET_EXPORT void motet_rows_conv(struct ggml_tensor *dst, int ith, int nth, void *userdata);

#endif
