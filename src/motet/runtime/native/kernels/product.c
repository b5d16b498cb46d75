/* Rounding of activations, and the product of all cells with one matrix. */
#include "level.h"
#include "schedule.h"

enum {
    QUANTISE_BLOCKS = 64,     /* one unit of rounding, a multiple of MOTET_MAX_SPAN */
    CACHE_BYTES = 384 * 1024, /* of activations, to be read again and again from the L2 cache */
};

void motet_quantise(struct ggml_tensor *dst, int ith, int nth, void *userdata) {
    (void)dst;
    (void)ith;
    struct motet_quantise *q = userdata;
    const int64_t blocks = q->depth / MOTET_BLOCK_VALUES;
    const int64_t parts = (blocks + QUANTISE_BLOCKS - 1) / QUANTISE_BLOCKS;
    int64_t first, num;
    while ((num = take_units(&q->progress, q->num_cells * parts, nth, &first)))
        for (int64_t unit = first; unit < first + num; unit++) {
            const int64_t cell = unit / parts, at = unit % parts * QUANTISE_BLOCKS;
            const int64_t n = blocks - at < QUANTISE_BLOCKS ? blocks - at : QUANTISE_BLOCKS;
            q->level->quantise(q->x + cell * q->x_stride + at * MOTET_BLOCK_VALUES,
                               q->blocks + cell * blocks + at, n, q->span);
        }
    finish_units(&q->progress, nth);
}

/* Cells that are worked on together: as many as stay in the cache, a multiple of 8. */
static int64_t cells_at_once(int64_t cell_bytes) {
    const int64_t num = CACHE_BYTES / cell_bytes / 8 * 8;
    return num < 8 ? 8 : num > MOTET_CELLS_AT_ONCE ? MOTET_CELLS_AT_ONCE : num;
}

static void add_residual(const struct motet_product *p, int64_t cell, int64_t row) {
    const float *residual = p->residual + cell * p->residual_stride + row;
    float *out = p->out + cell * p->out_stride + row;
    for (int i = 0; i < MOTET_TILE_ROWS; i++) out[i] += residual[i];
}

void motet_product(struct ggml_tensor *dst, int ith, int nth, void *userdata) {
    (void)dst;
    (void)ith;
    struct motet_product *p = userdata;
    const struct motet_weights *w = &p->weights;
    const int64_t cell_bytes = motet_cell_bytes(w->kind, w->depth);
    const int64_t groups = w->num_rows / MOTET_TILE_ROWS, at_once = cells_at_once(cell_bytes);
    const void *cells[MOTET_CELLS_AT_ONCE];
    int64_t before = 0; /* units of the cells before `start` */
    for (int64_t start = 0; start < p->num_cells; start += at_once, before += groups) {
        const int64_t left = p->num_cells - start, num = left < at_once ? left : at_once;
        for (int64_t c = 0; c < num; c++)
            cells[c] = (const char *)p->activations + (start + c) * cell_bytes;
        int64_t first, taken;
        while ((taken = take_units(&p->progress, before + groups, nth, &first)))
            for (int64_t group = first - before; group < first - before + taken; group++) {
                const int64_t row = group * MOTET_TILE_ROWS;
                motet_multiply(p->level, w, 0, group, cells, num,
                               p->out + start * p->out_stride + row, p->out_stride);
                if (p->residual)
                    for (int64_t c = 0; c < num; c++) add_residual(p, start + c, row);
            }
    }
    finish_units(&p->progress, nth);
}

void motet_structure_bytes(int64_t *six) {
    six[0] = sizeof(struct motet_block);
    six[1] = sizeof(struct motet_weights);
    six[2] = sizeof(struct motet_quantise);
    six[3] = sizeof(struct motet_product);
    six[4] = sizeof(struct motet_experts_up);
    six[5] = sizeof(struct motet_experts_down);
}
