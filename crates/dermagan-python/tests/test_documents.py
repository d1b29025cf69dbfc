"""The snippets of the documentation run, and so does the notebook."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = Path(__file__).parents[1]


def snippets(path: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", path.read_text(), flags=re.S)


@pytest.mark.parametrize("number", range(len(snippets(PACKAGE / "README.md"))))
def test_a_snippet_of_the_packages_readme_runs(number: int, work: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = snippets(PACKAGE / "README.md")[number]
    if "torch" in code:
        pytest.importorskip("torch")
    exec(compile(code, f"README.md, snippet {number + 1}", "exec"), {"__name__": "snippet"})


def test_the_snippets_of_the_projects_readme_run(work: Path) -> None:
    for code in snippets(ROOT / "README.md"):
        exec(compile(code.replace("HAM10000.zip", "phantom:300"), "README.md", "exec"), {"__name__": "snippet"})


def test_the_notebook_runs(work: Path, real_data_or_phantom: str) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    os.environ["DERMAGAN_NOTEBOOK_DATA"] = real_data_or_phantom
    notebook = nbformat.read(PACKAGE / "notebooks/rare_classes.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs may hold images of HAM10000"
    client = nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(work)}})
    client.execute()
    kept = os.environ.get("DERMAGAN_NOTEBOOK_OUT")
    if kept:
        nbformat.write(notebook, kept)
    images = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(images) >= 7
    assert any("text/html" in o.get("data", {}) and "KID" in str(o["data"]) for c in notebook.cells for o in c.get("outputs", []))
