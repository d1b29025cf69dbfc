"""What the tests share. They are offline, run on the CPU, and keep their prepared images out of the user's folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ[name] = "1"


def _real_data() -> Path | None:
    given = os.environ.get("DERMAGAN_TEST_DATA")
    folder = Path(given) if given else Path(__file__).parents[4] / "shared" / "data"
    archive = folder / "ham10000-200x150.zip"
    return archive if archive.is_file() else None


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of caches of this session."""
    folder = tmp_path_factory.mktemp("caches")
    for name in ("DERMAGAN_CACHE", "HF_HOME", "HF_DATASETS_CACHE"):
        os.environ[name] = str(folder / name.lower())
    return folder


@pytest.fixture(scope="session")
def dermagan(caches: Path):  # type: ignore[no-untyped-def]
    """Runs the command `dermagan` with these words, and returns its standard output."""

    def run(*words: str, **options: object) -> str:
        line = [sys.executable, "-m", "dermagan", *map(str, words)]
        done = subprocess.run(line, capture_output=True, text=True, **options)  # type: ignore[call-overload]
        assert done.returncode == 0, f"{' '.join(line)}\n{done.stdout}\n{done.stderr}"
        return str(done.stdout)

    return run


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The archive of HAM10000, if it is there."""
    archive = _real_data()
    if archive is None:
        pytest.skip("no ham10000-200x150.zip beside this clone or in DERMAGAN_TEST_DATA")
    return archive


@pytest.fixture
def real_data_or_phantom() -> str:
    """The archive of HAM10000 if it is there, else the built-in phantom."""
    return str(_real_data() or "phantom:600")
