"""Data sets: prepared images, labels, the split, and the account of a source."""

import csv
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dermagan as dg


def open_phantom(n: int = 70, **options: object) -> dg.Dataset:
    return dg.Dataset.open(f"phantom:{n}", progress=False, **options)  # type: ignore[arg-type]


def test_a_data_set_has_images_labels_and_a_split() -> None:
    ds = open_phantom(size=32)
    assert ds.images.shape == (len(ds), 32, 32, 3) and ds.images.dtype == np.uint8 and not ds.images.flags.writeable
    assert ds.labels.shape == (len(ds),) and ds.labels.dtype == np.int64
    assert ds.classes == ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
    sides = {side: ds.split(side) for side in ("train", "val", "test")}
    assert sum(map(len, sides.values())) == len(ds) and all(map(len, sides.values()))
    ids = {side: set(part.table["image_id"]) for side, part in sides.items()}
    assert not ids["train"] & ids["test"]
    table = ds.table
    for side, part in sides.items():
        chosen = [i for i, s in enumerate(table["split"]) if s == side]
        assert np.array_equal(part.images, ds.images[chosen]) and np.array_equal(part.labels, ds.labels[chosen])
        image, label = part[-1]
        assert np.array_equal(image, ds.images[chosen[-1]]) and label == ds.labels[chosen[-1]]
    assert [ds.classes[label] for label in ds.labels] == table["dx"]
    assert len(list(ds)) == len(ds)
    with pytest.raises(IndexError):
        ds[len(ds)]
    assert "<td>nv</td>" in ds._repr_html_()
    ds.verify()


def test_the_info_is_that_of_the_command_line(dermagan) -> None:  # type: ignore[no-untyped-def]
    import json

    info = open_phantom().info()
    cli = json.loads(dermagan("data", "info", "phantom:70", "--json"))
    for key in ("name", "images", "lesions", "classes", "sex", "age", "localization", "dx_type", "report"):
        assert info[key] == cli[key], key
    assert {k: info["split"][k] for k in cli["split"]} == cli["split"]
    assert "images" in info["account"]


def test_a_folder_of_classes_is_read_and_what_is_left_out_is_said(work: Path) -> None:
    rng = np.random.default_rng(0)
    for code in ("nv", "mel"):
        Path("data", code).mkdir(parents=True)
        for i in range(12):
            Image.fromarray(rng.integers(0, 255, (80, 90, 3), dtype=np.uint8)).save(f"data/{code}/{code}{i}.png")
    Path("data/nv/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    ds = dg.Dataset.open("data", size=32, progress=False)
    assert len(ds) == 24 and set(ds.table["dx"]) == {"mel", "nv"} and "broken" in ds.info()["account"]
    with pytest.raises(dg.DataError, match="broken"):
        dg.Dataset.open("data", size=32, strict=True, progress=False)
    again = dg.Dataset.open(ds.path, progress=False)
    assert np.array_equal(again.images, ds.images)


def test_wrong_arguments_and_sources_are_named(work: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file or folder: nowhere"):
        dg.Dataset.open("nowhere")
    Path("empty").mkdir()
    with pytest.raises(dg.DataError, match="empty"):
        dg.Dataset.open("empty")
    with pytest.raises(ValueError, match="size=3: expected 4 to 2048"):
        open_phantom(size=3)
    with pytest.raises(ValueError, match="fit='stretch': expected crop, pad or squash"):
        open_phantom(fit="stretch")
    with pytest.raises(ValueError, match="split=official"):
        open_phantom(split_by="official")
    with pytest.raises(ValueError, match="side='validation': expected train, val or test"):
        open_phantom().split("validation")
    for argument in ("fit", "strict", "split_by"):
        with pytest.raises(TypeError, match=f"{argument}=3: expected"):
            open_phantom(**{argument: 3})
    with pytest.raises(TypeError, match="source=b'x': expected a str or a path"):
        dg.Dataset.open(b"x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ds.images"):
        open_phantom()[0:2]  # type: ignore[index]
    with pytest.raises(ValueError, match="the file was prepared with 64 pixels, crop and lanczos"):
        dg.Dataset.open(open_phantom().path, size=32)
    with pytest.raises(ValueError, match="one side of a split already"):
        open_phantom().split("test").split("train")


def test_changed_pixels_are_found() -> None:
    ds = open_phantom(71, size=16)
    with open(ds.path, "r+b") as file:
        file.seek(ds._cache.offset + 5 * 16 * 16 * 3)
        file.write(b"\0\xff\0\xff")
    with pytest.raises(dg.DataError, match="1 images have changed"):
        ds.verify()


def test_the_real_archive(real_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dermagan"):
        ds = dg.Dataset.open(real_data, progress=False)
    assert len(ds) == 10015 and ds.info()["lesions"] == 7470 and ds.info()["differs_from_published"] == []
    counts = dict(zip(ds.classes, np.bincount(ds.labels).tolist()))
    assert counts == {"akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142}
    lesions = [set(ds.split(side).table["lesion_id"]) for side in ("train", "test")]
    assert not lesions[0] & lesions[1]


def test_the_table_goes_into_a_csv(work: Path) -> None:
    table = open_phantom().table
    with open("table.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(table)
        rows.writerows(zip(*table.values()))
    assert len(list(csv.DictReader(open("table.csv")))) == len(open_phantom())


def test_a_data_set_is_written_for_other_programs(work: Path) -> None:
    ds = open_phantom(size=32)
    parts = ds.export("all", format="imagefolder")
    assert sum(parts.values()) == len(ds) and set(parts) == {"train", "validation", "test"}
    assert ds.split("test").export("test.zip", format="stylegan") == {"test": len(ds.split("test"))}
    with pytest.raises(ValueError, match="format.*folder, imagefolder, zip"):
        ds.export("other")
    with pytest.raises(ValueError, match="format: 'tfrecord': expected folder"):
        ds.export("other", format="tfrecord")


def test_a_data_set_does_not_depend_on_the_working_folder_and_is_pickled(work: Path) -> None:
    import pickle

    Path("é/nv").mkdir(parents=True)
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 255, (80, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"é/nv/{i}.png")
    ds = dg.Dataset.open("é", size=32, fit="pad", progress=False)
    Path("elsewhere").mkdir()
    import os

    os.chdir("elsewhere")
    train = pickle.loads(pickle.dumps(ds.split("train")))
    assert np.array_equal(train.images, ds.split("train").images)
    options = {"preset": "tiny", "width": 4, "batch": 4, "kimg": 0.02, "device": "cpu", "progress": False}
    run = dg.train(ds, **options)  # type: ignore[arg-type]
    assert run.options["input"]["fit"] == "pad", "the run uses the images of the data set"
    os.chdir("..")
    assert len(run.history["Progress/kimg"]) >= 1


def test_a_file_that_became_shorter_is_found() -> None:
    import os

    ds = open_phantom(72, size=16)
    os.truncate(ds.path, 5000)
    with pytest.raises(dg.DataError, match="images have changed"):
        ds.verify()
