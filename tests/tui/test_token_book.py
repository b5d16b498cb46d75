"""Tokens are for their owner's eyes, and several processes may write them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from motet.cli.token_book import TokenBook
from motet.errors import JournalError
from motet.tui.venue import Kept


def kept(name: str, changed_s: float = 1.0) -> Kept:
    return Kept(name, f"token-{name}", "a title", "model", changed_s, 3)


def test_what_was_kept_is_there_newest_first(tmp_path: Path) -> None:
    book = TokenBook(tmp_path / "deep" / "tokens.sqlite")
    assert book.all("here") == ()
    book.keep("here", kept("a", 1.0))
    book.keep("here", kept("b", 2.0))
    book.keep("there", kept("c"))
    book.keep("here", kept("a", 3.0))
    assert book.all("here") == (kept("a", 3.0), kept("b", 2.0))
    book.forget("here", "a")
    assert book.all("here") == (kept("b", 2.0),)
    assert b"token-a" not in (tmp_path / "deep" / "tokens.sqlite").read_bytes()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "tokens.sqlite"
    TokenBook(path).keep("here", kept("a"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_many_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens.sqlite"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: TokenBook(path).keep("here", kept(str(n))), range(24)))
    assert len(TokenBook(path).all("here")) == 24


def test_another_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "tokens.sqlite"
    path.write_text("not a database, and long enough to be told from an empty one")
    with pytest.raises(JournalError, match="expected a list of tokens"):
        TokenBook(path).all("here")
