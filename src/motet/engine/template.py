"""Chat templates: the Jinja programs with which one-channel models say how a chat is written.

A template comes with a model, so it runs in a sandbox; it sees what templates may expect of
transformers (`apply_chat_template`): blocks trimmed, loop controls, `raise_exception`,
`strftime_now`, a plain `tojson`, `{% generation %}` as a bracket without effect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from motet.errors import CheckpointError, InputError

__all__ = ["ChatTemplate"]

_FAILURES = (  # a template is a program, and fails as one where it did not reckon with something
    jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError,
    RecursionError,
)  # fmt: skip
_GIVEN = frozenset(["messages", "tools", "documents", "add_generation_prompt"])


class ChatTemplate:
    """A compiled template. special: texts of special tokens, as `bos_token`.

    variables: names of further values that it looks at, such as `enable_thinking`.
    """

    def __init__(self, source: str, special: Mapping[str, str]) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True,
            extensions=[_GenerationBlock, jinja2.ext.loopcontrols],
        )  # fmt: skip
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        try:
            looked_at = jinja2.meta.find_undeclared_variables(environment.parse(source))
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise CheckpointError(
                "chat template", expected="a Jinja template", got=error.message
            ) from None
        known = _GIVEN | special.keys() | environment.globals.keys()
        self.variables = frozenset(looked_at - known)
        self._special = dict(special)

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any] | None = None,
        *,
        add_generation_prompt: bool = True,
    ) -> str:
        """The text of a chat, up to where the reply begins; InputError if the template objects."""
        try:
            return self._template.render(
                **{
                    **self._special, **(values or {}), "messages": list(messages), "tools": None,
                    "documents": None, "add_generation_prompt": add_generation_prompt,
                }
            )  # fmt: skip
        except _FAILURES as error:
            raise InputError(
                "messages", expected="what the model's chat template takes", got=error
            ) from None


class _GenerationBlock(jinja2.ext.Extension):
    """`{% generation %}` marks the assistant's words for training; here only its content counts."""

    tags = frozenset(["generation"])  # type: ignore[assignment]

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """The statements in the block."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: int | None = None,
    separators: tuple[str, str] | None = None, sort_keys: bool = False,
) -> str:  # fmt: skip
    """Without Jinja's escapes for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)
