"""A stock transformers model made multi-stream, through one mechanism for every architecture.

    token embedding + channel embedding -> stock layers -> final norm -> tied head
                                           |     |
                            attention ask `Streams`, short conv asks `Streams`

The stock model keeps its code, parameters and names. Its attention implementation is set to one
that asks the `Streams` passed through the forward, and short conv blocks, where there are any, are
replaced by ones that do the same. Positions are row indices. Logits at (r, c) predict (r+1, c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from transformers import AttentionInterface

from motet.errors import CheckpointError, LayoutError
from motet.runtime.torch.conversations import Conversations
from motet.runtime.torch.streams import Streams
from motet.runtime.torch.whole import WholeGrids

if TYPE_CHECKING:
    from motet.streams.layout import Layout

ATTENTION = "motet_streams"
MODEL_TYPES = ("lfm2_moe", "lfm2", "qwen3")


def _streams_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    scaling: float,
    streams: Streams,
    **_: object,
) -> tuple[Tensor, None]:
    return streams.attend(module.layer_idx, query, key, value, scaling), None  # type: ignore[arg-type]


AttentionInterface.register(ATTENTION, _streams_attention)


class StreamShortConv(nn.Module):
    """A short conv block of LFM2 whose convolution is done by the streams it is called with.

    Takes over the projections of the stock module, so parameter names stay as they are.
    """

    def __init__(self, stock: Any) -> None:
        super().__init__()
        self.in_proj: nn.Linear = stock.in_proj
        self.conv: nn.Conv1d = stock.conv
        self.out_proj: nn.Linear = stock.out_proj
        self.layer_idx: int = stock.layer_idx

    def forward(self, hidden_states: Tensor, *, streams: Streams, **_: object) -> Tensor:
        """[B, T, D] -> [B, T, D]; `streams` is the `Streams` of this forward."""
        gate_in, gate_out, x = self.in_proj(hidden_states).chunk(3, dim=-1)
        weight_DW = self.conv.weight.squeeze(1)
        v = streams.convolve(self.layer_idx, gate_in * x, weight_DW, self.conv.bias)
        out: Tensor = self.out_proj(gate_out * v)
        return out


class MultiStreamModel(nn.Module):
    """`base` (a transformers causal language model) reading grids of `layout`.

    Takes `base` over: its attention implementation and conv blocks are exchanged in place.
    """

    def __init__(self, base: Any, layout: Layout) -> None:
        super().__init__()
        config = base.config
        if config.model_type not in MODEL_TYPES:
            raise CheckpointError(
                "model type", expected=" or ".join(MODEL_TYPES), got=repr(config.model_type)
            )
        alien = set(config.layer_types) - {"full_attention", "conv"}
        if alien:
            raise CheckpointError(
                "layer types", expected="full_attention or conv", got=sorted(alien)
            )
        base.set_attn_implementation(ATTENTION)
        for layer in base.get_decoder().layers:
            if hasattr(layer, "conv"):
                layer.conv = StreamShortConv(layer.conv)
        self.base = base
        self.layout = layout
        self.channel_embedding: nn.Embedding | None = None
        if layout.channel_embedding:
            self.channel_embedding = nn.Embedding(layout.num_channels, config.hidden_size)
            self.channel_embedding.weight.data.normal_(0.0, config.initializer_range)
            self.channel_embedding.to(base.device, base.dtype)

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self.base.config

    def forward(self, tokens_BRC: Tensor, conversations_BR: Tensor | None = None) -> Tensor:
        """Logits [B, R, C, V] of whole grids, with gradients.

        conversations_BR: which rows of a line belong together; see `hidden_of_grids`.
        """
        return self.head(self.hidden_of_grids(tokens_BRC, conversations_BR))

    def hidden_of_grids(self, tokens_BRC: Tensor, conversations_BR: Tensor | None = None) -> Tensor:
        """Hidden states [B, R, C, D] of whole grids, with gradients: the training forward.

        conversations_BR: the number of the conversation of each row, which sees no other one;
        None: a line is one conversation.
        """
        B, R, C = tokens_BRC.shape
        if C != self.layout.num_channels:
            raise LayoutError("grid", expected=f"{self.layout.num_channels} channels", got=C)
        packed = None if conversations_BR is None else Conversations(conversations_BR)
        streams = WholeGrids(
            B, R, C, self.layout.conv_mode, tokens_BRC.device, conversations=packed
        )
        hidden_BRCD: Tensor = self.hidden(tokens_BRC.flatten(1), streams).unflatten(1, (R, C))
        return hidden_BRCD

    def hidden(self, tokens_BT: Tensor, streams: Streams) -> Tensor:
        """Hidden states [B, T, D] after the final norm, of row-major cells [B, T]."""
        decoder = self.base.get_decoder()
        embeds_BTD = decoder.embed_tokens(tokens_BT)
        if self.channel_embedding is not None:
            marks_CD = self.channel_embedding.weight.to(embeds_BTD.dtype)
            if streams.channels_BC is not None:
                marks_CD = marks_CD[streams.channels_BC].unsqueeze(1)  # [B, 1, C, D]
            embeds_BRCD = embeds_BTD.unflatten(1, (-1, marks_CD.shape[-2])) + marks_CD
            embeds_BTD = embeds_BRCD.flatten(1, 2)
        output = decoder(
            inputs_embeds=embeds_BTD,
            position_ids=streams.positions_BT,
            attention_mask={"full_attention": None, "conv": None},
            use_cache=False,
            streams=streams,
        )
        hidden_BTD: Tensor = output.last_hidden_state
        return hidden_BTD

    @property
    def head_module(self) -> nn.Module:
        """What computes logits, adapters included."""
        module: nn.Module = self.base.get_output_embeddings()
        return module

    def head(self, hidden: Tensor) -> Tensor:
        """Logits [..., V] of hidden states [..., D]."""
        logits: Tensor = self.head_module(hidden)
        return logits
