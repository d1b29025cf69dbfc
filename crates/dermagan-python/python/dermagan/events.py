"""The events of a training run, which ``dermagan.train(..., on_event=...)`` passes on as they happen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Event:
    """The base of all events."""


@dataclass(frozen=True)
class PresetChosen(Event):
    """The preset was ``auto``, and this one was chosen."""

    preset: str
    reason: str
    kimg: float | None
    """Length of the run in thousands of images; None if it is still to be fitted to a number of minutes."""
    seconds: float
    """How long the run takes here, in seconds."""


@dataclass(frozen=True)
class Preparing(Event):
    """Images are being decoded."""

    done: int
    total: int


@dataclass(frozen=True)
class Prepared(Event):
    """The data is ready."""

    path: Path
    account: str
    """What was kept and what was left out, in words."""
    reused: bool
    seconds: float


@dataclass(frozen=True)
class Initialised(Event):
    """The networks start from trained ones. ``words`` lists what they take, and what is new."""

    words: str


@dataclass(frozen=True)
class Split(Event):
    """The data is split."""

    words: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Fitted(Event):
    """The length of the run was fitted to its time."""

    kimg: float
    seconds_per_kimg: float


@dataclass(frozen=True)
class Started(Event):
    """The folder of the run is open."""

    run: Path
    nimg: int
    """Number of images that the run has seen before."""
    total: int
    """Number of images of the whole run."""


@dataclass(frozen=True)
class Progress(Event):
    """Steps were done."""

    nimg: int
    images_per_second: float
    measures: dict[str, float | None]
    """The measures of the newest step, under the names of ``Run.history``."""


@dataclass(frozen=True)
class Tick(Event):
    """A line was added to ``stats.jsonl``."""

    line: dict[str, Any]


@dataclass(frozen=True)
class Snapshot(Event):
    """Images and a checkpoint were written."""

    grid: Path
    checkpoint: Path
    nimg: int


@dataclass(frozen=True)
class Measuring(Event):
    """The metrics of a snapshot are being computed."""

    nimg: int


@dataclass(frozen=True)
class Metric(Event):
    """A metric of a snapshot was computed."""

    name: str
    words: str
    best: bool
    """Whether this snapshot is the best so far; its generator was then kept."""


@dataclass(frozen=True)
class SelfCheck(Event):
    """The gradients of a GPU were checked."""

    words: str


@dataclass(frozen=True)
class Advice(Event):
    """A fact about a new run that its user may not expect."""

    words: str


@dataclass(frozen=True)
class Warning(Event):  # noqa: A001
    """A warning. The run goes on."""

    words: str


_PATHS = {"path", "run", "grid", "checkpoint"}
_CLASSES: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        PresetChosen, Preparing, Prepared, Initialised, Split, Fitted, Started, Progress, Tick, Snapshot, Measuring, Metric,
        SelfCheck, Advice, Warning,
    )
}  # fmt: skip


def _event(name: str, values: str) -> Event:
    """The event of this name, from its values as JSON."""
    fields = json.loads(values)
    return _CLASSES[name](**{k: Path(v) if k in _PATHS else v for k, v in fields.items()})
