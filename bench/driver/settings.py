"""Settings from the environment."""

import os

from .errors import BenchError


def whole_number(name: str, default: int, lowest: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not lowest <= int(text) <= 3600:
        raise BenchError(f"{name}={text!r} is not a whole number from {lowest} to 3600")
    return int(text)
