#!/usr/bin/env python3
"""Runs dermagan and its peers in turn and prints one table; scripts/bench calls it.

Every figure is the median, over the processes, of the median of each process. dermagan and the peers run
one after another in every round, because machines are shared and their speed drifts. Brackets hold the
lowest and the highest process. The ratio is to the fastest peer of the row (to the smallest for memory
and start).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent


# Caps the peers at a level of dermagan: PyTorch's own loops, and oneDNN, which computes its convolutions.
LEVELS = {
    "baseline": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "avx512": {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "avx512-bf16": {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"},
    "amx": {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_AMX"},
}


class Failed(Exception):
    pass


def run(command):
    """Lines of JSON that a program prints, each with the seconds from its start."""
    start = time.perf_counter()
    lines = []
    # Errors go to a file: an unread pipe would block a program that prints much.
    with tempfile.TemporaryFile("w+") as errors:
        try:
            process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=errors,
                                       text=True)
        except OSError as error:
            raise Failed(str(error)) from error
        for line in process.stdout:
            try:
                lines.append((time.perf_counter() - start, json.loads(line)))
            except json.JSONDecodeError:
                continue
        if process.wait() != 0 or not lines:
            errors.seek(0)
            raise Failed((errors.read().strip().splitlines() or ["no output"])[-1])
    return lines


def measured(lines, batch, warm_up):
    seconds = [line["seconds"] for _, line in lines if "seconds" in line]
    end = lines[-1][1]
    return {
        "rate": batch / median(seconds[warm_up:]),
        "memory": end.get("peak_gb"),
        "start": lines[0][0],
        "on": end.get("on", ""),
    }


class Bench:
    def __init__(self, args):
        self.args = args
        self.rows = []
        self.notes = []

    def contest(self, contestants):
        """Runs {name: command} in turn. Returns {name: [measurement, …]}."""
        found = {name: [] for name in contestants}
        for turn in range(self.args.processes):
            for name, once in contestants.items():
                if turn > 0 and not found[name]:
                    continue
                try:
                    found[name].append(once())
                except Failed as error:
                    self.notes.append(f"{name}: {error}")
                print(f"  {name}: " + (f"{found[name][-1]['rate']:.1f}" if found[name] else "failed"),
                      file=sys.stderr, flush=True)
        self.notes += sorted({f"{name} ran on {run['on']}" for name, runs in found.items() for run in runs
                              if run.get("on")})
        return {name: runs for name, runs in found.items() if runs}

    def row(self, what, unit, found, key, best):
        def cell(runs):
            values = [run[key] for run in runs if run.get(key) is not None]
            return (median(values), min(values), max(values)) if values else None

        cells = {name: cell(runs) for name, runs in found.items()}
        cells = {name: c for name, c in cells.items() if c}
        ours = cells.pop("dermagan", None)
        if ours is None:
            return
        peer = best(cells, key=lambda name: cells[name][0]) if cells else None
        ratio = ours[0] / cells[peer][0] if peer else None
        self.rows.append((what, unit, ours, peer, cells.get(peer), ratio))
        for name, c in cells.items():
            self.notes.append(f"{what}: {name} {show(c)} {unit}")

    def on_device(self, title, ours, peer, batch, width, precision, variants):
        args = self.args
        common = ["--batch", batch, "--width", width, "--rounds", args.rounds, "--warm-up", args.warm_up]
        narrow = precision != "f32"

        def mine(what):
            command = [args.program, "bench", what, "--json", "--device", ours, *common]
            command += ["--precision", precision] if what == "step" else []
            return lambda: measured(run(command), batch, args.warm_up)

        def theirs(what, variant):
            command = [args.python, HERE / "bench_peer.py", what, variant, "--device", peer, *common]
            return lambda: measured(run(command), batch, args.warm_up)

        named = lambda what: {f"PyTorch {v}": theirs(what, v) for v in variants} if args.python and peer else {}
        found = self.contest({"dermagan": mine("step"), **named("step")})
        self.row(f"{title}: training step, {precision}", "img/s", found, "rate", max)
        self.row(f"{title}: peak memory of it, {precision}", "GB", found, "memory", min)
        self.row(f"{title}: start to first step, {precision}", "s", found, "start", min)
        if not narrow:
            found = self.contest({"dermagan": mine("sample"), **named("sample")})
            self.row(f"{title}: sampling", "img/s", found, "rate", max)

    def alone(self, level, what, title, *more):
        """A row of dermagan alone."""
        def mine():
            command = [self.args.program, "bench", what, "--json", "--device", "cpu", "--rounds", self.args.rounds,
                       "--warm-up", self.args.warm_up, *more]
            seconds = run(command)[-1][1]
            return {"rate": seconds["images_per_second"], "on": seconds["on"]}

        self.row(f"{level}: {title}", "img/s", self.contest({"dermagan": mine}), "rate", max)

    def presets(self, level):
        for preset in ("reference", "fast", "rare"):
            for precision in ("f32", "bf16") if at_least(level, "avx512-bf16") else ("f32",):
                self.alone(level, "step", f"step of {preset} at its batch size, {precision}", "--preset", preset,
                           "--precision", precision)
            self.alone(level, "sample", f"sampling of {preset}, 64 at a time", "--preset", preset, "--batch", 64)

    def features(self, level):
        self.alone(level, "features", "lesion features", "--features", "lesion")
        self.alone(level, "features", "hand-made features", "--features", "handmade")
        command = ["--batch", 16, "--rounds", max(2, self.args.rounds // 2), "--warm-up", 1]

        def mine():
            ours = [self.args.program, "bench", "features", "--features", "inception", "--device", "cpu", "--json"]
            return measured(run([*ours, *command]), 16, 1)

        def theirs(variant):
            peer = [self.args.python, HERE / "bench_peer.py", "inception", variant]
            return lambda: measured(run([*peer, *command]), 16, 1)

        variants = ("eager", "channels_last", "channels_last+compile") if self.args.python else ()
        found = self.contest({"dermagan": mine, **{f"PyTorch {v}": theirs(v) for v in variants}})
        self.row(f"{level}: Inception features", "img/s", found, "rate", max)
        self.row(f"{level}: peak memory of them", "GB", found, "memory", min)

    def preparation(self, folder):
        args = self.args
        for size in (64, 128):
            with tempfile.TemporaryDirectory() as scratch:
                def mine():
                    out = Path(scratch) / "out.dermagan"
                    out.unlink(missing_ok=True)
                    command = [args.program, "prepare", folder, "--size", size, "--out", out]
                    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                                          env={**os.environ, "RAYON_NUM_THREADS": "1"})
                    rate = re.search(r"\(([\d.]+) images/s\)", done.stdout)
                    if not rate:
                        raise Failed(done.stderr.strip() or done.stdout.strip())
                    return {"rate": float(rate[1])}

                def theirs(variant):
                    command = [args.python, HERE / "bench_peer.py", "prepare", variant, "--folder",
                               Path(folder) / "nv", "--size", size]
                    return lambda: {"rate": run(command)[-1][1]["images_per_second"]}

                variants = ("pillow", "pillow-draft", "torchvision") if args.python else ()
                found = self.contest({"dermagan": mine, **{v: theirs(v) for v in variants}})
            self.row(f"prepare 600x450 to {size}x{size}, one core", "img/s", found, "rate", max)


def at_least(level, wanted):
    """Whether a level includes another."""
    return list(LEVELS).index(level) >= list(LEVELS).index(wanted)


def show(cell):
    digits = 0 if cell[0] >= 100 else 1 if cell[0] >= 10 else 2
    return f"{cell[0]:.{digits}f} [{cell[1]:.{digits}f}–{cell[2]:.{digits}f}]"


def photographs(data, folder):
    """Fills a folder of one class with 600 photographs of 600 × 450 pixels: those of a zip or folder, repeated, or, without
    any, synthetic ones of about the same file size. Returns the mean size in bytes."""
    import zipfile

    images = []
    (folder / "nv").mkdir()
    if data and Path(data).is_file():
        with zipfile.ZipFile(data) as archive:
            names = [n for n in archive.namelist() if n.lower().endswith(".jpg")]
            images = [archive.read(n) for n in names[:600]]
    elif data:
        images = [p.read_bytes() for p in sorted(Path(data).rglob("*.jpg"))[:600]]
    else:
        import io

        import numpy as np
        from PIL import Image, ImageFilter

        rng = np.random.default_rng(1)
        for _ in range(60):
            noise = Image.fromarray(rng.integers(0, 256, (450, 600, 3), dtype=np.uint8))
            smooth = noise.filter(ImageFilter.GaussianBlur(4))
            out = io.BytesIO()
            Image.eval(smooth, lambda v: max(0, min(255, (v - 128) * 6 + 128))).save(out, "JPEG", quality=75)
            images.append(out.getvalue())
    if not images:
        raise Failed(f"no .jpg in {data}")
    for i in range(600):
        (folder / "nv" / f"ISIC_{i:07}.jpg").write_bytes(images[i % len(images)])
    return sum(map(len, images)) / len(images)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--python", help="a Python with the packages of scripts/requirements.txt")
    parser.add_argument("--data", help="HAM10000 photographs of 600x450 pixels: a folder or zip")
    parser.add_argument("--processes", type=int, default=5, help="processes of each contestant")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds of each process")
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--only", choices=["cpu", "presets", "features", "gpu", "prepare"])
    parser.add_argument("--cpu", choices=LEVELS, metavar="LEVEL", type=str.lower,
                        help="cap dermagan and the peers at a level of the CPU: " + ", ".join(LEVELS))
    parser.add_argument("--software", action="store_true", help="also a software rasteriser, tiny")
    args = parser.parse_args()
    bench = Bench(args)
    if min(args.processes, args.rounds) < 1 or args.warm_up < 0:
        sys.exit("--processes and --rounds are at least 1, --warm-up at least 0")
    args.cpu = args.cpu or os.environ.get("DERMAGAN_CPU", "").lower() or None
    if args.cpu == "auto":
        args.cpu = None
    if args.cpu and args.cpu not in LEVELS:
        sys.exit(f"DERMAGAN_CPU={args.cpu}: expected one of {', '.join(LEVELS)}")
    if args.cpu:
        # All programs that are started below inherit these.
        os.environ.update(LEVELS[args.cpu], DERMAGAN_CPU=args.cpu)
    asked = subprocess.run([args.program, "devices"], capture_output=True, text=True)
    devices = asked.stdout
    print(devices)
    level = re.search(r"level (\S+) is in use", devices)
    if not level:
        sys.exit(asked.stderr.strip() or f"{args.program} devices did not print its level")
    level = level[1]
    if args.only in (None, "cpu"):
        bench.on_device(level, "cpu", "cpu", 64, args.width, "f32",
                        ["eager", "channels_last", "channels_last+compile"])
        if at_least(level, "avx512-bf16"):
            bench.on_device(level, "cpu", "cpu", 64, args.width, "bf16",
                            ["channels_last+autocast", "channels_last+compile+autocast"])
    if args.only in (None, "presets"):
        bench.presets(level)
    if args.only in (None, "features"):
        bench.features(level)
    if args.only in (None, "gpu"):
        cuda = args.python and subprocess.run(
            [args.python, "-c", "import torch, sys; sys.exit(not torch.cuda.is_available())"],
            capture_output=True).returncode == 0
        gpus = re.findall(r"^(gpu:\d+|cuda:\d+)", devices, re.M)
        for gpu in gpus:
            for batch in (64, 256):
                for precision, variants in {
                    "f32": ["eager", "channels_last", "channels_last+compile"],
                    "f16": ["channels_last+autocast", "channels_last+compile+autocast"],
                }.items():
                    # PyTorch sees only NVIDIA's cards, in another order: only the first card is compared.
                    peer = "cuda" if cuda and gpu == gpus[0] else None
                    bench.on_device(f"{gpu} batch {batch}", gpu, peer, batch,
                                    args.width, precision, variants)
        if args.software:
            bench.on_device("software Vulkan, batch 4, width 8", "software", None, 4, 8, "f32", [])
    if args.only in (None, "prepare"):
        with tempfile.TemporaryDirectory() as folder:
            try:
                size = photographs(args.data, Path(folder))
                name = Path(args.data).name if args.data else "synthetic"
                bench.notes.append(f"photographs: {name}, {size / 1024:.0f} KiB each on average")
                bench.preparation(folder)
            except (Failed, ImportError, OSError) as error:
                bench.notes.append(f"preparation was not measured: {error}")

    print("| what | dermagan | best peer | | ratio |\n|---|---|---|---|---|")
    for what, unit, ours, peer, theirs, ratio in bench.rows:
        other = f"{show(theirs)} {unit}" if theirs else "none here"
        print(f"| {what} | {show(ours)} {unit} | {other} | {peer or ''} | {f'{ratio:.2f}' if ratio else ''} |")
    print("\nAll peers, and failed runs:")
    for note in dict.fromkeys(bench.notes):
        print(f"- {note}")


if __name__ == "__main__":
    main()
