#!/usr/bin/env python3
"""The peers of scripts/bench: the same DCGAN in PyTorch, and image preparation in Pillow and torchvision.
Prints one line of JSON per round and one at the end.

    bench_peer.py step|sample|inception VARIANT --device cpu|cuda [--batch 64] [--width 64] [--rounds 7] [--warm-up 2]
    bench_peer.py prepare pillow|pillow-draft|torchvision --folder FOLDER [--size 64]

VARIANT is any of these, joined by '+': eager, channels_last, compile, autocast (bfloat16 on a CPU,
float16 with a gradient scaler on a GPU). On a GPU float32 products may use TF32.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path


def say(**values):
    print(json.dumps(values), flush=True)


def generator(nn, width, z=100):
    layers, channels = [], [z, width * 8, width * 4, width * 2, width]
    for i, (a, b) in enumerate(zip(channels, channels[1:])):
        stride, padding = (1, 0) if i == 0 else (2, 1)
        layers += [nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), nn.BatchNorm2d(b), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())


def discriminator(nn, width):
    layers, channels = [], [3, width, width * 2, width * 4, width * 8]
    for i, (a, b) in enumerate(zip(channels, channels[1:])):
        layers += [nn.Conv2d(a, b, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(b)] if i > 0 else []
        layers += [nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(width * 8, 1, 4, 1, 0, bias=False))


def on_device(args):
    import torch
    from torch import nn

    variant = args.variant.split("+")
    device = torch.device(args.device)
    gpu = device.type == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    layout = torch.channels_last if "channels_last" in variant else torch.contiguous_format
    torch.manual_seed(1)
    width = 1 if args.what == "inception" else args.width
    g = generator(nn, width).to(device, memory_format=layout)
    d = discriminator(nn, width).to(device, memory_format=layout)
    for layer in [*g.modules(), *d.modules()]:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
    g_run, d_run = (torch.compile(g), torch.compile(d)) if "compile" in variant else (g, d)
    narrow = torch.autocast(
        device.type, torch.float16 if gpu else torch.bfloat16, enabled="autocast" in variant
    )
    wait = torch.cuda.synchronize if gpu else lambda: None
    if args.what == "inception":
        # The extents of the network that FID uses, with random weights; its pooling differs, at the same cost.
        from torchvision.models import inception_v3

        net = inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=False)
        net.fc = nn.Identity()
        net = net.eval().to(device, memory_format=layout)
        net_run = torch.compile(net) if "compile" in variant else net
        host = (torch.rand(args.batch, 64, 64, 3) * 255).to(torch.uint8)

        def one():
            with torch.inference_mode(), narrow:
                images = host.to(device).permute(0, 3, 1, 2).float() / 255
                images = nn.functional.interpolate(images, (299, 299), mode="bilinear") * 2 - 1
                net_run(images.contiguous(memory_format=layout)).cpu().numpy()
    elif args.what == "sample":
        g.eval()

        def one():
            z = torch.randn(args.batch, 100, 1, 1).to(device)
            with torch.inference_mode(), narrow:
                images = g_run(z)
            pixels = ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
            pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    else:
        adam = dict(lr=2e-4, betas=(0.5, 0.999), eps=1e-8, fused=True)
        g_adam, d_adam = torch.optim.Adam(g.parameters(), **adam), torch.optim.Adam(d.parameters(), **adam)
        scaler = torch.amp.GradScaler(enabled=gpu and "autocast" in variant)
        loss = nn.functional.binary_cross_entropy_with_logits
        ones, zeros = torch.ones(args.batch, device=device), torch.zeros(args.batch, device=device)
        host = torch.rand(args.batch, 3, 64, 64) * 2 - 1
        host = host.pin_memory() if gpu else host

        def one():
            real = host.to(device, non_blocking=True).contiguous(memory_format=layout)
            z = torch.randn(args.batch, 100, 1, 1, device=device)
            d_adam.zero_grad(set_to_none=True)
            with narrow:
                fake = g_run(z)
                d_loss = loss(d_run(real).flatten().float(), ones)
                d_loss = d_loss + loss(d_run(fake.detach()).flatten().float(), zeros)
            scaler.scale(d_loss).backward()
            scaler.step(d_adam)
            g_adam.zero_grad(set_to_none=True)
            d.requires_grad_(False)
            with narrow:
                g_loss = loss(d_run(fake).flatten().float(), ones)
            scaler.scale(g_loss).backward()
            scaler.step(g_adam)
            scaler.update()
            d.requires_grad_(True)
            return d_loss, g_loss

    for step in range(args.warm_up + args.rounds):
        start = time.perf_counter()
        losses = one()
        if losses:
            [float(v) for v in losses]
        wait()
        say(round=step, seconds=time.perf_counter() - start)
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    # The level that PyTorch's own loops use, and the cap of oneDNN.
    capability = f"{torch.backends.cpu.get_cpu_capability()}, oneDNN {os.environ.get('ONEDNN_MAX_CPU_ISA', 'ALL')}"
    on = torch.cuda.get_device_name() if gpu else f"cpu ({torch.get_num_threads()} threads, {capability})"
    say(on=f"{on}, PyTorch {torch.__version__} {args.variant}", peak_gb=gigabytes)


def prepare(args):
    files = sorted(Path(args.folder).glob("*.jpg"))
    if args.variant == "torchvision":
        import torch
        from torchvision.io import ImageReadMode, decode_jpeg, read_file
        from torchvision.transforms.v2 import functional as f

        torch.set_num_threads(1)

        def one(path):
            image = decode_jpeg(read_file(str(path)), mode=ImageReadMode.RGB)
            image = f.center_crop(image, [min(image.shape[1:])] * 2)
            return f.resize(image, [args.size] * 2, antialias=True).permute(1, 2, 0).contiguous().numpy()
    else:
        import numpy as np
        from PIL import Image

        def one(path):
            image = Image.open(path)
            if args.variant == "pillow-draft":
                image.draft("RGB", (args.size, args.size))
            image = image.convert("RGB")
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
            return np.asarray(image.resize((args.size, args.size), Image.Resampling.LANCZOS))

    pixels = bytearray()
    start = time.perf_counter()
    for path in files:
        pixels += one(path).tobytes()
    seconds = time.perf_counter() - start
    say(images_per_second=len(files) / seconds, images=len(files))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["step", "sample", "inception", "prepare"])
    parser.add_argument("variant")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--folder")
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    prepare(args) if args.what == "prepare" else on_device(args)
