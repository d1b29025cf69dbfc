"""Long jobs on a Ray cluster: images, sets, evaluations in shards, and sweeps of trainings.

    import dermagan.ray as cluster

    cluster.sample("shipped", 1_000_000, "/shared/million.zip", shards=64)

A job is divided into shards of the command ``dermagan``. A Ray task computes a shard in a process of its own and returns a path,
never images. A shard is complete or absent, so Ray may lose a node at any time: the task runs again elsewhere, and shards that are there are not
computed again. Every node needs this package, and must see the folder of the shards, the data and the model under the same path.

Connect to the cluster with ``ray.init(address=...)`` first; otherwise Ray starts on this machine alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

from ._arguments import PathArgument, count_of, path_of, seed_of, text_of, texts_of
from ._errors import DermaganError
from .evaluation import Report
from .training import Run, train

if TYPE_CHECKING:
    from .events import Event

try:
    import ray
except ImportError as _missing:
    raise ImportError("dermagan.ray needs Ray: pip install 'dermagan[ray]'") from _missing

_RETRIES = 5
_SHOWN = 20
"""The number of lines of a failed command that its error repeats."""


@dataclass(frozen=True)
class Slot:
    """What one shard or one trial occupies. ``threads`` are those of the CPU, by default as many as ``cpus``; Ray does not limit them."""

    cpus: float = 1.0
    gpus: float = 0.0
    threads: int | None = None

    def environment(self) -> dict[str, str]:
        """The variables of a process in this slot."""
        return {"RAYON_NUM_THREADS": str(self.threads or max(1, math.floor(self.cpus)))}

    def count(self) -> int:
        """The number of such slots that the cluster has, at least 1."""
        found = ray.cluster_resources()
        wanted = {"CPU": self.cpus, "GPU": self.gpus}
        return max(1, min((math.floor(found.get(name, 0) / each) for name, each in wanted.items() if each), default=1))


class Interrupted(DermaganError):
    """A process ended by a signal, as it does when a machine is taken away. The shard is computed again."""


def sample(
    model: PathArgument,
    n: SupportsIndex,
    out: PathArgument,
    *,
    shards: SupportsIndex | None = None,
    folder: PathArgument | None = None,
    slot: Slot = Slot(),
    options: Sequence[str] = (),
) -> Path:
    """Writes ``n`` images of ``model`` to ``out``, as ``dermagan sample -n N --out OUT`` does, byte for byte; returns the path.

    ``shards`` is the number of shards, by default as many as ``folder`` was begun with, else twice the slots of the cluster; ``folder`` keeps them, by default ``OUT.shards``.
    ``options`` are further words of the command, such as ``["--class", "df,vasc", "--format", "parquet"]``.
    """
    words = ["sample", path_of(model, "model"), "-n", str(count_of("n", n))]
    return _to_place(words, out, options, shards, folder, slot)


def balance(
    data: PathArgument,
    model: PathArgument,
    audit: PathArgument,
    out: PathArgument,
    *,
    shards: SupportsIndex | None = None,
    folder: PathArgument | None = None,
    slot: Slot = Slot(),
    options: Sequence[str] = (),
) -> Path:
    """Fills the classes of ``data`` that have few images, as ``dermagan balance`` does, byte for byte; returns the path of the set.

    ``audit`` is the report of ``dermagan audit --json`` of the model. The other arguments are those of :func:`sample`.
    """
    words = ["balance", "--data", path_of(data, "data"), "--model", path_of(model, "model")]
    words += ["--audit", path_of(audit, "audit")]
    return _to_place(words, out, options, shards, folder, slot)


def evaluate(
    real: PathArgument,
    fake: PathArgument,
    folder: PathArgument,
    *,
    n: SupportsIndex = 2048,
    shards: SupportsIndex | None = None,
    slot: Slot = Slot(),
    options: Sequence[str] = (),
) -> Report:
    """Compares generated images with real ones, as :func:`dermagan.evaluate` does, with the same report. The features are computed
    in shards, which ``folder`` keeps."""
    words = ["eval", "--real", path_of(real, "real"), "--fake", path_of(fake, "fake"), "-n", str(count_of("n", n, 2)), "--json"]
    text = _in_shards([*words, *texts_of("options", options)], shards, path_of(folder, "folder"), slot, [])
    return Report(json.loads(text))


def _to_place(
    words: list[str],
    out: PathArgument,
    options: Sequence[str],
    shards: SupportsIndex | None,
    folder: PathArgument | None,
    slot: Slot,
) -> Path:
    """Runs a command that writes its result to ``out`` in shards; returns that path."""
    place = path_of(out, "out")
    kept = place + ".shards" if folder is None else path_of(folder, "folder")
    _in_shards([*words, "--out", place, *texts_of("options", options)], shards, kept, slot, ["--out", place])
    return Path(place)


def _in_shards(
    words: list[str], shards: SupportsIndex | None, folder: str, slot: Slot, at_the_end: list[str]
) -> str:
    """Computes all shards of a command and joins them by ``merge`` with the words ``at_the_end``; returns its standard output."""
    kept = os.path.abspath(folder)
    count = (_begun(kept) or 2 * slot.count()) if shards is None else count_of("shards", shards)
    task = ray.remote(num_cpus=slot.cpus, num_gpus=slot.gpus, max_retries=_RETRIES, retry_exceptions=[Interrupted])(_shard)
    place = os.getcwd()
    pending = [task.remote(words, f"{index + 1}/{count}", kept, place, slot.environment()) for index in range(count)]
    try:
        ray.get(pending)
    except ray.exceptions.RayTaskError as error:
        for one in pending:
            ray.cancel(one)
        raise error.cause if isinstance(error.cause, DermaganError) else error from None
    return _command(["merge", kept, *at_the_end], place, {})


def _begun(folder: str) -> int | None:
    """The number of shards of which some are in a folder: the cluster may have had another size then."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if found := re.fullmatch(r"[0-9]{4,}-of-([0-9]{4,})[.](bin|json)", name):
            return int(found.group(1))
    return None


def _shard(words: list[str], shard: str, folder: str, place: str, environment: dict[str, str]) -> str:
    """Computes a shard in a process of its own; returns the folder that has it."""
    _command([*words, "--shard", shard, "--shards", folder], place, environment)
    return folder


def _command(words: list[str], place: str, environment: dict[str, str]) -> str:
    """Runs the command ``dermagan`` in the folder ``place``; returns its standard output.

    Raises Interrupted if a signal ended it, and DermaganError with its last lines if it failed.
    """
    line = [sys.executable, "-m", "dermagan", *words]
    done = subprocess.run(line, cwd=place, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode in (0, 6, 7):
        # 6 and 7 are verdicts of an audit.
        return done.stdout
    said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_SHOWN:])
    if done.returncode < 0 or done.returncode == 130:
        raise Interrupted(f"dermagan {' '.join(words)} was stopped: {said}")
    raise DermaganError(f"dermagan {' '.join(words)}\n{said}")


@dataclass(frozen=True)
class Trial:
    """One training of a sweep."""

    settings: dict[str, Any]
    """What it was trained with, beside what all trials have in common."""
    run: Run | None
    """The run; None if the trial never began."""
    best: float | None
    """The least value of the metric; None if no snapshot was measured."""
    kimg: float | None
    """Thousands of images that it saw before it was stopped."""


@dataclass(frozen=True)
class Cost:
    """What a sweep is expected to take."""

    seconds_per_kimg: float
    """Of one trial in its slot, by a short run on this machine."""
    kimg: float
    """Of all trials together, if the scheduler stops as many as it usually does."""
    hours: float
    """With all slots of the cluster."""

    def __str__(self) -> str:
        return (
            f"the sweep is expected to take {self.hours:.1f} hours: {self.kimg:.0f} kimg in all trials, "
            f"{self.seconds_per_kimg:.1f} s per kimg and slot"
        )


def sweep(
    data: PathArgument,
    space: Mapping[str, Any],
    *,
    outdir: PathArgument,
    kimg: SupportsFloat,
    trials: SupportsIndex = 8,
    preset: PathArgument = "auto",
    metric: str = "kid",
    snap: SupportsFloat | None = None,
    grace: SupportsFloat | None = None,
    reduction: SupportsIndex = 3,
    seed: SupportsIndex = 0,
    slot: Slot = Slot(),
    options: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> list[Trial]:
    """Trains with many settings, and stops those early that do badly by ``metric`` (ASHA, Li et al. 2020): after ``grace`` kimg, and after
    every ``reduction``-fold of it, only the best of each ``reduction`` go on. Returns the trials, the best first.

    ``space`` has the values of the settings to try, such as ``{"objective.r1": ray.tune.loguniform(0.01, 10)}``; ``seed`` is a setting like
    the others, and any other key is one of ``dermagan train --set``. Each trial is a usual run in ``outdir``. The same call goes
    on after the driver or a node was lost: each trial resumes from its last checkpoint, with the same bytes as if it had never stopped.
    ``options`` are further arguments of :func:`dermagan.train` for all trials. The expected cost is printed before the first trial.
    """
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    length, count, factor = float(kimg), count_of("trials", trials), count_of("reduction", reduction, 2)
    least = length / factor**2 if grace is None else float(grace)
    folder = Path(path_of(outdir, "outdir")).absolute()
    common = {
        "data": path_of(data, "data"),
        "preset": path_of(preset, "preset"),
        "kimg": length,
        "snap": min(least, length) if snap is None else float(snap),
        "metrics": [text_of("metric", metric, ("kid", "fid"))],
        **dict(options or {}),
    }
    expected = cost(common, kimg=length, trials=count, grace=least, reduction=factor, slot=slot)
    if progress:
        print(expected, flush=True)
    resources = {"cpu": slot.cpus, "gpu": slot.gpus}
    trainable = tune.with_resources(
        tune.with_parameters(_trial, common=common, folder=str(folder), environment=slot.environment(), metric=metric), resources
    )
    state = folder / "tune"
    scheduler = ASHAScheduler(
        time_attr="kimg", metric=metric, mode="min", max_t=max(length, 1), grace_period=max(least, 1e-9), reduction_factor=factor
    )
    if tune.Tuner.can_restore(str(state)):
        tuner = tune.Tuner.restore(
            str(state), trainable, resume_unfinished=True, resume_errored=True, restart_errored=False, param_space=dict(space)
        )
    else:
        tuner = tune.Tuner(
            trainable,
            param_space=dict(space),
            tune_config=tune.TuneConfig(scheduler=scheduler, num_samples=count, search_alg=_search(seed_of(seed, "seed"))),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(folder),
                failure_config=tune.FailureConfig(max_failures=_RETRIES),
                verbose=0,
            ),
        )
    results = tuner.fit()
    for failed in results.errors:
        raise failed
    found = [_outcome(result.config or {}, folder, metric) for result in results]
    return sorted(found, key=lambda trial: math.inf if trial.best is None else trial.best)


def _search(seed: int) -> Any:
    from ray.tune.search.basic_variant import BasicVariantGenerator

    return BasicVariantGenerator(random_state=seed)


def cost(
    common: Mapping[str, Any], *, kimg: float, trials: int, grace: float, reduction: int, slot: Slot, probe: float = 0.25
) -> Cost:
    """What a sweep of trainings with the arguments ``common`` is expected to take, by a run of ``probe`` kimg in one slot. ASHA keeps one of each ``reduction`` trials at every rung."""
    task = ray.remote(num_cpus=slot.cpus, num_gpus=slot.gpus, max_retries=_RETRIES)(_probe)
    seconds = float(ray.get(task.remote(dict(common), probe, slot.environment())))
    total, rung, left = 0.0, 0.0, float(trials)
    for end in _rungs(grace, reduction, kimg):
        total += left * (end - rung)
        rung, left = end, max(1.0, left / reduction)
    return Cost(seconds, total, total * seconds / 3600 / min(slot.count(), trials))


def _rungs(grace: float, reduction: int, kimg: float) -> Iterator[float]:
    """The lengths at which trials are compared, and that of a whole trial."""
    rung = grace
    while rung < kimg:
        yield rung
        rung *= reduction
    yield kimg


def _probe(common: dict[str, Any], kimg: float, environment: dict[str, str]) -> float:
    """Seconds per kimg of a short run without metrics."""
    import tempfile

    from .events import Progress

    os.environ.update(environment)
    rates: list[float] = []

    def see(event: Event) -> None:
        if isinstance(event, Progress):
            rates.append(event.images_per_second)

    with tempfile.TemporaryDirectory() as folder:
        args = {**common, "kimg": kimg, "snap": kimg, "metrics": ()}
        train(**args, outdir=folder, progress=False, on_event=see)
    return 1000.0 / rates[-1] if rates and rates[-1] > 0 else math.inf


def _folder_of(config: Mapping[str, Any], folder: Path) -> Path:
    """The folder of a trial: the same for the same settings, so that a restarted trial finds its run."""
    text = json.dumps(config, sort_keys=True, default=str)
    return folder / f"trial-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _run_of(folder: Path) -> Run | None:
    try:
        return Run("latest", outdir=folder)
    except (FileNotFoundError, DermaganError):
        return None


def _values(run: Run, metric: str) -> list[tuple[float, float]]:
    """The lengths in kimg and the values of a metric's snapshots, by the network that never saw a lesion."""
    found = run.metrics
    name = next((name for name in found if name.startswith(metric) and name.endswith("_imagenet")), None)
    values = []
    for line in found.get(name or "", []):
        length, value = line.get("Progress/kimg"), line.get("results", {}).get(name)
        if isinstance(length, (int, float)) and isinstance(value, (int, float)) and math.isfinite(value):
            values.append((float(length), float(value)))
    return values


def _outcome(config: Mapping[str, Any], folder: Path, metric: str) -> Trial:
    run = _run_of(_folder_of(config, folder))
    values = _values(run, metric) if run else []
    best = min((value for _, value in values), default=None)
    return Trial(dict(config), run, best, values[-1][0] if values else None)


def _trial(
    config: dict[str, Any], *, common: dict[str, Any], folder: str, environment: dict[str, str], metric: str
) -> None:
    """One trial: a usual training, which reports the metric of every snapshot. It resumes the run that an earlier process left."""
    from ray import tune

    from .events import Metric

    os.environ.update(environment)
    place = _folder_of(config, Path(folder))
    reported = 0

    def report(run: Run) -> None:
        nonlocal reported
        values = _values(run, metric)
        for length, value in values[reported:]:
            tune.report({metric: value, "kimg": length})
        reported = len(values)

    def see(event: Event) -> None:
        run = _run_of(place) if isinstance(event, Metric) else None
        if run:
            report(run)

    run = _run_of(place)
    if run is None:
        settings = {key: value for key, value in config.items() if key != "seed"}
        seed = config.get("seed", common.get("seed", 0))
        run = train(**{**common, "seed": seed, "settings": settings}, outdir=place, progress=False, on_event=see)
    else:
        report(run)
        run = run.resume(progress=False, on_event=see)
    report(run)
