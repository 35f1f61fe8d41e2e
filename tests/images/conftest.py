"""IMAGE_PINGPONG, IMAGE_READER, IMAGE_WRITER and IMAGE_WITNESS name the images; by default, the last ones built."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from container import Image, Root
from harness.postgres import Cluster

NAMES = ("pingpong", "reader", "writer", "witness")


@pytest.fixture(scope="session")
def images() -> dict[str, Image]:
    return {name: Image(os.environ.get(f"IMAGE_{name.upper()}", f"log-pong/{name}:local")) for name in NAMES}


@pytest.fixture(scope="session", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def image(images: dict[str, Image], name: str) -> Image:
    return images[name]


@pytest.fixture(scope="session")
def root(image: Image) -> Iterator[Root]:
    with Root(image) as mounted:
        yield mounted


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running
