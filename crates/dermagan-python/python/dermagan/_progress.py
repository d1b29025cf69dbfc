"""Progress bars, by ``tqdm.auto``: a widget in a notebook, a line in a terminal."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any


def _tqdm(**options: Any) -> Any:
    with warnings.catch_warnings():
        # Without ipywidgets tqdm advises to install them, and shows a line of text, which is good enough.
        warnings.filterwarnings("ignore", message=".*IProgress not found.*")
        from tqdm.auto import tqdm

        return tqdm(**options)


class Bar:
    """A bar that appears with its first report and is replaced when the stage changes."""

    def __init__(self, shown: bool, unit: str = "img") -> None:
        self.shown, self.unit = shown, unit
        self.stage: str | None = None
        self.bar: Any = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the bar and leaves its last state to be read."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def __call__(self, stage: str, done: int, total: int, words: str = "") -> None:
        """Shows that ``done`` of ``total`` are done in this stage."""
        if not self.shown:
            return
        if stage != self.stage:
            self.close()
            self.stage = stage
        if self.bar is None:
            # What was done before, by an earlier process or from a cache, took no time now.
            options = {"initial": done, "unit_scale": total > 10_000, "mininterval": 0.5}
            self.bar = _tqdm(total=total, desc=stage, unit=self.unit, **options)
        self.bar.n = min(done, total)
        if words:
            self.bar.set_postfix_str(words, refresh=False)
        self.bar.refresh() if done >= total else self.bar.update(0)
