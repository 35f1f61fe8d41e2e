"""Loaded by schemathesis. JSON Schema takes 3.0 for an integer; pingpong reads numbers that are written in digits alone."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    if isinstance(case.body, dict):
        case.body = {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in case.body.items()}
