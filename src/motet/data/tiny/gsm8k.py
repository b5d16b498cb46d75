"""Templates out of GSM8K: problems as people phrase them, with numbers that can be drawn anew.

    Q: John buys a box of {a} light bulbs. He uses {b} and then gives away half of the rest ...
    S: a - b; r1 / 2
    R: a 13-120, b 5-48

The training split of GSM8K (Cobbe et al., arXiv:2110.14168; MIT licence) annotates every
calculation of its solutions as `<<40-16=24>>`. A problem becomes a template if it has one to three
steps on whole numbers and each operand is, without doubt, a number of the question, an earlier
result, or a constant that a word of the question stands for ("half", "dozen"). The test split is
never read.

    python -m motet.data.tiny.gsm8k train.jsonl > src/motet/data/tiny/templates/gsm8k.txt
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

from motet.data.tiny.number_words import in_words
from motet.data.tiny.operands import draw_numbers
from motet.data.tiny.templates import Template, TemplateError, parse_templates

__all__ = ["templates_of"]

_MAX_WORDS = 40
_MAX_NUMBER = 999
_LETTERS = "abcde"
_VALUE_OF_WORD = {in_words(n): n for n in range(2, 21)}
_NUMBER = re.compile(rf"\d+|\b(?:{'|'.join(_VALUE_OF_WORD)})\b", re.IGNORECASE)
_CALCULATION = re.compile(r"<<([^=<>]+)=([^<>]+)>>")
_STEP = re.compile(r"\s*(\d+)\s*([-+*/x])\s*(\d+)\s*")
_NOT_WHOLE = re.compile(r"\d[./:,]\d|%|\d(?:st|nd|rd|th)\b|[\[\]{}|]")
_CONSTANTS = {
    2: r"\b(?:half|twice|doubles?|doubled|pairs?|couple|both)\b",
    3: r"\b(?:third|triples?|tripled|thrice)\b",
    4: r"\b(?:quarters?|fourth)\b",
    7: r"\bweeks?\b",
    12: r"\b(?:dozens?|years?)\b",
    60: r"\b(?:hours?|minutes?)\b",
    100: r"\b(?:centimeters?|meters?)\b",
}


def templates_of(lines: Iterator[str]) -> Iterator[str]:
    """Template blocks, as text, of the problems in JSON `lines` that qualify."""
    for line in lines:
        problem = json.loads(line)
        block = _block(problem["question"], problem["answer"])
        if block is not None and _can_be_drawn(block):
            yield block


def _block(question: str, answer: str) -> str | None:
    calculations = _CALCULATION.findall(answer)
    question = " ".join(question.replace("’", "'").split())
    final = answer.partition("####")[2]
    if not 1 <= len(calculations) <= 3 or len(question.split()) > _MAX_WORDS:
        return None
    if _NOT_WHOLE.search(question) or not question.isascii():
        return None
    found = [(m, _value(m[0])) for m in _NUMBER.finditer(question)]
    values = [value for _, value in found]
    names: dict[int, str] = {}
    steps, results = [], list[int]()
    for expression, result in calculations:
        match = _STEP.fullmatch(expression.replace("$", ""))
        if not match or not result.isdigit():
            return None
        operands = []
        for text in (match[1], match[3]):
            operand = _operand(int(text), values, results, names, question)
            if operand is None:
                return None
            operands.append(operand)
        steps.append(f"{operands[0]} {match[2].replace('x', '*')} {operands[1]}")
        results.append(int(result))
    if str(results[-1]) != final.strip() or not names:
        return None
    text, end = "", 0
    for match, value in found:
        if value in names:
            slot = names[value] if match[0].isdigit() else f"{names[value]}:w"
            text += f"{question[end : match.start()]}{{{slot}}}"
            end = match.end()
    in_words_too = {value for match, value in found if not match[0].isdigit()}
    ranges = ", ".join(
        f"{n} {_range(v, 20 if v in in_words_too else 999)}" for v, n in names.items()
    )
    return (
        f"Q: {text}{question[end:]}\nS: {'; '.join(steps)}\n"
        f"A: The answer is {{ans}}.\nR: {ranges}\n"
    )


def _value(text: str) -> int:
    return int(text) if text.isdigit() else _VALUE_OF_WORD[text.lower()]


def _operand(
    number: int, values: list[int], results: list[int], names: dict[int, str], question: str
) -> str | None:
    """What `number` is in a step: a letter, a result, a constant; None if that is in doubt."""
    in_question, in_results = values.count(number), results.count(number)
    pattern = _CONSTANTS.get(number)
    is_constant = pattern is not None and bool(re.search(pattern, question, re.IGNORECASE))
    if in_results + in_question + is_constant != 1:
        return None
    if in_results:
        return f"r{results.index(number) + 1}"
    if in_question:
        if number > _MAX_NUMBER or (number not in names and len(names) == len(_LETTERS)):
            return None
        return names.setdefault(number, _LETTERS[len(names)])
    return str(number)


def _range(value: int, highest: int) -> str:
    """Numbers of about the same size."""
    return "2-9" if value < 10 else f"{max(value // 3, 5)}-{min(value * 3, highest)}"


def _can_be_drawn(block: str) -> bool:
    try:
        template: Template = parse_templates(block, "gsm8k")[0]
        for seed in range(20):
            draw_numbers(template, Random(seed))
    except TemplateError:
        return False
    return True


if __name__ == "__main__":
    print("# Derived from the training split of GSM8K (MIT licence); see motet.data.tiny.gsm8k.\n")
    with Path(sys.argv[1]).open(encoding="utf-8") as file:
        print("\n".join(templates_of(file)))
