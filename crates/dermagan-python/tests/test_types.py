"""The stubs are those of the module, and the package is typed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]


def run(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, cwd=PACKAGE)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_the_stubs_are_those_of_the_modules() -> None:
    run("mypy.stubtest", "--mypy-config-file", "pyproject.toml", "dermagan")


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_the_package_passes_a_strict_type_check() -> None:
    run("mypy", "--strict", "python/dermagan")


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_the_programs_of_the_readme_pass_a_strict_type_check(tmp_path: Path) -> None:
    import re

    snippets = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), flags=re.S)
    paths = []
    for number, code in enumerate(snippets):
        paths.append(str(tmp_path / f"snippet{number}.py"))
        Path(paths[-1]).write_text(code)
    assert len(paths) >= 5
    run("mypy", "--strict", "--config-file", "pyproject.toml", *paths)
    (tmp_path / "wrong.py").write_text("import dermagan\ndermagan.Generator.load().torch(2, clases=['nv'])\n")
    with pytest.raises(AssertionError, match="clases"):
        run("mypy", "--strict", "--config-file", "pyproject.toml", str(tmp_path / "wrong.py"))
