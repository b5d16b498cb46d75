"""Messages of a chat, with reasoning taken apart from what is said.

    {"messages": [{"role": "user", "content": "..."},
                  {"role": "assistant", "reasoning": "...", "content": "..."}]}

Reasoning is in `reasoning` or `reasoning_content`, or in the content between <think> and </think>
(the first of them may be missing: some templates write it themselves). The keys `conversations`,
`from` and `value` with roles `human` and `gpt` are read as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from motet.data.project.corpus import Entry
from motet.data.project.projecting import LeftOut
from motet.errors import DataError

__all__ = ["Said", "read_messages"]

_ROLES = {"human": "user", "gpt": "assistant"}
_THINK = re.compile(r"\A\s*(?:<think>)?(.*?)</think>(.*)\Z", re.DOTALL)
_TAGS = ("<think>", "</think>")


@dataclass(frozen=True, slots=True)
class Said:
    """One message: who says it (`user`, `assistant` or `system`), what, and the reasoning."""

    role: str
    text: str
    reasoning: str = ""


def read_messages(entry: Entry) -> list[Said]:
    """The messages of a record; LeftOut for what no channel is for, DataError if malformed."""
    key = "messages" if "messages" in entry.data else "conversations"
    items = entry.data.get(key)
    if not isinstance(items, list) or not items:
        raise DataError(f"{entry.where}: messages", expected="a list", got=repr(items)[:60])
    return [_said(item, f"{entry.where}: {key}[{i}]") for i, item in enumerate(items)]


def _said(item: object, where: str) -> Said:
    if not isinstance(item, dict):
        raise DataError(where, expected="an object", got=repr(item)[:60])
    role = item.get("role", item.get("from"))
    if not isinstance(role, str):
        raise DataError(f"{where}.role", expected="a text", got=repr(role)[:60])
    role = _ROLES.get(role, role)
    if role not in ("system", "user", "assistant"):
        raise LeftOut("a role other than system, user, assistant")
    if item.get("tool_calls"):
        raise LeftOut("tool calls")
    text = _text(item.get("content", item.get("value")), f"{where}.content")
    stated = item.get("reasoning") or item.get("reasoning_content") or ""
    if not isinstance(stated, str):
        raise DataError(f"{where}.reasoning", expected="a text", got=repr(stated)[:60])
    if role != "assistant":
        return Said(role, text)
    text, reasoning = _without_reasoning(text)
    if stated and reasoning:
        raise LeftOut("reasoning given twice")
    return Said(role, text, (stated or reasoning).strip())


def _without_reasoning(text: str) -> tuple[str, str]:
    match = _THINK.match(text)
    said, reasoning = (match[2].lstrip(), match[1]) if match else (text, "")
    if any(tag in part for part in (said, reasoning) for tag in _TAGS):
        raise LeftOut("reasoning without begin or end")
    return said, reasoning


def _text(content: Any, where: str) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise DataError(where, expected="a text or a list of parts", got=repr(content)[:60])
    texts = []
    for i, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise DataError(f"{where}[{i}]", expected="a part with a type", got=repr(part)[:60])
        if part["type"] != "text":
            raise LeftOut("content other than text")
        if not isinstance(part.get("text"), str):
            raise DataError(f"{where}[{i}].text", expected="a text", got=repr(part)[:60])
        texts.append(part["text"])
    return "".join(texts)
