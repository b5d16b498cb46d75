"""Request fields that say of themselves whether they work, are an extension, or are refused.

Every field of OpenAI's request objects is declared. What this server does not do has the type
`Annotated[Any, Refused(...)]`: its default value may be sent, any other is an error by name. Fields
that nobody knows are errors too, so nothing is accepted and ignored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = [
    "REFUSED",
    "Extension",
    "Fields",
    "Note",
    "Refused",
    "RequestFields",
    "Standing",
    "standings",
]

REFUSED = "refused"


@dataclass(frozen=True)
class Note:
    """Marks a field of OpenAI's that works; `text` says in which way, where it is not obvious."""

    text: str


@dataclass(frozen=True)
class Extension:
    """Marks a field that OpenAI does not have; `text` says what it does."""

    text: str


class Refused:
    """Marks a field that is refused unless it has one of `allowed`, values that change nothing."""

    def __init__(self, *allowed: object, because: str = "") -> None:
        self.allowed = (None, *allowed)
        self.because = because

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        """Equality with an allowed value, and of the same type: 1 is not true."""

        def check(value: object) -> object:
            if any(type(value) is type(one) and value == one for one in self.allowed):
                return value
            because = f": {self.because}" if self.because else ""
            raise PydanticCustomError(
                REFUSED, "not supported by this server{because}", {"because": because}
            )

        return core_schema.no_info_plain_validator_function(check)

    def __get_pydantic_json_schema__(self, _: CoreSchema, __: GetJsonSchemaHandler) -> Any:
        """The allowed values, and no others."""
        return {"enum": list(self.allowed)}


class Fields(BaseModel):
    """A JSON object with exactly the declared fields, of exactly their types."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True)


class RequestFields(Fields):
    """The whole body of a request: fields, and all text in it is Unicode."""

    @model_validator(mode="before")
    @classmethod
    def _is_unicode(cls, body: Any) -> Any:
        """JSON may spell half of a surrogate pair, which no answer could repeat."""
        try:
            json.dumps(body, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise PydanticCustomError("not_unicode", "the body holds lone surrogates") from None
        except TypeError:
            pass  # bytes that were not sent as JSON: refused as what they are
        return body


@dataclass(frozen=True)
class Standing:
    """What becomes of a field: `works`, `extension` or `refused`, with a remark."""

    name: str
    kind: str
    remark: str


def standings(model: type[Fields]) -> list[Standing]:
    """The standing of every field of a request, in the order in which they are declared."""
    found = []
    for name, info in model.model_fields.items():
        kind, remark = "works", ""
        for mark in info.metadata:
            if isinstance(mark, Refused):
                others = ", ".join(f"`{json.dumps(value)}`" for value in mark.allowed[1:])
                but = f"; {others} may be sent" if others else ""
                kind, remark = REFUSED, f"{mark.because}{but}".strip("; ")
            elif isinstance(mark, Extension):
                kind, remark = "extension", mark.text
            elif isinstance(mark, Note):
                remark = mark.text
        found.append(Standing(name, kind, remark))
    return found
