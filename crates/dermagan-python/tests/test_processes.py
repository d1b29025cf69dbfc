"""Other processes and threads: fork, spawn, the workers of a DataLoader."""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import dermagan as dg


def _sum_of(seed: int) -> int:
    return int(dg.Generator.load(device="cpu").sample(seeds=[seed], label="nv").sum())


def test_a_forked_process_is_told_to_spawn() -> None:
    g = dg.Generator.load(device="cpu")
    g.sample(2)
    calls = [
        lambda: g.sample(2),
        lambda: g.latents([1]),
        lambda: dg.Generator.load(),
        lambda: dg.Dataset.open("phantom:70", progress=False),
        lambda: dg.train("phantom:70", kimg=0.1, progress=False),
        lambda: dg.evaluate("phantom:70", "shipped", progress=False),
    ]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        found = 0
        for call in calls:
            try:
                call()
            except RuntimeError as error:
                found += "spawn" in str(error)
            except BaseException:
                pass
        os.write(write, bytes([found]))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1) == bytes([len(calls)])


def test_a_spawned_process_makes_the_same_images() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_sum_of, [3, 4]) == [_sum_of(3), _sum_of(4)]


def test_threads_sample_at_the_same_time() -> None:
    g = dg.Generator.load(device="cpu")
    expected = g.sample(6, label="nv")
    found: list[np.ndarray | None] = [None] * 6

    def work(i: int) -> None:
        found[i] = g.sample(seeds=[i], label="nv")[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert np.array_equal(np.stack([x for x in found if x is not None]), expected)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_data_loader_with_workers_mixes_real_and_synthetic_images(start: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.data import ConcatDataset, DataLoader

    ds = dg.Dataset.open("phantom:70", progress=False)
    g = dg.Generator.load(device="cpu")
    real, fake = ds.split("train").torch(), g.torch(20, label="df", classes=ds.classes)
    both = ConcatDataset([real, fake])
    loader = DataLoader(both, batch_size=16, num_workers=2, multiprocessing_context=start)
    batches = list(loader)
    images, labels = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    assert images.shape == (len(real) + 20, 3, 64, 64) and images.dtype == torch.float32
    assert 0 <= images.min() and images.max() <= 1
    assert labels[-20:].tolist() == [ds.classes.index("df")] * 20
    expected = g.sample(20, label="df")[3].transpose(2, 0, 1) / np.float32(255)
    assert np.array_equal(images[len(real) + 3].numpy(), expected)
    assert np.array_equal(images[0].numpy(), ds.split("train").images[0].transpose(2, 0, 1) / np.float32(255))
    with pytest.raises(ValueError, match="images of vasc have no label among nv"):
        g.torch(2, label="vasc", classes=["nv"])
    turned = ds.torch(transform=lambda x: x.flip(-1))
    assert torch.equal(turned[0][0].flip(-1), ds.torch()[0][0])


def test_the_import_is_quick_and_takes_no_torch(tmp_path: Path) -> None:
    code = (
        "import time, sys, numpy; start = time.perf_counter(); import dermagan; print(time.perf_counter() - start); "
        "assert 'torch' not in sys.modules and 'tqdm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
