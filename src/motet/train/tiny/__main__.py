"""`python -m motet.train.tiny CONFIG FOLDER`: train, or go on training, in FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from motet.errors import MotetError, SettingError
from motet.train.tiny.config import read_config
from motet.train.tiny.loop import train


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    try:
        if len(arguments) != 2:
            raise SettingError("arguments", expected="CONFIG FOLDER", got=" ".join(arguments))
        config, folder = (Path(argument) for argument in arguments)
        train(read_config(config), folder)
    except MotetError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
