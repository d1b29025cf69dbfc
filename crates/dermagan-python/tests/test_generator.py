"""Generators: images by seed and class, in memory and as files."""

import csv
import io
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dermagan as dg


@pytest.fixture(scope="module")
def g() -> dg.Generator:
    return dg.Generator.load(device="cpu")


def test_images_have_their_documented_form(g: dg.Generator) -> None:
    x = g.sample(3, label="mel", seed=5)
    assert x.shape == (3, 64, 64, 3) and x.dtype == np.uint8 and x.flags.writeable and x.flags.c_contiguous
    assert np.array_equal(x, g.sample(seeds=[5, 6, 7], labels=["mel"] * 3))
    assert np.array_equal(x[1:2], g.sample(seeds=range(6, 7), label="mel", batch=1))
    assert x.std() > 10, "images have content"
    assert g.sample(0).shape == (0, 64, 64, 3)
    assert g.sample(seeds=np.array([5]), label="MEL").shape == (1, 64, 64, 3)


def test_images_are_those_of_the_command_line_to_the_bit(g: dg.Generator, dermagan, work: Path) -> None:  # type: ignore[no-untyped-def]
    dermagan("sample", "shipped", "--seeds", "3,9", "--class", "nv,df", "--out", "of-cli", "--device", "cpu")
    x = g.sample(seeds=[3, 9], labels=["nv", "df"])
    for image, name in zip(x, ["nv-seed0003", "df-seed0009"]):
        assert np.array_equal(image, np.asarray(Image.open(f"of-cli/{name}.png"))), name
    dermagan("sample", "shipped", "-n", "4", "--trunc", "0.5", "--out", "drawn", "--device", "cpu")
    x, labels = g.sample(4, truncation=0.5), g.labels(4)
    rows = {row["image_id"]: row["dx"] for row in csv.DictReader(open("drawn/metadata.csv"))}
    for seed, (image, label) in enumerate(zip(x, labels)):
        assert np.array_equal(image, np.asarray(Image.open(f"drawn/seed{seed:04}.png")))
        assert rows[f"seed{seed:04}"] == label
    dermagan("sample", "shipped", "--class", "all", "--grid", "3x7", "--out", "cli.png", "--device", "cpu")
    grid = g.grid(3, 7, classes="all")
    grid.save("grid.png")
    assert Path("cli.png").read_bytes() == Path("grid.png").read_bytes() == grid.png
    dermagan("sample", "shipped", "--interpolate", "0,5,9", "--frames", "3", "--out", "cli.gif", "--device", "cpu")
    walk = g.interpolate([0, 5, 9], frames=3)
    walk.save("walk.gif")
    assert Path("cli.gif").read_bytes() == Path("walk.gif").read_bytes()
    assert g.save("of-python.zip", 3, label="nv") == 3 and Path("of-python.zip").is_file()
    assert g.save("of-python", seeds=[3, 9], classes=["nv", "df"]) == 4
    names = sorted(path.name for path in Path("of-python").iterdir())
    assert names == sorted(path.name for path in Path("of-cli").iterdir())
    for name in names:
        assert Path("of-python", name).read_bytes() == Path("of-cli", name).read_bytes()


def test_latents_give_the_images_of_their_seeds_up_to_orientation(g: dg.Generator) -> None:
    z = g.latents(range(8))
    assert z.shape == (8, g.latent_length) and z.dtype == np.float32
    half = g.latents(range(8), truncation=0.5)
    assert np.array_equal(half[:, : g.z_dim], z[:, : g.z_dim] / 2)
    assert np.array_equal(half[:, g.z_dim :], z[:, g.z_dim :])
    made, sampled = g.from_latents(z, labels="bkl"), g.sample(8, label="bkl")
    for image, oriented in zip(made, sampled):
        turned = [np.rot90(m, k) for m in (image, image[:, ::-1]) for k in range(4)]
        assert any(np.array_equal(t, oriented) for t in turned)
    assert np.array_equal(made[2:3], g.from_latents(z[2:3].tolist(), labels=["bkl"], batch=1))


def test_a_grid_and_a_walk_show_themselves(g: dg.Generator) -> None:
    grid = g.grid(4, 2, seeds=range(8), label="vasc")
    shown = Image.open(io.BytesIO(grid._repr_png_()))
    assert shown.size == (256, 128) and grid.shape == (128, 256, 3)
    assert shown.text["dermagan:model"] == g.sha256 and "SYNTHETIC" in shown.text["Description"]
    cells = g.sample(8, label="vasc").reshape(2, 4, 64, 64, 3).transpose(0, 2, 1, 3, 4).reshape(128, 256, 3)
    assert np.array_equal(np.asarray(shown), cells)
    walk = g.interpolate([0, 5], label="nv", frames=2, scale=2)
    assert walk.frames.shape == (4, 128, 128, 3) and len(walk) == 4
    shown = Image.open(io.BytesIO(walk._repr_png_()))
    assert shown.n_frames == 4
    assert np.array_equal(np.asarray(shown.convert("RGB")), walk.frames[0])


def test_the_card_says_where_the_generator_comes_from(g: dg.Generator) -> None:
    assert g.classes == ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"] and g.conditioned
    assert g.card["licence"].startswith("CC BY-NC") and g.card["turns"] is True
    assert len(g.sha256) == 64 and g.resolution == 64
    assert "64x64" in repr(g)


def test_wrong_arguments_are_named(g: dg.Generator, work: Path) -> None:
    cases = [
        (ValueError, "label='melanoma': no such class.*akiec, bcc", lambda: g.sample(2, label="melanoma")),
        (ValueError, "3 labels for 2 images", lambda: g.sample(2, labels=["nv"] * 3)),
        (ValueError, "truncation=-1: expected 0 to 100", lambda: g.sample(2, truncation=-1)),
        (ValueError, "truncation=nan: expected a finite", lambda: g.sample(2, truncation=float("nan"))),
        (ValueError, "batch=5000: expected 1 to 4096", lambda: g.sample(2, batch=5000)),
        (ValueError, "seeds=-1: expected 0 to", lambda: g.sample(seeds=[-1])),
        (ValueError, "seeds=18446744073709551615", lambda: g.sample(seeds=[2**64 - 1])),
        (TypeError, "seeds=1.5: expected an int", lambda: g.sample(seeds=[1.5])),
        (TypeError, "label=3: expected a str", lambda: g.sample(2, label=3)),
        (ValueError, "labels='zz'", lambda: g.sample(2, labels=["zz", "nv"])),
        (TypeError, r"labels=\[\]: expected a str", lambda: g.sample(2, labels=[[], "nv"])),
        (TypeError, "seeds=5: expected ints", lambda: g.sample(seeds=5)),
        (TypeError, "truncation='0.5': expected a number", lambda: g.sample(2, truncation="0.5")),
        (TypeError, "truncation=None: expected a number", lambda: g.sample(2, truncation=None)),
        (ValueError, "n=8589934592: expected 0 to 4294967295", lambda: g.sample(2**33)),
        (TypeError, "classes=5: expected a str", lambda: g.grid(1, 1, classes=[5])),
        (TypeError, "real numbers, not of complex", lambda: g.from_latents(np.zeros((1, 5540), complex), labels="nv")),
        (ValueError, "out: the path is empty", lambda: g.save("", 1)),
        (TypeError, "out=b'x': expected a str or a path", lambda: g.save(b"x", 1)),
        (MemoryError, "do not fit into memory", lambda: g.labels(2**31)),
        (MemoryError, "do not fit into memory", lambda: g.latents(range(2_000_000))),
        (TypeError, "one code per image", lambda: g.sample(2, labels="nv")),
        (ValueError, "either the seeds, or", lambda: g.sample(2, seeds=[1, 2])),
        (ValueError, "either one label", lambda: g.sample(2, label="nv", labels=["nv", "nv"])),
        (ValueError, r"their shape is \[2, 100\], expected \[n, 5540\]", lambda: g.from_latents(np.zeros((2, 100)))),
        (ValueError, "not all of them are finite", lambda: g.from_latents(np.full((1, 5540), np.nan), labels="nv")),
        (ValueError, "needs a class for each latent", lambda: g.from_latents(np.zeros((1, 5540)))),
        (ValueError, "grid=8x3: 3 rows for 7 classes", lambda: g.grid(8, 3, classes="all")),
        (ValueError, "frames=300: expected 1 to 240", lambda: g.interpolate([0, 1], frames=300)),
        (ValueError, "seeds=1 seeds: expected at least 2", lambda: g.interpolate([0])),
        (MemoryError, "do not fit into memory", lambda: g.sample(2**31)),
        (FileNotFoundError, "no such model or run: missing", lambda: dg.Generator.load("missing")),
        (dg.DeviceError, "gpu:99|no GPU", lambda: dg.Generator.load(device="gpu:99")),
        (ValueError, "device.*expected", lambda: dg.Generator.load(device="abacus")),
    ]
    for kind, words, call in cases:
        with pytest.raises(kind, match=words):
            call()
    Path("not-a-model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(dg.ModelError, match="not-a-model"):
        dg.Generator.load("not-a-model.safetensors")
    Path("foreign").mkdir()
    Path("foreign/thesis.txt").write_text("three years of work")
    with pytest.raises(ValueError, match="foreign: it holds thesis.txt"):
        g.save("foreign", 2)
    with pytest.raises(ValueError, match="grid is a PNG"):
        g.grid(1, 1).save("grid.tiff")


def test_a_model_without_a_card_makes_images_and_says_so(caplog: pytest.LogCaptureFixture, work: Path) -> None:
    torch = pytest.importorskip("torch")
    layers: list[torch.nn.Module] = []
    channels = [100, 64, 32, 16, 8, 3]
    for i, (a, b) in enumerate(zip(channels, channels[1:])):
        layers.append(torch.nn.ConvTranspose2d(a, b, 4, 1 + (i > 0), int(i > 0), bias=False))
        layers += [torch.nn.BatchNorm2d(b), torch.nn.ReLU(True)] if b != 3 else [torch.nn.Tanh()]
    net = torch.nn.Sequential(*layers).eval()
    torch.save({"G": net.state_dict(), "epoch": 3}, "other.pth")
    with caplog.at_level(logging.INFO, "dermagan"):
        g = dg.Generator.load("other.pth", device="cpu")
    assert g.card == {} and g.classes == [] and not g.conditioned and g.labels(2) == [None, None]
    z = g.latents(range(4))
    with torch.no_grad():
        expected = ((net(torch.from_numpy(z)[:, :, None, None]) + 1) * 127.5 + 0.5).clamp(0, 255).to(torch.uint8)
    difference = expected.permute(0, 2, 3, 1).numpy().astype(int) - g.sample(4)
    assert abs(difference).max() <= 1


def test_a_pickled_generator_is_the_same(g: dg.Generator) -> None:
    import pickle

    again = pickle.loads(pickle.dumps(g))
    assert np.array_equal(again.sample(2, label="nv"), g.sample(2, label="nv"))


def test_other_threads_run_while_images_are_made(g: dg.Generator) -> None:
    import threading

    ticks, done = 0, threading.Event()

    def count() -> None:
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1

    thread = threading.Thread(target=count)
    thread.start()
    g.sample(256)
    done.set()
    thread.join()
    assert ticks > 5, "the GIL was not released"
