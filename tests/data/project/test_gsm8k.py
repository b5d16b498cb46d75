"""GSM8K on four channels: a problem set in full, and what must hold of any."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest

from motet.data.project.corpus import Entry
from motet.data.project.gsm8k import GSM8KProjection
from motet.data.project.projecting import LeftOut
from motet.data.project.sheet import LAG
from motet.data.project.solution import Line, falsified, read_solution
from motet.data.table import Cell, Table
from motet.errors import DataError

CLIPS = {
    "question": "Ann has 6 clips and buys 2 boxes of 4. How many are there?",
    "answer": "She buys 2*4 = <<2*4=8>>8 clips.\nNow there are 6+8 = <<6+8=14>>14.\n#### 14",
}
PRICES = {
    "question": "A bike costs $1,200. Bo saves $50 a week and has $200. How many weeks?",
    "answer": "He needs 1200-200=$<<1200-200=1000>>1,000.\nHe saves at once.\n"
    "That takes 1000/50=<<1000/50=20>>20 weeks, half is 20/2=<<20/2=10>>10.\n#### 20",
}
NUMBER = re.compile(r"(?:\d*\.)?\d+")


def project(problem: dict[str, str], planted: float = 0.0, seed: int = 0) -> Table:
    return GSM8KProjection(planted, seed)(Entry(problem, "train-1", "train.jsonl: line 1"))


def spoken(table: Table) -> list[str]:
    """The rows as text, from where the User has ended."""
    lines = []
    for row in table.rows:
        texts = [("" if c is None else c.text.replace("\n", "|") + "$" * c.end) for c in row]
        lines.append(f"{texts[1]:9}{texts[2]:8}{texts[3]}".rstrip())
    return lines[next(r for r, row in enumerate(table.rows) if row[0] and row[0].end) + 1 :]


def test_steps_are_checked_one_step_behind() -> None:
    table = project(CLIPS)
    assert table.messages("User") == [CLIPS["question"]]
    assert spoken(table) == [
        "",
        "         She",
        "          buys",
        "          2*4",
        "          =",
        "          8",
        "          clips.",
        "         |Now    2*4=8",
        "          there   ok",
        "          are",
        "          6+8",
        "          =",
        "          14.",
        "",
        "                 |6+8=14",
        "                  ok",
        "",
        "The      $",
        " answer",
        " is              $",
        " 14.$",
        "",
        "",
    ]
    assert table.meta == {"source": "gsm8k", "question": CLIPS["question"], "answer": "14"}


def test_a_planted_mistake_is_objected_to_and_corrected() -> None:
    table = next(t for s in range(50) if _first_wrong_row(t := project(CLIPS, 1.0, s)) < 22)
    wrong = table.rows[table.meta["planted"][0]][2]
    assert wrong is not None
    text = wrong.text
    assert spoken(table)[:19] == [
        "",
        "         She",
        "          buys",
        "          2*4",
        "          =",
        f"         {text}",
        "          clips.",
        "         |Now    2*4=8",
        "          there   no",
        "          are",
        "         |No:",
        "          She",
        "          buys",
        "          2*4",
        "          =",
        "          8",
        "          clips.",
        "         |Now    |2*4=8",
        "          there   ok",
    ]
    row = table.meta["planted"][0]
    assert table.meta["unlearned"] == [["Think", row, row]]


def _first_wrong_row(table: Table) -> int:
    return int(table.meta["planted"][0])


@pytest.mark.parametrize("problem", [CLIPS, PRICES])
@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_known_before_it_was_said(problem: dict[str, str], seed: int) -> None:
    check_causality(project(problem, 1.0, seed))
    check_causality(project(problem, 0.0, seed))


def check_causality(table: Table) -> None:
    """Numbers of Output and Skeptical were said elsewhere LAG rows before, or are their own sums;
    a verdict comes LAG rows after the number that it is about; nobody talks on after a verdict
    that it needs."""
    said_elsewhere: dict[float, int] = {}
    for r, row in enumerate(table.rows):
        for c, cell in enumerate(row):
            if cell is None:
                continue
            for number in map(float, NUMBER.findall(cell.text.replace(",", ""))):
                if c in (0, 2):
                    said_elsewhere.setdefault(number, r)
                elif c == 1 or "=" not in cell.text:
                    assert said_elsewhere[number] + LAG <= r
    verdicts = [r for r, row in enumerate(table.rows) if row[3] and row[3].text in (" ok", " no")]
    output = next(r for r, row in enumerate(table.rows) if row[1])
    assert verdicts[-1] + LAG <= output
    for planted in table.meta.get("planted", []):
        objection = next(r for r in verdicts if table.rows[r][3].text == " no")  # type: ignore[union-attr]
        correction = next(r for r, row in enumerate(table.rows) if row[2] and "No:" in row[2].text)
        assert planted + LAG < objection
        assert objection + LAG <= correction
        between = [row[2].text for row in table.rows[planted + 1 : correction] if row[2]]
        assert not any(NUMBER.search(text) for text in between)


def test_the_check_of_causality_can_fail() -> None:
    table = project(CLIPS, 1.0, 1)
    early = [row[3] for row in table.rows[3:]] + [None] * 3
    rows = tuple((*row[:3], cell) for row, cell in zip(table.rows, early, strict=True))
    with pytest.raises(AssertionError):
        check_causality(Table(table.id, table.channels, rows, table.meta))


@pytest.mark.parametrize("seed", range(30))
def test_who_is_right_says_so(seed: int) -> None:
    """Every step that Think said is judged, ok if it is exact and no if not, and ends right."""
    table = project(PRICES, 0.7, seed)
    (think,) = [" ".join(table.messages("Think"))]
    checks = "".join(cell.text for cell in table.column("Skeptical") if cell).splitlines()
    assert all(re.fullmatch(r"[\d+*/-]+=\d+ (ok|no)", check) for check in checks)
    for check in checks:
        left, right = check.split()[0].split("=")
        assert eval(left) == int(right)
    num_wrong = sum(check.endswith("no") for check in checks)
    assert num_wrong == len(table.meta.get("planted", []))
    assert [c for c in checks if c.endswith("ok")][-1].startswith("20/2=10")
    assert "1000/50=20 weeks" in think.replace(" 1000", "1000")


def test_a_result_that_is_said_before_its_step_is_not_falsified() -> None:
    answer = "It is 8 since 2*4=<<2*4=8>>8.\nThen 8+1=<<8+1=9>>9.\n#### 9"
    for seed in range(20):
        table = project({"question": "?", "answer": answer}, 1.0, seed)
        (row,) = table.meta["planted"]
        assert table.messages("Think")[0].count("2*4=8") == 1
        assert table.rows[row][2] not in (None, Cell(" 8+1=9."))


def test_the_same_seed_the_same_table() -> None:
    assert project(PRICES, 0.5, 3) == project(PRICES, 0.5, 3)
    assert len({str(project(PRICES, 1.0, seed).rows) for seed in range(8)}) > 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("It is 14.\n#### 14", "no annotated step"),
        ("That is <<14=14>>14.\n#### 14", "no annotated step"),
        ("2+2=<<2+2=5>>5\n#### 5", "a wrong step"),
        ("x=<<2y=5>>5\n#### 5", "a step that is no arithmetic"),
        ("2+2=<<2+2=4>>4\n#### 5", "an answer that no line arrives at"),
        ("2+2=<<2+2=4>>4\n#### many", "an answer that no line arrives at"),
        ("2+2=<<2+2=4>>four\n#### 4", "a step whose result is not said after it"),
        ("2+2=<<2+2=4>>44\n#### 4", "a step whose result is not said after it"),
    ],
)
def test_what_cannot_be_checked_is_left_out(answer: str, reason: str) -> None:
    with pytest.raises(LeftOut, match=reason):
        project({"question": "?", "answer": answer})


@pytest.mark.parametrize(
    ("problem", "named"),
    [
        ({"question": "?", "answer": "It is 14."}, "line 1: answer"),
        ({"question": "?", "answer": "14 ####"}, "line 1: answer"),
        ({"question": " ", "answer": "#### 1"}, "line 1: question"),
        ({"answer": "#### 1"}, "line 1: question"),
        ({"question": "?", "answer": 7}, "line 1: answer"),
    ],
)
def test_what_is_malformed_is_named(problem: dict[str, str], named: str) -> None:
    with pytest.raises(DataError, match=named):
        project(problem)


@pytest.mark.parametrize("result", ["24", "7", "1,000", "0.25", "130,000", "10"])
@pytest.mark.parametrize("seed", range(10))
def test_a_slip_is_another_number_written_alike(result: str, seed: int) -> None:
    plain = result.replace(",", "")
    solution = read_solution(f"x {plain}+0 = <<{plain}+0={plain}>>{result} y\n#### {plain}", "here")
    (place,) = falsified(solution.lines[0], 0, Random(seed)).places
    line: Line = falsified(solution.lines[0], 0, Random(seed))
    said = line.text[place.start : place.stop]
    assert line.text == f"x {plain}+0 = {said} y"
    assert not place.step.is_right
    assert float(said.replace(",", "")) != float(plain)
    assert ("," in said) == ("," in result)
    assert len(said) - len(result) in (-1, 0, 1)


def test_ours_is_what_the_files_have(tmp_path: Path) -> None:
    """A file as the corpus has it, one problem a line."""
    from motet.data.project.projecting import begin_projecting
    from motet.data.spread import spread

    file = tmp_path / "train.jsonl"
    file.write_text("\n".join(json.dumps(problem) for problem in (CLIPS, PRICES, CLIPS)))
    begun = begin_projecting([file], tmp_path / "d", GSM8KProjection(), 2)
    done = spread(*begun)
    assert [shard.num_conversations for shard in done.shards] == [2, 1]
