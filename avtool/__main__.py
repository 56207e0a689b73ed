"""`python -m avtool` and `avtool`: the program, from its first line to its last."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Import the program, which takes a while, and run it.

    Until it stands, nothing is there to be put in order: a signal ends it at once, without a word.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(130))
    try:
        from avtool import stderr
        from avtool.app import main as program
    except (ImportError, MemoryError, OSError) as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        sys.exit(f"avtool: cannot start ({words}); free memory, or install avtool anew")
    if not {"-v", "--verbose", "--debug"} & set(sys.argv):
        stderr.hush()
    program()


if __name__ == "__main__":
    main()
