"""Write what docs/live.md has from the code: its tables, and a conversation that took place.

.venv/bin/python scripts/live_page.py            the tables, from the classes of motet.protocol
.venv/bin/python scripts/live_page.py --record   and the transcript, of a server started for it
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from websockets.sync.client import ClientConnection, connect

from motet.protocol import client_events, knobs, server_events

PAGE = Path(__file__).parent.parent / "docs" / "live.md"
OBJECTS: list[type[BaseModel]] = [
    server_events.ChannelInfo, server_events.Limits, server_events.RowFrame,
    knobs.SettingsChange, knobs.SettingsEcho, knobs.KnobsChange, knobs.Knobs,
]  # fmt: skip
MOST_ROWS_EVENTS = 2


def events_of(union: Any) -> tuple[type[BaseModel], ...]:
    """The classes of ClientEvent or ServerEvent, in the order in which they stand there."""
    return get_args(get_args(union)[0])


def type_of(event: type[BaseModel]) -> str:
    """The `type` of an event's class."""
    return str(event.model_fields["type"].default)


def table(classes: Iterable[type[BaseModel]]) -> str:
    """A Markdown table: a class a line, its fields but those that all events have, its meaning."""
    lines = ["| name | fields | meaning |", "|---|---|---|"]
    for cls in classes:
        schema = cls.model_json_schema()
        required = schema.get("required", ())
        common = {"type", *cls.__mro__[1].model_fields}
        fields = "<br>".join(
            f"`{name}` {_kind(value)}" + ("" if name in required else _usually(value))
            for name, value in schema.get("properties", {}).items()
            if name not in common
        )
        name = type_of(cls) if "type" in cls.model_fields else cls.__name__
        meaning = " ".join((cls.__doc__ or "").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {fields} | {meaning} |")
    return "\n".join(lines)


def _kind(schema: dict[str, Any]) -> str:
    """A JSON schema in a word or two."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"[{_kind(schema['items'])}, ...]"
    if "additionalProperties" in schema:
        return f"{{name: {_kind(schema['additionalProperties'])}}}"
    return {"null": "null", "boolean": "true or false"}.get(schema["type"], schema["type"])


def _usually(schema: dict[str, Any]) -> str:
    """What an optional field is when it is left out."""
    default = schema.get("default")
    is_plain = default is not None and not isinstance(default, dict)
    return f", else `{json.dumps(default)}`" if is_plain else ", optional"


def tables() -> dict[str, str]:
    """Name of a part of the page -> its table."""
    return {
        "client events": table(events_of(client_events.ClientEvent)),
        "server events": table(events_of(server_events.ServerEvent)),
        "objects": table(OBJECTS),
    }


def record() -> str:
    """Start a server, talk with it, and write down both sides, a line a frame."""
    command = [sys.executable, "-m", "motet", "serve", "--port", "0", "--journal", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1].replace("http", "ws") + "/v1/live"
            return "\n".join(_shortened(_converse(url)))
        finally:
            server.terminate()


def _converse(url: str) -> Iterator[str]:
    """Queue, read, interrupt, a lost connection, resume, the end; yields what either side said."""
    last_seq = 0

    def say(socket: ClientConnection, **event: Any) -> str:
        frame = json.dumps(event)
        socket.send(frame)
        return f"> {frame}"

    def hear_until(socket: ClientConnection, wanted: str, nth: int = 1) -> Iterator[str]:
        nonlocal last_seq
        while nth:
            frame = socket.recv(timeout=30)
            assert isinstance(frame, str)
            event = server_events.read_server_event(frame)
            if event.type not in ("metrics", "session.created"):
                last_seq = event.seq
            nth -= event.type == wanted
            if event.type == "session.created":
                token.append(event.resume_token)
            yield f"< {frame}"

    token: list[str] = []
    with connect(url, compression=None) as socket:
        yield say(socket, type="session.create", settings={"seed": 4, "pace": 20})
        yield from hear_until(socket, "session.updated")
        yield say(socket, type="input.append", text="What is 12 + 30?", event_id="first")
        yield from hear_until(socket, "rows", 3)
        yield say(socket, type="input.append", text="And twice that?", event_id="second")
        yield from hear_until(socket, "input.queued")
        yield say(socket, type="interrupt", text="Wait. What is 7 + 5?", event_id="third")
        yield from hear_until(socket, "input.queued")
        yield from hear_until(socket, "rows", 4)
        socket.socket.close()  # without a word
    yield "# the connection is lost; a new one:"
    with connect(url, compression=None) as socket:
        yield say(socket, type="session.resume", token=token[0], after_seq=last_seq)
        yield from hear_until(socket, "turn.ended")
        yield say(socket, type="close", delete=True)
        yield from hear_until(socket, "session.closed")


def _shortened(lines: Iterable[str]) -> Iterator[str]:
    """The lines, of which of many `rows` and `input.read` on end only the first are kept."""
    num_seen = num_left_out = 0
    for line in lines:
        is_frequent = re.match(r'< \{[^{]*"type": ?"(rows|input\.read|metrics)"', line)
        is_last = '"is_done":true' in line
        num_seen = num_seen + 1 if is_frequent else 0
        if num_seen > 2 * MOST_ROWS_EVENTS and not is_last:
            num_left_out += 1
            continue
        if num_left_out:
            yield f"# {num_left_out} frames like these"
            num_left_out = 0
        yield line


def filled(page: str, parts: dict[str, str]) -> str:
    """The page with each part put between its two marks."""
    for name, text in parts.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        assert begin in page, name
        assert end in page, name
        head, _, rest = page.partition(begin)
        page = f"{head}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    return page


def main() -> None:
    """Write the page anew."""
    parts = tables()
    if "--record" in sys.argv[1:]:
        parts["transcript"] = f"```\n{record()}\n```"
    PAGE.write_text(filled(PAGE.read_text("utf-8"), parts), "utf-8")


if __name__ == "__main__":
    main()
