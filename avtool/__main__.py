"""`python -m avtool` is `avtool`."""

from avtool.app import main

main()
