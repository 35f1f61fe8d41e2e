"""The programs as the black-box tests have them. BUILD_DIR names the build that is tested."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "blackbox")]

pytest_plugins = ["blackbox.conftest"]
