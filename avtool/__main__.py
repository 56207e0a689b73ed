"""`python -m avtool` is `avtool`."""

from avtool.cli import main

main()
