"""`python -m motet`."""

from motet.cli.main import main

main()
