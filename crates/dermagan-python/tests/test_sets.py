"""Sets of images in the formats of other programs, read back by the readers of those programs.

The images come from the generator that ships with dermagan, or are the built-in phantom images: neither needs a download.
"""

import csv
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import dermagan
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

np = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")

CLASSES = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
# Image ids in the order of the set: all seeds of the first class, then of the next.
IDS = [f"{code}-seed{seed:04}" for code in ("mel", "df") for seed in range(5)]


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    """The library `datasets`, with a cache of its own in this test."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()

    def load(*args, **kwargs):
        return datasets.load_dataset(*args, cache_dir=str(tmp_path / "hf"), **kwargs)

    monkeypatch.setattr(datasets, "load", load, raising=False)
    return datasets


@pytest.fixture
def write(dermagan, tmp_path):
    """Writes ten images of two classes in a format, and gives the place."""

    def write(format, name="set"):
        out = tmp_path / name
        divided = format in ("webdataset", "parquet") and not out.suffix
        dermagan(
            *("sample", "shipped", "--class", "mel,df", "-n", "5", "--device", "cpu"),
            *("--format", format, "--out", str(out)),
            *(["--images-per-file", "4"] if divided else []),
        )
        return out

    return write


@pytest.fixture
def pngs(write):
    """The PNG files of the folder format by their image ids: what all formats must hold."""
    folder = write("folder", "folder")
    return {path.stem: path.read_bytes() for path in folder.glob("*.png")}


def text_of(png):
    """The text chunks of a PNG."""
    return Image.open(io.BytesIO(png)).text


def check_row(row, png):
    """The metadata of an image agrees with the text in its PNG file."""
    text = text_of(png)
    assert text["Description"].startswith("SYNTHETIC")
    assert row["image_id"] == f"{row['dx']}-seed{row['seed']:04}"
    assert row["dx"] == text["dermagan:class"]
    assert row["seed"] == int(text["dermagan:seed"])
    assert row["truncation"] == float(text["dermagan:psi"])
    assert row["model"] == text["dermagan:model"]
    assert row["training_data_licence"] == text["dermagan:training-data-licence"]
    assert row["producer"] == text["Software"]
    assert (row["synthetic"], row["dx_type"]) == (True, "synthetic")


def test_parquet(datasets, write, pngs):
    folder = write("parquet")
    names = sorted(path.name for path in (folder / "data").iterdir())
    assert names == [f"train-{i:05}-of-00003.parquet" for i in range(3)]
    data = datasets.load(str(folder))
    assert list(data) == ["train"] and len(data["train"]) == 10
    data = data["train"]
    assert data.features["image"] == datasets.Image()
    assert data.features["label"].names == CLASSES
    assert data.features["seed"].dtype == "uint64"
    stored = data.cast_column("image", datasets.Image(decode=False))
    assert [row["image_id"] for row in data] == IDS
    for row, raw in zip(data, stored):
        png = raw["image"]["bytes"]
        assert png == pngs[row["image_id"]]
        assert raw["image"]["path"] == f"{row['image_id']}.png"
        assert np.array_equal(np.asarray(row["image"]), np.asarray(Image.open(io.BytesIO(png))))
        assert CLASSES[row["label"]] == row["dx"]
        check_row(row, png)


def test_parquet_as_one_file(write, pngs):
    parquet = pytest.importorskip("pyarrow.parquet")
    pandas = pytest.importorskip("pandas")
    path = write("parquet", "set.parquet")
    file = parquet.ParquetFile(path)
    assert file.metadata.num_rows == 10
    assert file.metadata.created_by.startswith("dermagan version ")
    features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert features["label"] == {"names": CLASSES, "_type": "ClassLabel"}
    rows = pandas.read_parquet(path)
    assert [image["bytes"] for image in rows["image"]] == [pngs[name] for name in IDS]
    assert rows["age"].isna().all() and rows["label"].tolist() == [4] * 5 + [3] * 5


def test_parquet_of_many_row_groups(dermagan, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "many.parquet"
    dermagan("data", "export", "phantom:2500", "--size", "8", "--out", str(path))
    file = parquet.ParquetFile(path)
    groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    assert groups[:2] == [1000, 1000] and sum(groups) == file.metadata.num_rows
    table = file.read()
    splits = table["split"].to_pylist()
    assert set(splits) == {"train", "validation", "test"}
    assert len(set(table["image_id"].to_pylist())) == len(splits)
    # Some values are missing in the phantom's metadata, as in HAM10000's.
    assert 0 < table["age"].null_count < len(splits)
    assert set(table["sex"].to_pylist()) == {"female", "male", None}


def test_imagefolder(datasets, write, pngs):
    folder = write("imagefolder")
    for data in (
        datasets.load(str(folder), split="train"),
        datasets.load("imagefolder", data_dir=str(folder), split="train"),
    ):
        assert [row["image_id"] for row in data] == IDS
        for row in data:
            png = (folder / f"{row['image_id']}.png").read_bytes()
            assert png == pngs[row["image_id"]]
            assert np.array_equal(np.asarray(row["image"]), np.asarray(Image.open(io.BytesIO(png))))
            assert CLASSES[row["label"]] == row["dx"]
            check_row(row, png)


def test_webdataset_by_datasets(datasets, write):
    folder = write("webdataset")
    data = datasets.load(str(folder), split="train")
    assert data.features["cls"].names == CLASSES
    assert [row["__key__"] for row in data] == IDS
    for row in data:
        assert row["png"].size == (64, 64)
        assert CLASSES[row["cls"]] == row["json"]["dx"]
    # Without the types of the README.
    files = str(folder / "train-*.tar")
    data = datasets.load("webdataset", data_files={"train": files}, split="train")
    assert [row["json"]["seed"] for row in data] == [0, 1, 2, 3, 4] * 2


def test_webdataset_by_webdataset(write, pngs):
    webdataset = pytest.importorskip("webdataset")
    folder = write("webdataset")
    shards = sorted(map(str, folder.glob("*.tar")))
    assert [Path(shard).name for shard in shards] == [f"train-{i:06}.tar" for i in range(3)]
    found = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert [sample["__key__"] for sample in found] == IDS
    for sample in found:
        assert sample["png"] == pngs[sample["__key__"]]
        row = json.loads(sample["json"])
        assert CLASSES[int(sample["cls"])] == row["dx"]
        check_row(row, sample["png"])
    decoded = next(iter(webdataset.WebDataset(shards, shardshuffle=False).decode("pil")))
    assert (decoded["png"].size, decoded["cls"]) == ((64, 64), 4)


def test_webdataset_is_ustar_with_fixed_times(write):
    path = write("webdataset", "set.tar")
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    assert [Path(member.name).suffix for member in members[:3]] == [".png", ".json", ".cls"]
    assert {member.mtime for member in members} == {0}
    assert path.read_bytes()[257:265] == b"ustar\x0000"


def test_zip(write, pngs, tmp_path):
    with zipfile.ZipFile(write("zip", "set.zip")) as file:
        assert file.testzip() is None
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        images = {Path(name).stem: file.read(name) for name in file.namelist() if ".png" in name}
        table = file.read("metadata.csv")
    assert images == pngs
    assert table == (tmp_path / "folder" / "metadata.csv").read_bytes()
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert [row["image_id"] for row in rows] == IDS
    assert [row["dx"] for row in rows] == ["mel"] * 5 + ["df"] * 5


class StyleGanZip:
    """Reads a zip by the rules of StyleGAN2-ADA and StyleGAN3 (`dataset_tool.py` describes them): all files with the ending
    of an image, in the order of their names; labels by file name from `labels` in `dataset.json`, whole numbers for
    classes; all images of one shape, channels first, square, with a side that is a power of two.
    """

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path)
        Image.init()
        endings = {ending.lower() for ending in Image.EXTENSION}
        self.names = sorted(n for n in self.zip.namelist() if Path(n).suffix.lower() in endings)
        labels = json.loads(self.zip.read("dataset.json"))["labels"]
        self.labels = None
        if labels is not None:
            by_name = {name.replace("\\", "/"): label for name, label in labels}
            self.labels = np.array([by_name[name] for name in self.names])
            assert self.labels.dtype == np.int64 and self.labels.ndim == 1
            self.labels = np.eye(self.labels.max() + 1)[self.labels]
        shapes = {self.image(i).shape for i in range(len(self.names))}
        assert len(shapes) == 1
        channels, height, width = shapes.pop()
        assert channels == 3 and height == width and width & (width - 1) == 0

    def image(self, i):
        with self.zip.open(self.names[i]) as file:
            image = np.array(Image.open(file))
        assert image.dtype == np.uint8 and image.ndim == 3
        return image.transpose(2, 0, 1)


def test_stylegan(write, pngs):
    data = StyleGanZip(write("stylegan", "set.zip"))
    assert data.names == [f"00000/img{i:08}.png" for i in range(10)]
    assert {info.compress_type for info in data.zip.infolist()} == {zipfile.ZIP_STORED}
    for i, name in enumerate(IDS):
        png = data.zip.read(data.names[i])
        assert png == pngs[name]
        assert CLASSES[data.labels[i].argmax()] == text_of(png)["dermagan:class"]


def test_all_classes_of_stylegan_have_labels(dermagan, tmp_path):
    out = tmp_path / "set.zip"
    dermagan(
        *("sample", "shipped", "--class", "all", "-n", "2", "--device", "cpu"),
        *("--format", "stylegan", "--out", str(out)),
    )
    assert StyleGanZip(out).labels.argmax(1).tolist() == [c for c in range(7) for _ in range(2)]


@pytest.fixture
def export(dermagan, tmp_path, monkeypatch):
    """Writes the phantom's images in a format, and gives the place."""
    monkeypatch.setenv("DERMAGAN_CACHE", str(tmp_path / "cache"))

    def export(format, name, *more):
        out = tmp_path / name
        args = ("data", "export", "phantom:80", "--size", "32", "--format", format)
        dermagan(*args, "--out", str(out), *more)
        return out

    return export


SPLITS = ["train", "validation", "test"]


def test_prepared_images_have_the_same_rows_in_all_formats(datasets, export):
    """Real images are written as the phantom's are: what differs is only where the pixels come from."""
    parquet = datasets.load(str(export("parquet", "p")))
    folder = datasets.load(str(export("imagefolder", "i")))
    shards = datasets.load(str(export("webdataset", "w")))
    plain = export("folder", "f")
    assert list(parquet) == list(folder) == list(shards) == SPLITS
    for split in SPLITS:
        by_id = {row["image_id"]: row for row in folder[split]}
        tables = csv.DictReader(open(plain / split / "metadata.csv", newline=""))
        tables = {row["image_id"]: row for row in tables}
        assert len(parquet[split]) == len(by_id) == len(shards[split]) == len(tables) > 0
        for row, shard in zip(parquet[split], shards[split]):
            name, pixels = row["image_id"], np.asarray(row["image"])
            png = (plain / split / f"{name}.png").read_bytes()
            for other in (by_id[name]["image"], shard["png"], Image.open(io.BytesIO(png))):
                assert np.array_equal(pixels, np.asarray(other))
            assert row["label"] == by_id[name]["label"] == shard["cls"]
            metadata = {k: v for k, v in row.items() if k not in ("image", "label")}
            assert metadata == shard["json"]
            assert metadata["split"] == split and metadata["source"] == "phantom"
            for key in ("dx", "dx_type", "sex", "localization"):
                assert tables[name][key] == by_id[name][key] == (metadata[key] or "unknown")
            assert (tables[name]["age"] or None) == (metadata["age"] and str(metadata["age"]))
            text = text_of(png)
            assert (text["Title"], text["Source"]) == (name, "phantom")
            assert text["Copyright"] == metadata["licence"]
            assert "SYNTHETIC" not in str(text) and "Software" not in text


def test_stylegan_gets_the_side_for_training(datasets, export):
    train = datasets.load(str(export("parquet", "p")), split="train")
    data = StyleGanZip(export("stylegan", "s.zip"))
    assert data.labels.argmax(1).tolist() == train["label"]
    for i, row in enumerate(train):
        assert np.array_equal(data.image(i).transpose(1, 2, 0), np.asarray(row["image"]))
    everything = StyleGanZip(export("stylegan", "all.zip", "--split", "all"))
    assert len(everything.names) > len(data.names)


def test_the_card_is_that_of_a_dataset(export):
    hub = pytest.importorskip("huggingface_hub")
    card = hub.DatasetCard.load(export("parquet", "p") / "README.md")
    assert card.data.license == "other" and "procedural" in card.data.license_name
    assert [file["split"] for file in card.data.configs[0]["data_files"]] == SPLITS
    assert "synthetic" in card.data.tags


def test_images_without_classes_have_no_labels(datasets, dermagan, tmp_path):
    small = ("--preset", "tiny", "--data", "phantom:60", "--width", "4", "--batch", "8", "--kimg", "0.02")
    runs = str(tmp_path / "runs")
    dermagan("train", *small, "--device", "cpu", "--outdir", runs)

    def sample(out):
        place = tmp_path / out
        dermagan("sample", "--outdir", runs, "-n", "3", "--device", "cpu", "--out", str(place))
        return place

    data = datasets.load("parquet", data_files=str(sample("set.parquet")), split="train")
    assert "label" not in data.features
    assert [(row["image_id"], row["dx"]) for row in data] == [(f"seed{i:04}", None) for i in range(3)]
    with tarfile.open(sample("set.tar")) as tar:
        assert tar.getnames() == [f"seed{i:04}.{end}" for i in range(3) for end in ("png", "json")]
    stylegan = tmp_path / "stylegan.zip"
    dermagan(
        *("sample", "--outdir", runs, "-n", "3", "--device", "cpu"),
        *("--format", "stylegan", "--out", str(stylegan)),
    )
    assert StyleGanZip(stylegan).labels is None


def test_an_imagefolder_of_few_images_of_unknown_classes_keeps_their_names(dermagan, tmp_path):
    rng = np.random.default_rng(0)
    for code in ("aa", "bb"):
        (tmp_path / "two" / code).mkdir(parents=True)
        for i in range(10):
            pixels = rng.integers(0, 255, (80, 80, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "two" / code / f"{code}{i}.png")
    dermagan("data", "export", tmp_path / "two", "--format", "imagefolder", "--out", tmp_path / "out")
    info = json.loads(dermagan("data", "info", tmp_path / "out", "--json"))
    assert {c["code"]: c["images"] for c in info["classes"]} == {"aa": 10, "bb": 10}


def test_a_generator_without_classes_gives_no_labels(dermagan, tmp_path):
    (tmp_path / "flat").mkdir()
    rng = np.random.default_rng(0)
    for i in range(24):
        Image.fromarray(rng.integers(0, 255, (80, 80, 3), dtype=np.uint8)).save(tmp_path / "flat" / f"{i}.png")
    small = ["--preset", "tiny", "--width", "4", "--batch", "8", "--kimg", "0.02", "--device", "cpu"]
    dermagan("train", "--data", tmp_path / "flat", "--outdir", tmp_path / "runs", *small)
    (run,) = (tmp_path / "runs").iterdir()
    dermagan("sample", run, "-n", "3", "--format", "stylegan", "--out", tmp_path / "s.zip", "--device", "cpu")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert json.loads(archive.read("dataset.json"))["labels"] is None


def test_a_pipe_is_refused(dermagan, tmp_path):
    import os

    for name in ("pipe.zip", "pipe.onnx", "pipe.py", "pipe.safetensors"):
        os.mkfifo(tmp_path / name)
        words = ["sample", "shipped", "-n", "1"] if name.endswith("zip") else ["export", "shipped"]
        with pytest.raises(AssertionError, match="not a regular file"):
            dermagan(*words, "--out", tmp_path / name, timeout=60)


def test_medigan_gets_a_folder_or_an_array(tmp_path: Path) -> None:
    from dermagan import medigan

    assert medigan.generate("shipped", 3, tmp_path / "m", classes=["df", "mel"], seed=5) is None
    names = {path.name for path in (tmp_path / "m").glob("*.png")}
    assert names == {f"{code}-seed{seed:04}.png" for code in ("df", "mel") for seed in (5, 6, 7)}
    passport = json.loads((tmp_path / "m" / "passport.json").read_text())
    assert passport["classes"] == {"df": 3, "mel": 3}
    images = medigan.generate("shipped", 3, save_images=False, classes="df", seed=5)
    assert images is not None and images.shape == (3, 64, 64, 3)
    drawn = medigan.generate("shipped", 2, save_images=False)
    assert drawn is not None and np.array_equal(drawn, dermagan.Generator.load("shipped").sample(2))
