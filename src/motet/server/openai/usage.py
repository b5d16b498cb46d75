"""What a request has cost: tokens read, tokens spoken, by channel. Silence is no token."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from motet.server.openai.generation import Order

__all__ = ["CompletionDetails", "PromptDetails", "Usage", "usage_of"]


class PromptDetails(BaseModel):
    """Of what was read: tokens of a beginning that had been read before, for somebody else."""

    cached_tokens: int


class CompletionDetails(BaseModel):
    """Of what was spoken: reasoning, and each channel by name."""

    reasoning_tokens: int
    channels: dict[str, int]


class Usage(BaseModel):
    """Token counts of a request. Several replies to one prompt count the prompt once."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


def usage_of(orders: Iterable[Order]) -> Usage:
    """The usage of these replies so far."""
    prompts: dict[int, int] = {}
    cached: dict[int, int] = {}
    channels: dict[str, int] = {}
    num_reasoning = 0
    for order in orders:
        key, num_cached = id(order.prompt), sum(order.prompt.row_tokens[: order.shared.num_rows])
        prompts[key] = order.prompt.num_tokens
        cached[key] = min(num_cached, cached.get(key, num_cached))  # others share it with the first
        num_reasoning += order.voices.num_reasoning
        for name, count in order.voices.num_spoken.items():
            channels[name] = channels.get(name, 0) + count
    num_read, num_spoken = sum(prompts.values()), sum(channels.values())
    return Usage(
        prompt_tokens=num_read, completion_tokens=num_spoken, total_tokens=num_read + num_spoken,
        prompt_tokens_details=PromptDetails(cached_tokens=sum(cached.values())),
        completion_tokens_details=CompletionDetails(
            reasoning_tokens=num_reasoning, channels=channels
        ),
    )  # fmt: skip
