"""Training runs."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
import numpy.typing as npt

from . import _dermagan, events
from ._arguments import (
    PathArgument,
    count_of,
    file_of,
    flag_of,
    float_of,
    path_of,
    reading_of,
    seed_of,
    text_of,
    texts_of,
)
from ._errors import DataError
from ._progress import Bar
from .dataset import Dataset
from .generator import Generator

_log = logging.getLogger("dermagan")
_OPTIONS = "training_options.json"
EventCallback = Callable[[events.Event], object]


class Run:
    """A training run: its folder, its statistics and its generator."""

    def __init__(self, path: PathArgument, *, outdir: PathArgument = "runs") -> None:
        """The run in a folder; ``"latest"`` is the newest one in ``outdir``, the run that
        ``dermagan train --resume latest`` resumes. Raises FileNotFoundError if there is no such run."""
        text = file_of(path)
        if text == "latest" and not os.path.exists(text):
            newest = _dermagan.newest_run(file_of(outdir, "outdir"))
            if newest is None:
                raise FileNotFoundError(f"latest: no run in {os.fspath(outdir)}")
            text = os.fspath(newest)
        self.path = Path(os.path.abspath(text))
        """The folder of the run."""
        if not (self.path / _OPTIONS).is_file():
            raise FileNotFoundError(f"{self.path}: no {_OPTIONS}, so this is not the folder of a run")

    @property
    def options(self) -> dict[str, Any]:
        """Every setting of the run."""
        path = self.path / _OPTIONS
        found = _json(path, path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise DataError(f"{path}: expected a JSON object")
        return found

    @property
    def history(self) -> dict[str, npt.NDArray[np.float64]]:
        """The statistics of the run, one value per tick: a dictionary of arrays of equal length, ready for
        ``pandas.DataFrame``. The names are StyleGAN's where they mean the same; ``Progress/kimg`` is the time axis, and
        a value that a tick does not have is NaN."""
        lines = self._lines("stats.jsonl")
        names = sorted({name for line in lines for name, value in line.items() if _number(value) is not None})
        return {
            name: np.array([value if (value := _number(line.get(name))) is not None else np.nan for line in lines])
            for name in names
        }

    @property
    def metrics(self) -> dict[str, list[dict[str, Any]]]:
        """The metrics of the snapshots, by the name of the metric."""
        paths = sorted(self._folder().glob("metric-*.jsonl"))
        return {path.stem.removeprefix("metric-"): self._lines(path.name) for path in paths}

    def _folder(self) -> Path:
        """The folder, which must still be there."""
        if not self.path.is_dir():
            raise FileNotFoundError(f"{self.path}: the folder of the run is gone")
        return self.path

    def _lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of a file that are objects. A run that is going on may be writing its last line."""
        path = self._folder() / name
        found = []
        for line in path.read_bytes().splitlines() if path.exists() else []:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                found.append(value)
        return found

    @property
    def snapshots(self) -> list[Path]:
        """The grids of the snapshots, the oldest first."""
        return sorted(self._folder().glob("fakes[0-9]*.png"))

    @property
    def generator(self) -> Generator:
        """The averaged generator of the run."""
        return Generator.load(self.path)

    def resume(
        self,
        *,
        kimg: SupportsFloat | None = None,
        snap: SupportsFloat | None = None,
        keep: SupportsIndex | None = None,
        metrics: Iterable[str] | str | None = None,
        data: Dataset | PathArgument | None = None,
        device: str = "auto",
        self_check: bool = True,
        progress: bool = True,
        on_event: EventCallback | None = None,
    ) -> Run:
        """Goes on from the last checkpoint to the end of the run, or to a new length of ``kimg`` thousand images, and
        returns the run. On the CPU it ends with the same bytes as an uninterrupted one. ``data`` is needed only if the
        images have moved."""
        args = {
            "run": path_of(self._folder()),
            "outdir": path_of(self.path.parent),
            "data": str(data.path) if isinstance(data, Dataset) else None if data is None else path_of(data, "data"),
            "kimg": None if kimg is None else float_of("kimg", kimg),
            "snap": None if snap is None else float_of("snap", snap),
            "keep": None if keep is None else count_of("keep", keep, 0),
            "metrics": None if metrics is None else texts_of("metrics", metrics),
            "self_check": flag_of("self_check", self_check),
            "device": text_of("device", device),
        }
        return _go(_dermagan.resume, args, progress, on_event)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        if not self.path.is_dir():
            return f"<dermagan.Run {self.path}: the folder is gone>"
        history = self.history.get("Progress/kimg", np.array([]))
        kimg = f"{history[-1]:.3f} kimg" if len(history) else "no statistics yet"
        return f"<dermagan.Run {self.path}: {kimg}>"

    def _repr_png_(self) -> bytes | None:
        snapshots = self.snapshots if self.path.is_dir() else []
        return snapshots[-1].read_bytes() if snapshots else None


def train(
    data: Dataset | PathArgument | None = None,
    *,
    preset: PathArgument = "auto",
    init: Run | PathArgument | None = None,
    minutes: SupportsFloat | None = None,
    kimg: SupportsFloat | None = None,
    settings: Mapping[str, Any] | None = None,
    outdir: PathArgument = "runs",
    size: SupportsIndex | None = None,
    fit: str | None = None,
    batch: SupportsIndex | None = None,
    width: SupportsIndex | None = None,
    learning_rate: SupportsFloat | None = None,
    snap: SupportsFloat | None = None,
    tick: SupportsFloat | None = None,
    seed: SupportsIndex = 0,
    mirror: bool = False,
    quarter_turns: bool = False,
    balanced: bool = False,
    all_images: bool = False,
    classes: Iterable[str] | str = (),
    precision: str | None = None,
    keep: SupportsIndex = 3,
    metrics: Iterable[str] | str = (),
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

    ``data`` is a :class:`Dataset`, whose prepared images are used as they are, or a source as for :meth:`Dataset.open`;
    None is the built-in phantom. The training side of the split is used. ``preset`` is ``auto``, ``fast``, ``rare``,
    ``refine``, ``fast128``, ``rare128``, ``best``, ``reference``, ``notebook``, ``tiny`` or a ``FILE.toml``; ``settings``
    changes single settings of it, such as ``{"objective.r1": 0.1}``. ``init`` are trained networks to start from: a :class:`Run`, the path of a model or of a
    checkpoint, ``latest``, or ``shipped`` for the generator that comes with the program. ``minutes`` or ``kimg`` (thousands of images) is the length. The other arguments are those of
    ``dermagan train``.

    A bar shows the progress. ``on_event`` receives every :class:`dermagan.events.Event` in the calling thread, and the
    training waits for it. Warnings go to the logger ``dermagan``. Ctrl-C, or the button that interrupts a notebook, writes
    a checkpoint and raises KeyboardInterrupt; ``Run("latest").resume()`` goes on from there. An exception of ``on_event``
    does the same.

    Raises TrainingError if the loss is not finite, DeviceError if the device computes wrongly, DataError, ValueError and
    TypeError.
    """
    reading = reading_of(classes_from_folders, keep_synthetic, keep_odd, split_by)
    if isinstance(data, Dataset):
        if data._side is not None:
            raise ValueError("data: give the whole data set; its training side is used unless all_images=True")
        if any(reading.values()) or fit is not None:
            raise ValueError("data: how a data set is read and prepared was chosen when it was opened")
        source: str | None = path_of(data.path)
    else:
        source = None if data is None else path_of(data, "data")
    if minutes is not None and kimg is not None:
        raise ValueError("minutes: give either minutes or kimg, not both")
    if settings is not None and not isinstance(settings, Mapping):
        raise TypeError(f"settings={settings!r}: expected a dictionary, such as {{'objective.r1': 0.1}}")
    chosen = [f"{text_of('settings', key)}={_setting(key, value)}" for key, value in (settings or {}).items()]
    if fit is not None:
        chosen.append(f"data.fit={text_of('fit', fit, ('crop', 'pad', 'squash'))}")
    args = {
        "data": source,
        "reading": reading,
        "outdir": path_of(outdir, "outdir"),
        "preset": path_of(preset, "preset"),
        "init": None if init is None else str(init.path) if isinstance(init, Run) else path_of(init, "init"),
        "settings": chosen,
        "size": None if size is None else count_of("size", size),
        "batch": None if batch is None else count_of("batch", batch),
        "width": None if width is None else count_of("width", width),
        "learning_rate": None if learning_rate is None else float_of("learning_rate", learning_rate),
        "kimg": None if kimg is None else float_of("kimg", kimg),
        "minutes": None if minutes is None else float_of("minutes", minutes),
        "snap": None if snap is None else float_of("snap", snap),
        "tick": None if tick is None else float_of("tick", tick),
        "seed": seed_of(seed, "seed"),
        "mirror": flag_of("mirror", mirror),
        "quarter_turns": flag_of("quarter_turns", quarter_turns),
        "balanced": flag_of("balanced", balanced),
        "all_images": flag_of("all_images", all_images),
        "classes": texts_of("classes", classes),
        "precision": None if precision is None else text_of("precision", precision),
        "keep": count_of("keep", keep, 0),
        "metrics": texts_of("metrics", metrics),
        "self_check": flag_of("self_check", self_check),
        "device": text_of("device", device),
    }
    return _go(_dermagan.train, args, progress, on_event)


def _go(
    work: Callable[[str, Callable[[str, str], object]], tuple[str, BaseException | None]],
    args: dict[str, Any],
    progress: bool,
    on_event: EventCallback | None,
) -> Run:
    """Trains, and shows the events."""
    if on_event is not None and not callable(on_event):
        raise TypeError(f"on_event={on_event!r}: expected a function of an event")
    with Bar(progress) as bar:
        view = _View(bar, on_event)
        ended, raised = work(json.dumps(args, allow_nan=False), view.show)
    outcome = json.loads(ended)
    run = Run(outcome["run"])
    if raised is None:
        return run
    if not outcome["interrupted"]:
        raise raised
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
        elif isinstance(event, (events.Initialised, events.Split, events.Advice, events.SelfCheck)):
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


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def _setting(key: str, value: Any) -> str:
    """The value of a setting as TOML writes it."""
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        value = value.item()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_setting(key, item)}" for name, item in value.items()) + " }"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return value
    raise TypeError(f"settings: {key}={value!r}; expected a number, True or False, a str or a dictionary of them")


__all__ = ["Run", "train"]
