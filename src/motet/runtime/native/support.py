"""What the runtime can compute, checked before anything is: ggml ends the process where it can't.

ggml answers an operation on types that it does not have with an assertion, which a file from
anywhere must not be able to reach.
"""

from __future__ import annotations

from collections.abc import Collection

from motet.errors import CheckpointError, SettingError
from motet.formats.ggml_types import GGMLType
from motet.formats.names import EMBEDDING
from motet.runtime.native import ggml
from motet.runtime.native.operations import MAX_HEAD_WIDTH, RING_ROWS, KVType
from motet.runtime.native.weights import Model

_TAPS = "shortconv.conv.weight"
_Q8_GROUP = 32


def check_model(model: Model, multiplied: Collection[str]) -> None:
    """CheckpointError if an operation does not take the model's sizes or types of tensors.

    multiplied: names of the tensors that cells are multiplied with.
    """
    numbers = model.hyperparameters
    kv_heads = set(numbers.num_kv_heads) - {0}
    if len(kv_heads) > 1 or numbers.head_width > MAX_HEAD_WIDTH:
        raise CheckpointError(
            "KV heads", expected=f"as many in all layers, at most {MAX_HEAD_WIDTH} wide",
            got=f"{sorted(kv_heads)} of {numbers.head_width}",
        )  # fmt: skip
    if numbers.conv_width > RING_ROWS:
        raise CheckpointError("conv width", expected=f"at most {RING_ROWS}", got=numbers.conv_width)
    for name, weight in model.weights.items():
        if name == EMBEDDING or name in multiplied:
            takes, fits = "a type that ggml has products for", has_products(weight.type)
        elif name.endswith(_TAPS):
            takes, fits = "F32 or F16", weight.type in (GGMLType.F32, GGMLType.F16)
        else:
            takes, fits = "F32", weight.type is GGMLType.F32
        if not fits:
            raise CheckpointError(f"tensor {name}", expected=takes, got=weight.type.name)


def has_products(kind: GGMLType) -> bool:
    """Whether this ggml multiplies with weights of `kind`, and looks up rows of them."""
    return ggml.type_traits(kind).contents.vec_dot is not None


def check_cache(kv_type: KVType, head_width: int) -> None:
    """SettingError if heads of this width can't be kept in `kv_type`."""
    if kv_type is KVType.Q8_0 and head_width % _Q8_GROUP:
        raise SettingError(
            "q8_0 cache", expected=f"heads of a multiple of {_Q8_GROUP}", got=head_width,
            fix="keep the cache in f16",
        )  # fmt: skip
