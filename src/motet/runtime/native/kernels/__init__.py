"""Own kernels for what ggml has no good operation for: their structures, and what fits them.

The C sources beside this file are compiled into `motet.runtime.native._kernels`; its functions are
handed to ggml as custom operations (see `motet.runtime.native.extension`). Products take weights
from tiles of 16 rows, so that a few cells cost what it costs to read the weights once.
"""

from motet.runtime.native.kernels.bandwidth import read_bandwidth
from motet.runtime.native.kernels.levels import Level, all_levels, best_level, levels
from motet.runtime.native.kernels.structures import (
    BLOCK_BYTES,
    ExpertsDown,
    ExpertsUp,
    Product,
    Progress,
    Quantise,
    Weights,
    block_bytes,
)
from motet.runtime.native.kernels.tiles import (
    activation_bytes,
    deinterleave,
    fits,
    interleave,
    misfit,
    span_of,
    takes_floats,
    tile_bytes,
    weights_of,
)

__all__ = [
    "BLOCK_BYTES",
    "ExpertsDown",
    "ExpertsUp",
    "Level",
    "Product",
    "Progress",
    "Quantise",
    "Weights",
    "activation_bytes",
    "all_levels",
    "best_level",
    "block_bytes",
    "deinterleave",
    "fits",
    "interleave",
    "levels",
    "misfit",
    "read_bandwidth",
    "span_of",
    "takes_floats",
    "tile_bytes",
    "weights_of",
]
