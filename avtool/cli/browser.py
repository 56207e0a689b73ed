"""The user's browser."""

from __future__ import annotations

import os
import sys
import webbrowser


def opened(address: str) -> bool:
    """Open a page in it, and whether that could be done; none in the terminal takes it over."""
    seen = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    return seen and webbrowser.open(address)
