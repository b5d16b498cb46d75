"""Calculations in running text: read where it is sure what is meant, and judged exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from motet.data.verify.claims import Claim, find_claims

Node = tuple[str, Fraction]


def only(text: str) -> Claim:
    (claim,) = find_claims(text)
    return claim


@pytest.mark.parametrize(
    "text",
    [
        "48/2 = 24 clips in May",
        "she sold 48+24=72 clips",
        "2 x 3 = 6", "2x3=6", "3 × 4 = 12", "12 ÷ 4 = 3", "10 − 4 = 6", "10 – 4 = 6",
        "6 times 7 equals 42", "12 divided by 4 = 3", "3 plus 4 = 7",
        "$1,200 / 3 = $400.", "0.2*50=10", ".5 * 4 = 2", "2/4 = 0.5", "¾ x 4 = 3",
        "(3+4)*2=14", "2(3+4) = 14", "((2)) + 3 = 5", "-5 + 3 = -2", "2 - -3 = 5",
        "2^10 = 1024", "2**3 = 8", "20 - 3 - 4 = 13", "24/4/3 = 2", "2 + 3*4 = 14",
        "20% of 50 = 10", "20% * 50 = 10", "50/200*100=25%", "50/200 = 25%", "1/2 of 10 = 5",
        "100% - 20% = 80%",
        "5 apples + 3 apples = 8 apples", "300 miles + 160 miles = 460 miles together",
        "200 GB / 2 GB/minute = 100 minutes", "80 miles/train * 2 trains = 160 miles",
        "8/3 = 2 r2", "8/3=2 R2", "8 / 3 = 2 remainder 2",
        "147*6: 7*6=42 -> 882", "42 = 40 + 2", "Total: 6 = 2*3", "3+4 = 2+5",
        "- 5 + 3 = 8", "* 5 + 3 = 8", "1) 5 + 3 = 8", "1. 5 + 3 = 8", "**12 + 3 = 15**",
        "10/4 ≈ 2.5", "10/4 = about 2.5", "a total of 3*4 = 12", "increased by 30/100*180 = 54",
        "so 5 - 3 = 2 - that is it", "3*2 = 6-page letters", "24 * 5 = 120 apples/box",
    ],
)  # fmt: skip
def test_what_is_right(text: str) -> None:
    assert [claim.verdict.value for claim in find_claims(text)] in (["right"], ["right", "right"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 + 4 = 8", 7),
        ("48/2 = 25 clips", 24),
        ("2x3=7", 6),
        ("20% * 50 = 1000", 10),
        ("10/4 = 2", Fraction(5, 2)),
        ("8/3 = 2 r1", 2),
        ("8/3 = 1 r5", 2),
        ("147*6: 1*2=2 -> 883", 882),
        ("3 boxes * 4 apples = 13", 12),
        ("60+10=90 times before he came", 70),
        ("2/3 = 0.7", None),
        ("1000 * 1000 = 1,000,001", 1_000_000),
        ("7 = 3 + 3", 6),
        ("1) 2+3=6", 5),
        ("5 sites x 5 birds/site = 45 different birds", 25),
        ("50€ - 25€ = 52€", 25),
        ("$8/card * 2 cards = $18", 16),
        ("17/3 = 5", Fraction(17, 3)),
        ("3 boys + 4 girls = 8 children", 7),
    ],
)
def test_what_is_wrong(text: str, expected: int | Fraction | None) -> None:
    claims = find_claims(text)
    if expected is None:
        assert [claim.verdict.value for claim in claims] == ["rounded"]
        return
    (claim,) = [claim for claim in claims if claim.verdict.value == "wrong"]
    assert claim.expected == expected


@pytest.mark.parametrize(
    "text",
    ["10 / 3 = 3.33", "2/3 = 0.66", "2/3 = 0.67", "1/3 = 33.3%", "10/3 ≈ 3", "22/7 = about 3"],
)
def test_what_is_rounded(text: str) -> None:
    assert only(text).verdict.value == "rounded"


@pytest.mark.parametrize(
    "text",
    [
        "7 = 7", "x = 5", "Day 2 = 3 * 4", "2x + 3 = 13", "4 + x = 9", "= 12",
        "half of 10 + 2 = 7", "twice 5 + 1 = 11", "sqrt(16) = 5", "f(3) + 1 = 9", "5! = 120",
        "2 hours + 30 minutes = 150 minutes", "25 cents * 4 = $1", "3 dozen + 2 = 38",
        "3 1/2 = 3.5", "if a == 3*4", "a <= 3*4", "5/0 = 0", "9^99999 = 1", "3 < 4 = 5",
        "apples - 5 + 3 = 8", "(1/2) 278 + 11 = 150", "32 / 96 * 100% = 33.3",
        "1.2 x 100% = 120", "2/3 = 40 apples", "75 = (3/2)s", "25 / 1/3 = 75",
        "8 batches = 5.5 * 8", "180 minutes / 60 = 2 hours",
        "The answer is 12.", "at 5:30 = late", "3 + = 4", "1+1=", "=", "->", "a: b -> c", ": -> 5",
    ],
)  # fmt: skip
def test_where_it_is_not_sure_what_is_meant_nothing_is_judged(text: str) -> None:
    assert find_claims(text) == []


def test_chains_are_judged_link_by_link() -> None:
    claims = find_claims("147*6: 7*6=42, 4*6+4=24+4=29, 1*6+2=8 -> 882")
    wrong = [c for c in claims if c.verdict.value == "wrong"]
    assert [(c.expected, c.results[0].value) for c in wrong] == [(28, 29)]
    assert len(claims) == 5


def test_annotations_are_read_and_do_not_disturb() -> None:
    text = "Weng earns 12/60 = $<<12/60=0.2>>0.2 a minute.\nIn 50: 0.2 x 50 = $<<0.2*50=11>>11."
    claims = find_claims(text)
    assert [c.verdict.value for c in claims] == ["right", "right", "wrong", "wrong"]
    assert text[claims[1].start : claims[1].end] == "12/60=0.2"


def test_where_a_claim_stands_and_what_it_is_made_of() -> None:
    text = "First.\nSo 1,200 / 3 = 400 each"
    claim = only(text)
    assert text[claim.start : claim.end] == "1,200 / 3 = 400"
    assert [(text[o.start : o.end], o.value) for o in claim.operands] == [("1,200", 1200), ("3", 3)]
    assert [(text[r.start : r.end], r.value) for r in claim.results] == [("400", 400)]


def _numbers() -> st.SearchStrategy[Node]:
    whole = st.integers(0, 9_999).map(lambda n: (str(n), Fraction(n)))
    grouped = st.integers(1_000, 9_999_999).map(lambda n: (f"{n:,}", Fraction(n)))
    decimal = st.decimals(0, 999, places=2).map(lambda d: (str(d), Fraction(d)))
    return st.one_of(whole, grouped, decimal)


def _binary(parts: tuple[Node, str, Node]) -> Node:
    (left, a), sign, (right, b) = parts
    if sign == "/" and b == 0:
        sign = "+"
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else Fraction(0)}[sign]
    return f"({left} {sign} {right})", value


expressions = st.recursive(
    _numbers(),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(_binary),
    max_leaves=6,
)


@given(
    expressions, st.integers(-3, 3), st.sampled_from(["{} = {}", "So {}={} apples", "{}\t=  {}."])
)
def test_any_expression_is_valued_exactly(node: Node, error: int, frame: str) -> None:
    text, value = node
    assume("(" in text)
    assume(value.denominator == 1 and value + error >= 0)
    assume(not error or "/" not in text)  # divisions that do not fit may be meant otherwise
    claim = only(frame.format(text, value.numerator + error))
    assert claim.verdict.value == ("wrong" if error else "right")
    assert claim.expected == value


@given(st.text(st.sampled_from("0123456789+-*/=().,%$x→>< r:abc\n<>^½"), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    for claim in find_claims(text):
        assert 0 <= claim.start < claim.end <= len(text)
        for number in (*claim.operands, *claim.results):
            assert claim.start <= number.start < number.end <= claim.end


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000 + "1 = 1",
        "1+" * 5_000 + "1 = 5001",
        "9" * 10_000 + "+1=2",
        "1-" * 200 + "1=2 " * 200,
        "2^20^20^20 = 1",
        "1 = " + "-" * 5_000 + "1",
        "4 = 2^" + "1^" * 5_000 + "2",
        "1 + 1 = " + "(" * 5_000 + "2",
        "5 = " + "1 + " * 5_000 + "1",
    ],
)
def test_huge_texts_end_soon(text: str) -> None:
    assert len(find_claims(text)) <= 400
