"""Training, interruption, resumption, events and evaluation."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import dermagan as dg
from dermagan import events

SMALL = {"preset": "tiny", "width": 4, "batch": 8, "snap": 0.1, "tick": 0.05, "device": "cpu", "progress": False}


def test_a_run_has_a_history_and_a_generator(work: Path) -> None:
    seen: list[events.Event] = []
    ds = dg.Dataset.open("phantom:70", size=32, progress=False)
    run = dg.train(ds, kimg=0.3, on_event=seen.append, **SMALL)
    history = run.history
    assert history["Progress/kimg"][-1] == pytest.approx(0.304, abs=0.01)
    assert len({len(values) for values in history.values()}) == 1 and "Loss/D/loss" in history
    pandas = pytest.importorskip("pandas")
    assert pandas.DataFrame(history).shape == (len(history["Progress/kimg"]), len(history))
    assert run.generator.sample(3).shape == (3, 32, 32, 3)
    kinds = {type(event) for event in seen}
    assert {events.Split, events.Started, events.Progress, events.Tick, events.Snapshot} <= kinds
    snapshots = [event.grid for event in seen if isinstance(event, events.Snapshot)]
    assert [path.resolve() for path in run.snapshots] == [path.resolve() for path in snapshots]
    assert run._repr_png_() == snapshots[-1].read_bytes()
    assert run.options["seed"] == 0 and dg.Run("latest").path.name == run.path.name
    assert dg.Generator.load("latest", device="cpu").sha256 == run.generator.sha256


def test_a_resumed_run_ends_as_an_uninterrupted_one(work: Path) -> None:
    whole = dg.train("phantom:70", kimg=0.3, outdir="whole", seed=7, **SMALL)

    def stop_at_200(event: events.Event) -> None:
        if isinstance(event, events.Progress) and event.nimg >= 150:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        dg.train("phantom:70", kimg=0.3, outdir="parts", seed=7, on_event=stop_at_200, **SMALL)
    [part] = map(dg.Run, Path("parts").iterdir())
    assert part.history["Progress/kimg"][-1] < 0.3 or len(part.history["Progress/kimg"]) < 7
    resumed = part.resume(device="cpu", progress=False)
    assert (resumed.path / "generator.safetensors").read_bytes() == (whole.path / "generator.safetensors").read_bytes()
    longer = resumed.resume(kimg=0.4, device="cpu", progress=False)
    assert longer.history["Progress/kimg"][-1] >= 0.4


def test_ctrl_c_writes_a_checkpoint_and_raises_keyboard_interrupt(work: Path) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def press(event: events.Event) -> None:
        if isinstance(event, events.Progress) and event.nimg >= 100:
            signal.pthread_kill(main, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"stopped at .* kimg.*Run\('.*/runs/.*resume\(\)"):
        dg.train("phantom:70", kimg=50, on_event=press, **SMALL)
    run = dg.Run("latest")
    assert list(run.path.glob("checkpoint-*.safetensors"))
    assert run.resume(kimg=0.3, device="cpu", progress=False).path == run.path


def test_ctrl_c_stops_sampling_and_preparing(work: Path) -> None:
    g = dg.Generator.load(device="cpu")
    for call in (
        lambda: g.sample(100_000),
        lambda: g.save("samples", 100_000),
        lambda: dg.Dataset.open("phantom:60000", size=64, progress=False),
    ):
        timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            call()
        assert time.monotonic() - start < 60
    assert g.sample(1).shape == (1, 64, 64, 3), "the generator works on"


def test_errors_of_training_are_exceptions(work: Path) -> None:
    cases = [
        (ValueError, "no preset", {"preset": "fastest"}),
        (ValueError, "batch=1: expected 2 to 4096", {"batch": 1}),
        (ValueError, "give either minutes or kimg", {"minutes": 1, "kimg": 1}),
        (ValueError, "minutes", {"minutes": -1, "kimg": None}),
        (ValueError, "precision", {"precision": "f8"}),
        (ValueError, "metrics", {"metrics": ["lpips"]}),
        (ValueError, "classes", {"classes": ["acne"]}),
        (ValueError, "learning_rate=nan: expected a finite number", {"learning_rate": float("nan")}),
        (TypeError, "kimg='1': expected a number", {"kimg": "1"}),
        (TypeError, "mirror=1: expected True or False", {"mirror": 1}),
        (TypeError, "device=None: expected a str", {"device": None}),
        (TypeError, "on_event=5: expected a function", {"on_event": 5}),
        (TypeError, "settings=.*expected a dictionary", {"settings": ["objective.r1=1"]}),
        (TypeError, "settings: objective.r1=None", {"settings": {"objective.r1": None}}),
        (ValueError, "outdir: the path is empty", {"outdir": ""}),
        (FileNotFoundError, "nowhere", {"data": "nowhere"}),
        (dg.TrainingError, "not finite", {"learning_rate": 1e30}),
    ]
    for kind, words, change in cases:
        options = {"data": "phantom:70", "kimg": 0.1, **SMALL, **change}
        with pytest.raises(kind, match=words):
            dg.train(**options)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="nowhere"):
        dg.Run("nowhere")
    with pytest.raises(ValueError, match="whole data set"):
        dg.train(dg.Dataset.open("phantom:70", progress=False).split("train"))


def test_warnings_go_to_the_logger(work: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dermagan"):
        dg.train("phantom:70", kimg=0.05, precision="bf16", **SMALL)
    assert any(record.name == "dermagan" for record in caplog.records)


def test_an_evaluation_is_the_report_of_the_command_line(work: Path, dermagan) -> None:  # type: ignore[no-untyped-def]
    g = dg.Generator.load(device="cpu")
    ds = dg.Dataset.open("phantom:300", progress=False)
    report = dg.evaluate(ds, g, n=64, per_class=True, device="cpu", progress=False)
    cli = dermagan("eval", "--real", "phantom:300", "--fake", "shipped", "-n", "64", "--per-class", "--json", "--device", "cpu")
    found = json.loads(cli)
    assert {k: v for k, v in report.items() if k != "notes"} == {k: v for k, v in found.items() if k != "notes"}
    assert [note.replace("split=", "`split` = ") for note in report["notes"]] == found["notes"]
    assert not any("`" in note for note in report["notes"])
    html = report._repr_html_()
    assert html.count("<tr>") == 3 + 2 * len(report.by("imagenet")["classes"]) and "KID" in html and report["words"] in str(report)
    images = g.sample(64)
    of_array = dg.evaluate(ds, images, n=64, device="cpu", progress=False)
    of_model = dg.evaluate(ds, g, n=64, device="cpu", progress=False)
    assert of_array.by("imagenet")["overall"]["kid"]["fake"] == pytest.approx(of_model.by("imagenet")["overall"]["kid"]["fake"], rel=1e-6)
    assert of_array["fake"] == "an array of 64 images"
    with pytest.raises(ValueError, match=r"float64 of shape \[4, 3\]"):
        dg.evaluate(ds, np.zeros((4, 3)), progress=False)
    with pytest.raises(ValueError, match=r"shape \[0, 64, 64, 3\]"):
        dg.evaluate(ds, images[:0], progress=False)
    with pytest.raises(ValueError, match="n=1: expected 2 to"):
        dg.evaluate(ds, g, n=1, progress=False)
    with pytest.raises(ValueError, match="features='vgg': expected lesion, imagenet, inception or handmade"):
        dg.evaluate(ds, g, features="vgg", progress=False)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        dg.evaluate(ds, "nowhere", progress=False)


def test_a_panic_is_an_exception() -> None:
    with pytest.raises(dg.InternalError, match="a fault of dermagan.*a panic for a test"):
        dg._dermagan._panic()  # type: ignore[attr-defined]


def test_a_progress_bar_appears(work: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dg.train("phantom:70", kimg=0.05, **{**SMALL, "progress": True})
    assert "training" in capfd.readouterr().err


def test_the_command_of_the_wheel_is_the_program(dermagan, work: Path) -> None:  # type: ignore[no-untyped-def]
    assert dermagan("--version").split()[1] == dg.__version__
    command = Path(sys.executable).parent / "dermagan"
    done = subprocess.run([command, "sample", "--sedes", "1"], capture_output=True, text=True)
    assert done.returncode == 2 and "--seeds" in done.stderr
    assert "Usage: dermagan" in subprocess.run([command, "--help"], capture_output=True, text=True).stdout


def test_the_newest_run_is_that_of_the_command_line(work: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run in runs"):
        dg.Run("latest")
    runs = [dg.train("phantom:70", kimg=0.02, **SMALL) for _ in range(2)]
    (runs[1].path / "generator.safetensors").unlink()
    assert dg.Run("latest") == runs[1] and dg.Run("latest") != runs[0]


def test_a_generator_in_memory_is_evaluated_and_not_its_file(work: Path) -> None:
    run = dg.train("phantom:70", kimg=0.02, **SMALL)
    g = run.generator
    run.resume(kimg=0.1, device="cpu", progress=False)
    options = {"n": 32, "device": "cpu", "progress": False}
    of_model = dg.evaluate("phantom:300", g, **options)
    of_images = dg.evaluate("phantom:300", g.sample(32), **options)
    assert of_model.by("imagenet")["overall"]["kid"]["fake"] == pytest.approx(of_images.by("imagenet")["overall"]["kid"]["fake"], rel=1e-6)
    assert g.sha256 in of_model["fake"] and run.generator.sha256 != g.sha256


def test_a_second_ctrl_c_does_not_hide_how_to_go_on(work: Path) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def press(event: events.Event) -> None:
        if isinstance(event, events.Progress) and event.nimg >= 50:
            for delay in (0.0, 0.05, 0.1):
                threading.Timer(delay, signal.pthread_kill, (main, signal.SIGINT)).start()
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt, match=r"resume\(\)"):
        dg.train("phantom:70", kimg=50, on_event=press, **SMALL)
        time.sleep(1)


def test_training_waits_for_the_callback(work: Path) -> None:
    behind = []

    def slow(event: events.Event) -> None:
        if isinstance(event, events.Snapshot):
            time.sleep(0.3)
            behind.append(event.checkpoint.exists())

    dg.train("phantom:70", kimg=0.4, keep=1, on_event=slow, **SMALL)
    assert len(behind) >= 4 and all(behind)


def test_a_damaged_run_is_read_or_named(work: Path) -> None:
    run = dg.train("phantom:70", kimg=0.05, **SMALL)
    with open(run.path / "stats.jsonl", "a") as file:
        file.write("null\n[1]\n{\"half")
    assert len(run.history["Progress/kimg"]) >= 1 and "kimg" in repr(run)
    (run.path / "training_options.json").write_text("[]")
    with pytest.raises(dg.DataError, match="training_options.json: expected a JSON object"):
        _ = run.options
    import shutil

    shutil.rmtree(run.path)
    assert "gone" in repr(run)
    with pytest.raises(FileNotFoundError, match="the folder of the run is gone"):
        _ = run.history
