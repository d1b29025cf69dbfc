#!/usr/bin/env python3
"""The yardstick of the presets: PyTorch trains the recipe of `models/reference.toml` on the images that
dermagan trains on. The script writes folders of generated images for `dermagan eval`, from the
generator and from its average.

    train_peer.py --cache PREPARED.dermagan --split RUN/split.csv --out FOLDER
                  [--minutes 30 | --kimg 126] [--seed 1] [--at 0.667,1] [--images 2048]

`RUN/split.csv` comes with any dermagan run. The minutes count training only, not the writing of images.
"""

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from bench_peer import discriminator, generator
from prepared import images_of


def write(g, folder, count, seed):
    folder.mkdir(parents=True, exist_ok=True)
    g.eval()
    draw = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        for first in range(0, count, 64):
            z = torch.randn(64, 100, 1, 1, generator=draw)
            pixels = ((g(z) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
            for i, image in enumerate(pixels.permute(0, 2, 3, 1).numpy()):
                Image.fromarray(image).save(folder / f"seed{first + i:04}.png")
    g.train()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--kimg", type=float, help="length in thousands of images instead of minutes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at", default="0.667,1", help="shares of the length at which images are written")
    parser.add_argument("--images", type=int, default=2048)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    data = images_of(args.cache, args.split)
    print(f"{len(data)} images", flush=True)
    layout = torch.channels_last
    g, d = generator(nn, 64).to(memory_format=layout), discriminator(nn, 64).to(memory_format=layout)
    for layer in [*g.modules(), *d.modules()]:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
    average = copy.deepcopy(g)
    adam = dict(lr=2e-4, betas=(0.5, 0.999), fused=True)
    g_adam, d_adam = torch.optim.Adam(g.parameters(), **adam), torch.optim.Adam(d.parameters(), **adam)
    bce = nn.functional.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(64), torch.zeros(64)
    shares = [float(share) for share in args.at.split(",")]
    seen, spent, order = 0, 0.0, torch.randperm(len(data))
    at = 0
    while shares:
        start = time.perf_counter()
        if at + 64 > len(order):
            order, at = torch.randperm(len(data)), 0
        real = torch.from_numpy(data[order[at : at + 64].numpy()]).permute(0, 3, 1, 2).float() / 127.5 - 1
        at += 64
        fake = g(torch.randn(64, 100, 1, 1))
        d_adam.zero_grad(set_to_none=True)
        d_real, d_fake = d(real).flatten(), d(fake.detach()).flatten()
        (bce(d_real, ones) + bce(d_fake, zeros)).backward()
        d_adam.step()
        g_adam.zero_grad(set_to_none=True)
        d.requires_grad_(False)
        bce(d(fake).flatten(), ones).backward()
        d.requires_grad_(True)
        g_adam.step()
        seen += 64
        decay = 0.5 ** (64 / max(1, min(10_000, 0.05 * seen)))
        with torch.no_grad():
            for mine, its in zip(average.state_dict().values(), g.state_dict().values()):
                mine.lerp_(its, 1 - decay) if mine.is_floating_point() else mine.copy_(its)
        spent += time.perf_counter() - start
        done = seen / (args.kimg * 1000) if args.kimg else spent / (args.minutes * 60)
        if seen % 6400 == 0:
            reals, fakes = d_real.sigmoid().mean().item(), d_fake.sigmoid().mean().item()
            print(f"{seen / 1000:.1f} kimg, {spent:.0f} s, D(x) {reals:.3f}, D(G(z)) {fakes:.3f}", flush=True)
        if done >= shares[0]:
            share = shares.pop(0)
            for name, which in [("live", g), ("average", average)]:
                write(which, args.out / f"{name}-{share:g}", args.images, args.seed)
            print(f"wrote at {seen / 1000:.1f} kimg, {spent:.0f} s", flush=True)


if __name__ == "__main__":
    main()
