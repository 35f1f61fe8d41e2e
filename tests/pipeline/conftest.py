import shutil

import pytest
from bumping import ConfigRepository, SourceRepository, kustomize


def pytest_configure():
    if not shutil.which(kustomize()):
        raise pytest.UsageError("no kustomize: `make pipeline-tools` builds one, or name it in KUSTOMIZE")


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    return SourceRepository(tmp_path_factory.mktemp("source") / "repo", 8)


@pytest.fixture
def config(tmp_path):
    return ConfigRepository(tmp_path / "config.git")
