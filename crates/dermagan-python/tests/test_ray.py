"""Jobs on a Ray cluster of two nodes in this machine, one of which is lost while work is in flight."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import dermagan as dg

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

import dermagan.ray as dr  # noqa: E402


@pytest.fixture(scope="module")
def cluster(caches: Path) -> Iterator[Any]:
    """A head and a second node, with one CPU each."""
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    found.add_node(num_cpus=1, resources={"second": 1})
    ray.init(address=found.address, log_to_driver=False)
    yield found
    ray.shutdown()
    found.shutdown()


def _while_a_node_is_lost(work: Callable[[], Path], begun: Callable[[], bool], cluster: Any) -> Path:
    """Runs ``work``, and kills the second node when it has begun. Ray changes nodes in the main thread only."""
    with ThreadPoolExecutor(1) as threads:
        result = threads.submit(work)
        while not begun():
            assert not result.done(), result.result()
            time.sleep(0.05)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        cluster.add_node(num_cpus=1, resources={"second": 1})
        return result.result(timeout=300)


def _bytes(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_images_are_those_of_one_machine_though_a_node_is_lost(cluster: Any, dermagan: Any, work: Path) -> None:
    dermagan("sample", "shipped", "-n", "600", "--out", "one")
    shards = work / "many.shards"
    found = _while_a_node_is_lost(
        lambda: dr.sample("shipped", 600, work / "many", shards=6),
        lambda: shards.is_dir() and any(shards.iterdir()),
        cluster,
    )
    assert found == work / "many"
    assert _bytes(work / "one") == _bytes(work / "many")
    # Everything is there: nothing is made again.
    made = {file.name: file.stat().st_mtime_ns for file in shards.iterdir()}
    dr.sample("shipped", 600, work / "copy", shards=6, folder=shards)
    assert made == {file.name: file.stat().st_mtime_ns for file in shards.iterdir()}
    assert _bytes(work / "one") == _bytes(work / "copy")


def test_an_evaluation_is_that_of_one_machine(cluster: Any, dermagan: Any, work: Path) -> None:
    one = json.loads(dermagan("eval", "--real", "phantom:100", "--fake", "shipped", "-n", "12", "--json"))
    assert dr.evaluate("phantom:100", "shipped", work / "parts", n=12, shards=3) == one


def test_the_error_of_a_shard_is_that_of_the_command(cluster: Any, work: Path) -> None:
    with pytest.raises(dg.DermaganError, match="no class"):
        dr.sample("shipped", 4, work / "x", shards=2, options=["--class", "zebra"])
    with pytest.raises(ValueError, match="n=0"):
        dr.sample("shipped", 0, work / "x")


def test_a_set_is_balanced_as_on_one_machine(cluster: Any, dermagan: Any, work: Path) -> None:
    words = ["--real", "phantom:250", "--fake", "shipped", "-n", "200", "--json"]
    done = subprocess.run([sys.executable, "-m", "dermagan", "audit", *words], capture_output=True, text=True)
    (work / "audit.json").write_text(done.stdout)
    options = ["--only", "df", "--to", "1.1x", "--unaudited"]
    line = ["--data", "phantom:250", "--model", "shipped", "--audit", "audit.json", *options]
    dermagan("balance", *line, "--out", "one")
    dr.balance("phantom:250", "shipped", work / "audit.json", work / "many", shards=2, options=options)
    assert _bytes(work / "one") == _bytes(work / "many")


_SWEEP = """
import sys
import ray
import dermagan.ray as dr
from ray import tune

if __name__ == "__main__":
    ray.init(address=sys.argv[1], log_to_driver=False)
    found = dr.sweep(
        "phantom:100", {"seed": tune.grid_search([0, 1]), "optimiser.learning_rate": tune.grid_search([0.0002, 0.0004])},
        outdir=sys.argv[2], kimg=0.6, trials=1, preset="tiny", grace=0.2, snap=0.2, reduction=3,
    )
    for trial in found:
        print("trial", trial.best, trial.kimg, trial.run.path, flush=True)
"""


def test_a_sweep_goes_on_after_its_driver_was_killed(cluster: Any, work: Path) -> None:
    script = work / "sweep.py"
    script.write_text(_SWEEP)
    line = [sys.executable, str(script), cluster.address, str(work / "sweep")]
    with (work / "log").open("w") as log:
        driver = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.time() + 300
        while not list((work / "sweep").glob("trial-*/*/metric-kid*_imagenet.jsonl")):
            assert driver.poll() is None and time.time() < deadline, (work / "log").read_text()
            time.sleep(0.1)
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    done = subprocess.run(line, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the sweep is expected to take" in done.stdout
    trials = [text.split() for text in done.stdout.splitlines() if text.startswith("trial ")]
    assert len(trials) == 4
    values = [float(words[1]) for words in trials]
    assert values == sorted(values)
    # Whole trials ran once each, in a folder of their own; the bytes are those of a run that was never stopped.
    assert len({words[3] for words in trials}) == 4
    whole = next(Path(words[3]) for words in trials if float(words[2]) >= 0.6)
    options = dg.Run(whole).options
    again = dg.train(
        "phantom:100",
        preset="tiny",
        kimg=0.6,
        snap=0.2,
        metrics=["kid"],
        seed=options["seed"],
        settings={"optimiser.learning_rate": options["optimiser"]["learning_rate"]},
        outdir=work / "again",
        progress=False,
    )
    name = "generator.safetensors"
    assert (again.path / name).read_bytes() == (whole / name).read_bytes()
