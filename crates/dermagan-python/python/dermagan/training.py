"""Training runs."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from . import _dermagan, events
from ._arguments import PathArgument, count_of, path_of, reading_of, seed_of
from ._progress import Bar
from .dataset import Dataset
from .generator import Generator

_log = logging.getLogger("dermagan")
EventCallback = Callable[[events.Event], object]


class Run:
    """A training run: its folder, its statistics and its generator."""

    def __init__(self, path: PathArgument, *, outdir: PathArgument = "runs") -> None:
        """The run in a folder; ``"latest"`` is the newest one in ``outdir``."""
        text = path_of(path)
        if text == "latest" and not os.path.exists(text):
            text = os.path.dirname(_dermagan.Model.open("latest", path_of(outdir), "cpu").name)
        self.path = Path(text)
        """The folder of the run."""
        if not (self.path / "training_options.json").is_file():
            raise FileNotFoundError(f"{self.path}: no training_options.json, so this is not the folder of a run")

    @property
    def options(self) -> dict[str, Any]:
        """Every setting of the run."""
        return dict(json.loads((self.path / "training_options.json").read_text()))

    @property
    def history(self) -> dict[str, npt.NDArray[np.float64]]:
        """The statistics of the run, one value per tick: a dictionary of arrays of equal length, ready for
        ``pandas.DataFrame``. The names are StyleGAN's where they mean the same; ``Progress/kimg`` is the time axis, and
        a value that a tick does not have is NaN."""
        lines = []
        path = self.path / "stats.jsonl"
        for line in path.read_bytes().splitlines() if path.exists() else []:
            try:
                lines.append(json.loads(line))
            except ValueError:
                # A run that is going on is writing its last line.
                continue
        names = sorted({name for line in lines for name, value in line.items() if _number(value) is not None})
        return {
            name: np.array([value if (value := _number(line.get(name))) is not None else np.nan for line in lines])
            for name in names
        }

    @property
    def metrics(self) -> dict[str, list[dict[str, Any]]]:
        """The metrics of the snapshots, by the name of the metric."""
        found = {}
        for path in sorted(self.path.glob("metric-*.jsonl")):
            lines = path.read_text().splitlines()
            found[path.stem.removeprefix("metric-")] = [json.loads(line) for line in lines if line.endswith("}")]
        return found

    @property
    def snapshots(self) -> list[Path]:
        """The grids of the snapshots, the oldest first."""
        return sorted(self.path.glob("fakes[0-9]*.png"))

    @property
    def generator(self) -> Generator:
        """The averaged generator of the run."""
        return Generator.load(self.path)

    def resume(
        self,
        *,
        kimg: float | None = None,
        snap: float | None = None,
        keep: SupportsIndex | None = None,
        metrics: Sequence[str] | None = None,
        data: Dataset | PathArgument | None = None,
        device: str = "auto",
        self_check: bool = True,
        progress: bool = True,
        on_event: EventCallback | None = None,
    ) -> Run:
        """Goes on from the last checkpoint to the end of the run, or to a new length of ``kimg`` thousand images, and
        returns the run. On the CPU it ends with the same bytes as an uninterrupted one."""
        args = {
            "run": str(self.path),
            "outdir": str(self.path.parent),
            "data": _source(data)[0],
            "kimg": _float(kimg),
            "snap": _float(snap),
            "keep": None if keep is None else count_of("keep", keep, 0),
            "metrics": None if metrics is None else _metrics(metrics),
            "self_check": self_check,
            "device": device,
        }
        return _go(_dermagan.resume, args, progress, on_event)

    def __repr__(self) -> str:
        history = self.history.get("Progress/kimg", np.array([]))
        kimg = f"{history[-1]:.3f} kimg" if len(history) else "no statistics yet"
        return f"<dermagan.Run {self.path}: {kimg}>"

    def _repr_png_(self) -> bytes | None:
        snapshots = self.snapshots
        return snapshots[-1].read_bytes() if snapshots else None


def train(
    data: Dataset | PathArgument | None = None,
    *,
    preset: PathArgument = "auto",
    minutes: float | None = None,
    kimg: float | None = None,
    settings: dict[str, Any] | None = None,
    outdir: PathArgument = "runs",
    size: SupportsIndex | None = None,
    batch: SupportsIndex | None = None,
    width: SupportsIndex | None = None,
    learning_rate: float | None = None,
    snap: float | None = None,
    tick: float | None = None,
    seed: SupportsIndex = 0,
    mirror: bool = False,
    quarter_turns: bool = False,
    balanced: bool = False,
    all_images: bool = False,
    classes: Sequence[str] = (),
    precision: str | None = None,
    keep: SupportsIndex = 3,
    metrics: Sequence[str] = (),
    self_check: bool = True,
    classes_from_folders: bool = False,
    keep_synthetic: bool = False,
    keep_odd: bool = False,
    split_by: str | None = None,
    device: str = "auto",
    progress: bool = True,
    on_event: EventCallback | None = None,
) -> Run:
    """Trains a GAN in a new folder in ``outdir``, and returns the run.

    ``data`` is a :class:`Dataset` or a source as for :meth:`Dataset.open`; None is the built-in phantom. The training
    side of the split is used. ``preset`` is ``auto``, ``fast``, ``rare``, ``best``, ``reference``, ``notebook``,
    ``tiny`` or a ``FILE.toml``; ``settings`` changes single settings of it, such as ``{"objective.r1": 0.1}``. ``minutes`` or
    ``kimg`` (thousands of images) is the length. The other arguments are those of ``dermagan train``.

    A bar shows the progress; ``on_event`` receives every :class:`dermagan.events.Event` in the calling thread. Warnings go to
    the logger ``dermagan``. Ctrl-C, or the button that interrupts a notebook, writes a checkpoint and raises
    KeyboardInterrupt; ``Run("latest").resume()`` goes on from there. An exception of ``on_event`` does the same.

    Raises TrainingError if the loss is not finite, DeviceError if the device computes wrongly, DataError and ValueError.
    """
    source, reading = _source(data)
    if reading is None:
        reading = reading_of(classes_from_folders, keep_synthetic, keep_odd, split_by)
    elif classes_from_folders or keep_synthetic or keep_odd or split_by is not None:
        raise ValueError("data: how a data set is read was chosen when it was opened")
    if minutes is not None and kimg is not None:
        raise ValueError("minutes: give either minutes or kimg, not both")
    args = {
        "data": source,
        "reading": reading,
        "outdir": path_of(outdir),
        "preset": path_of(preset),
        "settings": [f"{key}={_setting(value)}" for key, value in (settings or {}).items()],
        "size": None if size is None else count_of("size", size),
        "batch": None if batch is None else count_of("batch", batch),
        "width": None if width is None else count_of("width", width),
        "learning_rate": _float(learning_rate),
        "kimg": _float(kimg),
        "minutes": _float(minutes),
        "snap": _float(snap),
        "tick": _float(tick),
        "seed": seed_of(seed, "seed"),
        "mirror": mirror,
        "quarter_turns": quarter_turns,
        "balanced": balanced,
        "all_images": all_images,
        "classes": list(classes),
        "precision": precision,
        "keep": count_of("keep", keep, 0),
        "metrics": _metrics(metrics),
        "self_check": self_check,
        "device": device,
    }
    return _go(_dermagan.train, args, progress, on_event)


def _go(
    work: Callable[[str, Callable[[str, str], object]], tuple[str, BaseException | None]],
    args: dict[str, Any],
    progress: bool,
    on_event: EventCallback | None,
) -> Run:
    """Trains, and shows the events."""
    with Bar(progress) as bar:
        view = _View(bar, on_event)
        ended, raised = work(json.dumps(args, allow_nan=False), view.show)
    outcome = json.loads(ended)
    run = Run(outcome["run"])
    if raised is None:
        return run
    kimg = outcome["nimg"] / 1000
    words = f"stopped at {kimg:.3f} kimg, with a checkpoint; go on with dermagan.Run({str(run.path)!r}).resume()"
    if isinstance(raised, KeyboardInterrupt):
        raise KeyboardInterrupt(words)
    _log.warning(words)
    raise raised


class _View:
    """Shows events: a bar for progress, the logger for what is said once, and the callback for all."""

    def __init__(self, bar: Bar, on_event: EventCallback | None) -> None:
        self.bar, self.on_event, self.total = bar, on_event, 0

    def show(self, name: str, values: str) -> None:
        event = events._event(name, values)
        if self.on_event is not None:
            self.on_event(event)
        if isinstance(event, events.Preparing):
            self.bar("preparing", event.done, event.total)
        elif isinstance(event, events.Prepared) and not event.reused:
            _log.info(event.account)
        elif isinstance(event, events.PresetChosen):
            _log.info(f"preset {event.preset}, {event.reason}")
        elif isinstance(event, events.Started):
            self.total = event.total
            self.bar("training", event.nimg, event.total)
        elif isinstance(event, events.Progress):
            d, g = event.measures.get("Loss/D/loss"), event.measures.get("Loss/G/loss")
            words = "" if d is None or g is None else f"D {d:.2f}, G {g:.2f}"
            self.bar("training", event.nimg, self.total, words)
        elif isinstance(event, (events.Split, events.Advice, events.SelfCheck)):
            _log.info(event.words)
        elif isinstance(event, events.Warning):
            _log.warning(event.words)
        elif isinstance(event, events.Metric):
            _log.info(f"{event.name}: {event.words}")


def _number(value: Any) -> float | None:
    """The number of a field of a line of statistics: its mean if it has several values."""
    if isinstance(value, dict):
        value = value.get("mean")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _source(data: Dataset | PathArgument | None) -> tuple[str | None, dict[str, Any] | None]:
    """The source of a data set, and how it was read."""
    if not isinstance(data, Dataset):
        return (None if data is None else path_of(data), None)
    if data._indices is not None:
        raise ValueError("data: give the whole data set; its training side is used unless all_images=True")
    return data._source, data._reading


def _metrics(names: Sequence[str]) -> list[str]:
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def _setting(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (bool, dict, list, str)) else str(value)


def _float(value: float | None) -> float | None:
    if value is not None and not np.isfinite(value):
        raise ValueError(f"{value}: expected a finite number")
    return None if value is None else float(value)


__all__ = ["Run", "train"]
