"""What `/v1/responses` answers: items of reasoning and of text, whole or growing event by event."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel

from motet.engine import Settings
from motet.server.openai.responses_request import ResponsesRequest
from motet.server.openai.said import Said
from motet.server.openai.serving import Service, fresh_id
from motet.server.openai.usage import Usage

__all__ = ["Frame", "ResponseObject", "message_item", "reasoning_item", "text_part"]


class ResponseObject(BaseModel):
    """A response of OpenAI's; stopped_by: why it ended, in this server's words."""

    id: str
    object: str
    status: str
    created_at: int
    model: str
    output: list[dict[str, Any]]
    usage: dict[str, Any] | None
    stopped_by: str | None = None


class Frame:
    """The fields of one response that its request decides."""

    def __init__(self, service: Service, request: ResponsesRequest, settings: Settings) -> None:
        self._fields: dict[str, Any] = {
            "id": fresh_id("resp_"),
            "object": "response",
            "created_at": int(time.time()),
            "background": False,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "metadata": request.metadata or {},
            "model": service.model,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": False,
            "temperature": settings.sampling.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": request.top_logprobs or 0,
            "top_p": settings.sampling.top_p,
            "truncation": "disabled",
        }

    def begun(self) -> dict[str, Any]:
        """The response before it has said anything."""
        return self._with("in_progress", [], None)

    def ended(self, said: Said, output: list[dict[str, Any]], usage: Usage) -> dict[str, Any]:
        """The response with its items, in order, and what it has cost."""
        assert said.end is not None
        is_whole = said.end.reason == "stop"
        response = self._with("completed" if is_whole else "incomplete", output, usage)
        if not is_whole:
            response["incomplete_details"] = {"reason": "max_output_tokens"}
        return response | {"completed_at": int(time.time()), "stopped_by": said.end.because}

    def failed(self, message: str) -> dict[str, Any]:
        """The response that broke off."""
        response = self._with("failed", [], None)
        return response | {"error": {"code": "server_error", "message": message}}

    def _with(
        self, status: str, output: list[dict[str, Any]], usage: Usage | None
    ) -> dict[str, Any]:
        return {
            **self._fields, "status": status, "error": None, "incomplete_details": None,
            "output": output, "usage": None if usage is None else _usage(usage),
        }  # fmt: skip


def text_part(text: str, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    """The text of a message item."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def message_item(
    item_id: str, status: str, parts: list[dict[str, Any]], channels: dict[str, str] | None
) -> dict[str, Any]:
    """A message item; channels: what further channels said, None if the model has none."""
    item = {
        "id": item_id, "type": "message", "role": "assistant", "status": status, "content": parts,
    }  # fmt: skip
    return item if channels is None else {**item, "channels": channels}


def reasoning_item(item_id: str, status: str, text: str) -> dict[str, Any]:
    """A reasoning item, its text as it was thought."""
    content = [{"type": "reasoning_text", "text": text}] if text else []
    return {
        "id": item_id, "type": "reasoning", "status": status, "summary": [], "content": content,
    }  # fmt: skip


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            **usage.prompt_tokens_details.model_dump(),
            "cache_write_tokens": 0,  # what is kept for others is not counted, nor billed
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": usage.completion_tokens_details.model_dump(),
        "total_tokens": usage.total_tokens,
    }
