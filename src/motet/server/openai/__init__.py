"""OpenAI's API on live sessions: chats, completions, responses, models, tokens."""

from motet.server.openai.router import openai_router

__all__ = ["openai_router"]
