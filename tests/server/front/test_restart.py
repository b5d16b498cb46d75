"""A server is stopped and started again on its journal: what it tells of before is as it was."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection

from tests.server.front.conftest import Serve, hear, say

PACE, MAX_ROWS = 20.0, 40
AWAY_S = 2.0


def resume(socket: ClientConnection, token: str, after_seq: int = 0) -> dict[str, Any]:
    say(socket, type="session.resume", token=token, after_seq=after_seq)
    return hear(socket, "session.created")


def test_forks_are_told_again_with_their_tokens(serve: Serve, tmp_path: Path) -> None:
    """Also what was said before a session was copied; the tokens themselves are not in the file."""
    journal = tmp_path / "journal"
    first = serve(journal=journal)
    with first.connect() as socket:
        say(socket, type="session.create", settings={"max_rows": 20})
        token = hear(socket, "session.created")["resume_token"]
        say(socket, type="input.append", text="Hello.")
        hear(socket, "turn.ended")
        say(socket, type="fork")
        forks = [hear(socket, "session.forked")]
        say(socket, type="fork")
        forks.append(hear(socket, "session.forked"))
    first.stop()
    assert forks[0]["resume_token"] != forks[1]["resume_token"]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    second = serve(journal=journal)
    for _ in range(2):  # from the journal, and from a session that is in memory
        with second.connect() as socket:
            resume(socket, token)
            assert [hear(socket, "session.forked") for _ in forks] == forks
    for fork in forks:
        assert fork["resume_token"].encode() not in written
        with second.connect() as socket:
            assert resume(socket, fork["resume_token"])["session_id"] == fork["session_id"]
            hear(socket, "turn.ended")
            if fork is forks[1]:  # it can't open its sibling: that one is its parent's
                past = hear(socket, "session.forked")
                assert (past["session_id"], past["resume_token"]) == (forks[0]["session_id"], "")


def test_a_turn_counts_its_seconds_and_not_those_of_the_server(
    serve: Serve, tmp_path: Path
) -> None:
    """The server stops twice in the middle of a turn that is held to a pace."""
    settings = {"max_rows": MAX_ROWS, "quiet_rows": 100, "mute_rows": 100, "pace": PACE}
    server = serve(journal=tmp_path / "journal", drain_s=0.0)
    with server.connect() as socket:
        say(socket, type="session.create", settings=settings)
        token = hear(socket, "session.created")["resume_token"]
        say(socket, type="hold")  # or the turn might end by itself
        say(socket, type="input.append", text="Hello.")
        began_s, away_s = hear_rows(socket, 12), 0.0
    for num_rows in (24, None):
        server.stop()
        stopped_s = time.monotonic()
        time.sleep(AWAY_S)
        server = serve(journal=tmp_path / "journal", drain_s=0.0)
        with server.connect() as socket:
            seen = resume(socket, token)["seq"]
            away_s += time.monotonic() - stopped_s
            if num_rows is not None:
                hear_rows(socket, num_rows)
                continue
            told = hear(socket, "turn.ended")
    in_all_s = time.monotonic() - began_s
    assert told["seq"] > seen
    assert (told["reason"], told["rows"]) == ("max_rows", MAX_ROWS)
    # a stop may cost the pauses before its last rows and the next; counted anew it were 16 rows
    assert told["seconds"] >= (MAX_ROWS - 8) / PACE
    assert told["seconds"] <= in_all_s - 0.9 * away_s


def hear_rows(socket: ClientConnection, num_rows: int) -> float:
    """Listen until the session has so many rows; when the turn began."""
    began_s = time.monotonic()
    while hear(socket, "rows")["row"] < num_rows:
        pass
    return began_s
