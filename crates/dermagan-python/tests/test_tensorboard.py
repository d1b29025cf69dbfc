"""TensorBoard's own reader reads the event file of a run."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVENTS = "events.out.tfevents.run"
TRAIN = ["train", "--preset", "tiny", "--data", "phantom:60", "--width", "4", "--batch", "8", "--device", "cpu",
         "--kimg", "0.4", "--snap", "0.1", "--tick", "0.05", "--metrics", "kid,pr", "--keep", "0"]
# Values that differ between equal runs.
OF_TIME = ("Timing/", "Resources/")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("DERMAGAN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def only_run(outdir):
    [run] = outdir.iterdir()
    return run


def read(run):
    # 0 keeps everything: by default only a sample of the images is kept.
    events = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def images_seen(kimg):
    return round(kimg * 1000)


def shown(run):
    """Steps and values by tag, without those of time."""
    events = read(run)
    scalars = {tag: [(event.step, event.value) for event in events.Scalars(tag)]
               for tag in events.Tags()["scalars"] if not tag.startswith(OF_TIME)}
    images = {tag: [(event.step, event.encoded_image_string) for event in events.Images(tag)]
              for tag in events.Tags()["images"]}
    return scalars, images


def test_scalars_are_the_statistics_and_the_metrics(dermagan, tmp_path):
    dermagan(*TRAIN, "--outdir", str(tmp_path / "runs"))
    run = only_run(tmp_path / "runs")
    events = read(run)
    stats = lines(run / "stats.jsonl")
    assert len(stats) == 8
    expected = {}
    for line in stats:
        step = images_seen(line["Progress/kimg"]["mean"])
        for name, field in line.items():
            if isinstance(field, dict):
                expected.setdefault(name, []).append((step, np.float32(field["mean"]), line["timestamp"]))
    for path in run.glob("metric-*.jsonl"):
        for line in lines(path):
            for name, value in line["results"].items():
                event = (images_seen(line["Progress/kimg"]), np.float32(value), line["timestamp"])
                expected.setdefault(f"Metrics/{name}", []).append(event)
    found = {tag: [(event.step, np.float32(event.value), event.wall_time) for event in events.Scalars(tag)]
             for tag in events.Tags()["scalars"]}
    assert found == expected
    assert {"Loss/D/loss", "Loss/G/loss", "Progress/kimg", "Timing/sec_per_kimg"} < found.keys()
    assert any(tag.startswith("Metrics/kid") for tag in found)
    assert events.file_version == 2.0


def test_images_are_the_grids_on_disk(dermagan, tmp_path):
    dermagan(*TRAIN, "--outdir", str(tmp_path / "runs"))
    run = only_run(tmp_path / "runs")
    events = read(run)
    names = {"reals": {0: "reals.png"},
             "fakes": {0: "fakes_init.png", 104: "fakes000000.104.png", 200: "fakes000000.200.png",
                       304: "fakes000000.304.png", 400: "fakes000000.400.png"}}
    assert set(events.Tags()["images"]) == names.keys()
    for tag, files in names.items():
        assert [event.step for event in events.Images(tag)] == list(files)
        for event in events.Images(tag):
            file = run / files[event.step]
            assert event.encoded_image_string == file.read_bytes()
            image = Image.open(io.BytesIO(event.encoded_image_string))
            assert image.mode == "RGB" and image.size == (event.width, event.height)
            assert np.array_equal(np.asarray(image), np.asarray(Image.open(file)))
            assert abs(event.wall_time - file.stat().st_mtime) < 1


def test_a_resumed_run_shows_what_an_uninterrupted_one_does(dermagan, tmp_path):
    for outdir in ["whole", "killed"]:
        dermagan(*TRAIN, "--outdir", str(tmp_path / outdir))
    whole, run = only_run(tmp_path / "whole"), only_run(tmp_path / "killed")
    # As after a kill while an event was added, after 300 images: the newest checkpoint is that of 200.
    for checkpoint in ["304", "400"]:
        (run / f"checkpoint-000000.{checkpoint}.safetensors").unlink()
    torn = (run / EVENTS).read_bytes()
    (run / EVENTS).write_bytes(torn[: len(torn) * 3 // 4])
    read(run)  # A torn record does not stop the reader.
    dermagan("train", "--resume", str(run), "--device", "cpu")
    assert [path.name for path in run.glob("*tfevents*")] == [EVENTS]
    scalars, images = shown(run)
    assert (scalars, images) == shown(whole)
    for events in [*scalars.values(), *images.values()]:
        steps = [step for step, _ in events]
        assert steps == sorted(set(steps))
    assert [step for step, _ in scalars["Loss/D/loss"]] == [56, 104, 152, 200, 256, 304, 352, 400]


def test_a_longer_run_shows_every_step_once(dermagan, tmp_path):
    outdir = str(tmp_path / "runs")
    dermagan(*TRAIN, "--outdir", outdir)
    run = only_run(tmp_path / "runs")
    dermagan("train", "--resume", str(run), "--kimg", "0.6", "--device", "cpu")
    scalars, images = shown(run)
    stats = [images_seen(line["Progress/kimg"]["mean"]) for line in lines(run / "stats.jsonl")]
    assert [step for step, _ in scalars["Loss/D/loss"]] == stats == sorted(set(stats))
    assert [step for step, _ in images["fakes"]] == [0, 104, 200, 304, 400, 504, 600]
