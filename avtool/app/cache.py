"""`avtool cache`: what is kept of files that were looked at, and how to be rid of it."""

from __future__ import annotations

import json

from avtool import cache as kept
from avtool.cli.terminal import say
from avtool.errors import OutputError, shown


def cache(*, clear: bool, as_json: bool) -> None:
    """Tell where it is, how many entries it has and how large they are, after clearing it.

    Raises:
        OutputError: it cannot be read or cleared.
    """
    where = kept.folder()
    try:
        if clear:
            kept.clear()
        sizes = [each.st_size for each in kept.entries().values()]
    except OSError as error:
        doing = "cleared" if clear else "read"
        raise OutputError(
            f"{error.filename or where}: cannot be {doing} ({error.strerror}); "
            "AVTOOL_CACHE names another folder"
        ) from error
    if as_json:
        facts = {"folder": str(where), "entries": len(sizes), "bytes": sum(sizes)}
        say.data(json.dumps(facts | {"most_bytes": kept.MOST_BYTES}))
    else:
        count = "1 entry" if len(sizes) == 1 else f"{len(sizes)} entries"
        say.data(shown(f"{where}: {count}, {sum(sizes):,} of at most {kept.MOST_BYTES:,} bytes"))
