"""`avtool status`: how far a run over a list is, as its journal says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from avtool.batch import journal
from avtool.batch.address import hidden, is_address
from avtool.cli.terminal import say
from avtool.errors import InputError, shown

MOST = 10  # reasons that are told to a person


def status(folders: list[str], *, check: bool, failed: bool, as_json: bool) -> int:
    """Tell of the runs in folders; returns the exit code, 0 also where inputs failed.

    Raises:
        InputError: a folder holds no journal.
        OutputError: a journal cannot be read, or a check not be written down.
    """
    for place in folders:
        found, folder = journal.journals(place), hidden(place)
        if not found:
            raise InputError(
                f"{folder}: holds no run over a list; --files LIST -o {folder} begins one"
            )
        for path in found:
            if check and (gone := journal.check(path, _there(place))):
                say.warning(f"{folder}: the files of {gone} inputs are gone; a rerun makes them")
            _tell(folder, path, failed, as_json)
    return 0


def _there(place: str) -> Callable[[str], bool]:
    """What tells whether a folder, or an address, has a file of a name."""
    if not is_address(place):
        return lambda name: os.path.lexists(Path(place, name))
    from avtool.batch import remote

    names = set(remote.everything(place.rstrip("/") + "/"))
    return names.__contains__


def _tell(folder: str, path: Path, failed: bool, as_json: bool) -> None:
    told = journal.told(path)
    if as_json:
        facts = {"folder": folder, **asdict(told), "left": told.left}
        if failed:
            facts["failures"] = [{"input": n, "error": why} for n, why in journal.failures(path)]
        say.data(json.dumps(facts))
        return
    left = "an unknown number" if told.left is None else f"{told.left:,}"
    shards = f" in {told.shards:,} shard{'s' * (told.shards > 1)}" if told.shards else ""
    counts = f"{told.done:,} done{shards}, {told.failed:,} failed, {left} left"
    say.data(shown(f"{folder}: avtool {told.command}: {counts}"))
    if failed:
        for name, why in journal.failures(path):
            say.data(shown(f"  {name}: {why}"))
        return
    reasons = list(told.reasons.items())
    for why, number in reasons[:MOST]:
        say.data(shown(f"  {number:>9,}  {why}"))
    if reasons[MOST:]:
        rest = sum(number for _, number in reasons[MOST:])
        say.data(f"  {rest:>9,}  for {len(reasons) - MOST} other reasons; --failed names each")
