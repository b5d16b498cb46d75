/* The feed-forward of a mixture of experts, expert by expert over the cells that chose it.
 *
 * Peers of a row and rows of a prefill share experts, so each expert's weights are read once for
 * all of its cells. Gate, up and SiLU go over as many rows at a time as have one scale as activations
 * for `down`, whose sums over experts are in the order of the experts: a cell's result does not
 * depend on what the other cells chose. A dense feed-forward is the case of one expert that all
 * choose.
 */
#include "level.h"
#include "schedule.h"

#include <string.h>

enum {
    CHUNK_CELLS = 256,  /* the most cells that are sorted at once */
    CHUNK_SLOTS = 4096, /* and the most choices: a slot is one choice of one cell */
};

/* Choices of some cells, by expert: slot s is choice s % A of cell s / A. */
struct routing {
    int num_chosen;                       /* experts that some cell chose */
    int32_t expert[MOTET_MAX_EXPERTS];    /* ascending */
    int32_t first[MOTET_MAX_EXPERTS + 1]; /* in slots */
    int32_t slots[CHUNK_SLOTS];           /* ascending for each expert */
};

static void route(struct routing *r, const int32_t *experts, int64_t stride, int64_t start, int num,
                  int num_active, int num_experts) {
    int32_t next[MOTET_MAX_EXPERTS] = {0};
    for (int s = 0; s < num * num_active; s++)
        next[experts ? experts[(start + s / num_active) * stride + s % num_active] : 0]++;
    r->num_chosen = 0;
    r->first[0] = 0;
    for (int e = 0; e < num_experts; e++) {
        const int count = next[e];
        next[e] = r->first[r->num_chosen];
        if (count == 0) continue;
        r->expert[r->num_chosen++] = e;
        r->first[r->num_chosen] = next[e] + count;
    }
    for (int s = 0; s < num * num_active; s++) {
        const int e = experts ? experts[(start + s / num_active) * stride + s % num_active] : 0;
        r->slots[next[e]++] = s;
    }
}

/* Cells that are sorted together with cell `start`. */
static int cells_of_chunk(int num_cells, int num_active, int start) {
    const int room = CHUNK_SLOTS / num_active, most = room < CHUNK_CELLS ? room : CHUNK_CELLS;
    return num_cells - start < most ? num_cells - start : most;
}

/* The rows of gate and up that have one scale, for some slots of one expert. */
static void up_rows(const struct motet_experts_up *u, int64_t expert, int64_t part, int64_t start,
                    const int32_t *slots, int num) {
    const int64_t in_bytes = motet_cell_bytes(u->gate.kind, u->gate.depth);
    const int64_t out_bytes = motet_cell_bytes(u->gate.kind, u->gate.num_rows);
    const int64_t width = (int64_t)u->span * MOTET_BLOCK_VALUES; /* rows of a part */
    const int64_t part_bytes = motet_cell_bytes(u->gate.kind, width);
    const int64_t groups = width / MOTET_TILE_ROWS;
    const void *cells[MOTET_CELLS_AT_ONCE];
    float gate[MOTET_CELLS_AT_ONCE * MOTET_MAX_SPAN * MOTET_BLOCK_VALUES];
    float up[MOTET_CELLS_AT_ONCE * MOTET_MAX_SPAN * MOTET_BLOCK_VALUES];
    for (int i = 0; i < num; i++)
        cells[i] = (const char *)u->activations + (start + slots[i] / u->num_active) * in_bytes;
    for (int64_t group = 0; group < groups; group++)
        motet_multiply(u->level, &u->gate, expert, groups * part + group, cells, num,
                       gate + group * MOTET_TILE_ROWS, width);
    for (int64_t group = 0; group < groups; group++)
        motet_multiply(u->level, &u->up, expert, groups * part + group, cells, num,
                       up + group * MOTET_TILE_ROWS, width);
    u->level->swiglu(gate, up, num * width);
    for (int i = 0; i < num; i++) {
        const int64_t slot = start * u->num_active + slots[i];
        char *hidden = (char *)u->hidden + slot * out_bytes + part * part_bytes;
        if (motet_takes_floats(u->gate.kind))
            memcpy(hidden, gate + i * width, (size_t)width * sizeof *gate);
        else
            u->level->quantise(gate + i * width, (struct motet_block *)(void *)hidden, u->span,
                               u->span);
    }
}

void motet_experts_up(struct ggml_tensor *dst, int ith, int nth, void *userdata) {
    (void)dst;
    (void)ith;
    struct motet_experts_up *u = userdata;
    const int64_t parts = u->gate.num_rows / (u->span * MOTET_BLOCK_VALUES);
    struct routing r;
    int64_t before = 0; /* units of the chunks before this one */
    for (int start = 0, num; start < u->num_cells; start += num) {
        num = cells_of_chunk(u->num_cells, u->num_active, start);
        route(&r, u->experts, u->experts_stride, start, num, u->num_active, u->gate.num_experts);
        const int64_t end = before + r.num_chosen * parts;
        int64_t first, taken;
        while ((taken = take_units(&u->progress, end, nth, &first)))
            for (int64_t unit = first - before; unit < first - before + taken; unit++) {
                const int64_t i = unit / parts;
                for (int s = r.first[i]; s < r.first[i + 1]; s += MOTET_CELLS_AT_ONCE) {
                    const int left = r.first[i + 1] - s;
                    up_rows(u, r.expert[i], unit % parts, start, r.slots + s,
                            left < MOTET_CELLS_AT_ONCE ? left : MOTET_CELLS_AT_ONCE);
                }
            }
        before = end;
    }
    finish_units(&u->progress, nth);
}

/* Adds 16 rows of one expert's down to the cells of some slots. */
static void down_rows(const struct motet_experts_down *d, int64_t expert, int64_t group,
                      int64_t start, const int32_t *slots, int num) {
    const int64_t cell_bytes = motet_cell_bytes(d->down.kind, d->down.depth);
    const void *cells[MOTET_CELLS_AT_ONCE];
    float y[MOTET_CELLS_AT_ONCE][MOTET_TILE_ROWS];
    for (int i = 0; i < num; i++)
        cells[i] = (const char *)d->hidden + (start * d->num_active + slots[i]) * cell_bytes;
    motet_multiply(d->level, &d->down, expert, group, cells, num, y[0], MOTET_TILE_ROWS);
    for (int i = 0; i < num; i++) {
        const int64_t cell = start + slots[i] / d->num_active, choice = slots[i] % d->num_active;
        const float share = d->shares ? d->shares[cell * d->shares_stride + choice] : 1.0f;
        float *out = d->out + cell * d->out_stride + group * MOTET_TILE_ROWS;
        d->level->add_scaled(out, y[i], share, MOTET_TILE_ROWS);
    }
}

static void start_rows(const struct motet_experts_down *d, int64_t cell, int64_t row) {
    float *out = d->out + cell * d->out_stride + row;
    const float *residual = d->residual ? d->residual + cell * d->residual_stride + row : NULL;
    for (int i = 0; i < MOTET_TILE_ROWS; i++) out[i] = residual ? residual[i] : 0.0f;
}

void motet_experts_down(struct ggml_tensor *dst, int ith, int nth, void *userdata) {
    (void)dst;
    (void)ith;
    struct motet_experts_down *d = userdata;
    const int64_t groups = d->down.num_rows / MOTET_TILE_ROWS;
    struct routing r;
    int64_t before = 0; /* units of the chunks before this one */
    for (int start = 0, num; start < d->num_cells; start += num, before += groups) {
        num = cells_of_chunk(d->num_cells, d->num_active, start);
        route(&r, d->experts, d->experts_stride, start, num, d->num_active, d->down.num_experts);
        int64_t first, taken;
        while ((taken = take_units(&d->progress, before + groups, nth, &first))) {
            const int64_t begin = first - before, end = begin + taken;
            for (int64_t group = begin; group < end; group++)
                for (int c = 0; c < num; c++) start_rows(d, start + c, group * MOTET_TILE_ROWS);
            for (int i = 0; i < r.num_chosen; i++)
                for (int64_t group = begin; group < end; group++)
                    for (int s = r.first[i]; s < r.first[i + 1]; s += MOTET_CELLS_AT_ONCE) {
                        const int left = r.first[i + 1] - s;
                        down_rows(d, r.expert[i], group, start, r.slots + s,
                                  left < MOTET_CELLS_AT_ONCE ? left : MOTET_CELLS_AT_ONCE);
                    }
        }
    }
    finish_units(&d->progress, nth);
}
