"""An ordinary chat model on a socket: from a directory, and from the file that it becomes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from motet.engine import Engine, StopReason
from motet.engine.marked import encode_marked
from motet.engine.opening import load
from motet.formats.convert import convert
from motet.formats.quantize import Quant
from tests.server.front.conftest import Served, hear, say, start

models = pytest.importorskip("tests.cli.models")

TEMPLATE = (
    "{% for m in messages %}<silence>{{ m.role }}\n{{ m.content }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<silence>assistant\n{% endif %}"
)
ENDS = [1, *range(40, 400, 10)]  # a random model comes upon one of them soon


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = models.write_stock(tmp_path_factory.mktemp("stock") / "model")
    (folder / "chat_template.jinja").write_text(TEMPLATE, "utf-8")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ENDS}), "utf-8")
    return folder


@pytest.fixture(scope="module")
def engine(directory: Path) -> Engine[Any]:
    return load(directory, runtime="native", threads=1)


@pytest.fixture(scope="module")
def served(engine: Engine[Any]) -> Iterator[Served]:
    served = start(engine, rate=0.0)
    yield served
    served.stop()


def rows_of_turn(served: Served, *texts: str) -> list[dict[str, Any]]:
    """Rows of a session in which these were said one after the other."""
    rows: list[dict[str, Any]] = []
    with served.connect() as socket:
        settings = {"seed": 3, "sampling": {"temperature": 1.0}}
        say(socket, type="session.create", settings=settings, system="brief")
        for text in texts:
            say(socket, type="input.append", text=text)
            while True:
                event = json.loads(socket.recv(timeout=30))
                rows += event.get("rows", []) if event["type"] == "rows" else []
                if event["type"] == "turn.ended":
                    assert event["reason"] == "end"
                    break
        say(socket, type="close")
        hear(socket, "session.closed")
    return rows


def test_what_is_read_is_what_the_template_writes(served: Served, engine: Engine[Any]) -> None:
    """The replies taken from the rows, the whole chat is written anew and compared."""
    rows = rows_of_turn(served, "hey", "and?")
    ids, said = [row["ids"][0] for row in rows], [not row["given"][0] for row in rows]
    expected = encode_marked("<silence>system\nbrief<end>\n", engine.codec)
    place = 0
    for text in ("hey", "and?"):
        expected += encode_marked(f"<silence>user\n{text}<end>\n<silence>assistant\n", engine.codec)
        assert ids[place : len(expected)] == expected[place:]
        reply = ids[len(expected) : [*said, False].index(False, len(expected))]
        assert set(reply[:-1]).isdisjoint(ENDS)
        assert reply[-1] in ENDS
        expected += reply
        place = len(expected)
        expected += encode_marked("\n", engine.codec)
    assert len(ids) == place


def test_the_converted_model_stops_where_the_directory_does(
    engine: Engine[Any], directory: Path, tmp_path: Path
) -> None:
    convert(directory, tmp_path / "model.gguf", Quant.F32)
    file = load(tmp_path / "model.gguf", threads=1)
    assert file.codec.end_ids == engine.codec.end_ids == set(ENDS)
    last = []
    for seed in range(6):
        settings = engine.settings(seed=seed, max_rows=200)
        replies = [one.ask("hey", settings) for one in (engine, file)]
        assert replies[0].stopped_by == StopReason.END
        assert replies[0].channels == replies[1].channels
        assert replies[0].rows == replies[1].rows
        session = file.open(settings, chat=file.new_chat())
        session.give("hey")
        file.finish([session])
        last.append(session.rows[-1].token_ids[0])
    assert set(last) - {1}, "only the first one has ended a reply"
