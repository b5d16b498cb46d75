"""What one reply has said so far, put together from its pieces."""

from __future__ import annotations

from dataclasses import dataclass, field

from motet.server.openai.generation import Generation
from motet.server.openai.logprobs import ShownToken
from motet.server.openai.voices import End, Piece

__all__ = ["Said", "listen_to_all"]


@dataclass
class Said:
    """The texts of a reply; end is None until it has ended."""

    content: str = ""
    reasoning: str = ""
    channels: dict[str, str] = field(default_factory=dict)
    tokens: list[ShownToken] = field(default_factory=list)
    end: End | None = None

    def add(self, piece: Piece) -> None:
        """Take in the next piece."""
        self.content += piece.content
        self.reasoning += piece.reasoning
        for name, text in piece.channels.items():
            self.channels[name] = self.channels.get(name, "") + text
        self.tokens += piece.tokens
        self.end = piece.end or self.end


async def listen_to_all(generation: Generation) -> list[Said]:
    """Every reply, from beginning to end."""
    replies = [Said() for _ in generation.orders]
    async for index, piece in generation:
        replies[index].add(piece)
    return replies
