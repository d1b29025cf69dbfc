#!/usr/bin/env python3
"""Shows whether images have a checkerboard: the spectra of generated images beside those of real ones.

    spectrum.py --cache PREPARED.dermagan --split RUN/split.csv --fake FOLDER [FOLDER ...] [--out FILE.png]

Prints the power in each octave of wavelengths, in decibels above that of real images. Then prints how far the grids
of 2 and 4 pixels stand out of their neighbourhood in the spectrum: there a pattern of transposed convolutions shows as a
peak. The value is the largest of several places, so compare it with that of the real rows. The image file has the
spectra of the first half of the real images, of the other half, and of each folder. The longest waves are in the middle;
one decibel is three levels of grey, on one scale.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from prepared import images_of

MOST = 2048


def spectrum(images):
    """Mean power of the brightness at every frequency, [side, side], with frequency 0 in the middle."""
    grey = images.astype(np.float64).mean(-1)
    window = np.hanning(grey.shape[1])
    grey = (grey - grey.mean((1, 2), keepdims=True)) * np.outer(window, window)
    return np.fft.fftshift((np.abs(np.fft.fft2(grey)) ** 2).mean(0))


def octaves(power):
    """Power by wavelength: from the side's half to 2 pixels."""
    side = len(power)
    away = np.hypot(*np.mgrid[-side // 2 : side // 2, -side // 2 : side // 2])
    bounds = [2**i for i in range(1, int(np.log2(side)))]
    return {side // b: power[(away >= b / 2**0.5) & (away < b * 2**0.5)].mean() for b in bounds}


def peaks(power):
    """Decibels of the grids of 2 and of 4 pixels over their neighbourhood, the median of 7x7 values around them."""
    side, found = len(power), {}
    for pixels in (2, 4):
        f = side // pixels
        places = [(f, 0), (0, f), (f, f), (-f, f)]
        over = []
        for y, x in places:
            at = lambda dy, dx: power[(y + dy + side // 2) % side, (x + dx + side // 2) % side]
            around = [at(dy, dx) for dy in range(-3, 4) for dx in range(-3, 4) if (dy, dx) != (0, 0)]
            over.append(10 * np.log10(at(0, 0) / np.median(around)))
        found[pixels] = max(over)
    return found


def folder(path, side):
    """Up to MOST images, spread over all files, which are often sorted by class."""
    files = sorted(Path(path).rglob("*.png"))
    if not files:
        raise SystemExit(f"{path}: no PNG file in it")
    files = [files[i * len(files) // MOST] for i in range(MOST)] if len(files) > MOST else files
    images = np.stack([np.asarray(Image.open(f).convert("RGB")) for f in files])
    if images.shape[1:3] != (side, side):
        raise SystemExit(f"{path}: images of {images.shape[2]}x{images.shape[1]}, the real ones are {side}x{side}")
    return images


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--fake", required=True, nargs="+")
    parser.add_argument("--out")
    args = parser.parse_args()
    real = images_of(args.cache, args.split)
    # Two random sets show how much real images differ among themselves. (Some lesions are in both.)
    order, half = np.random.default_rng(0).permutation(len(real)), min(MOST, len(real) // 2)
    first, second = real[order[:half]], real[order[half : 2 * half]]
    reference = spectrum(first)
    sets = {"real": reference, "other real": spectrum(second)}
    sets |= {name: spectrum(folder(name, real.shape[1])) for name in args.fake}
    known = octaves(reference)
    print("wavelength in pixels  " + "".join(f"{w:>8}" for w in known) + "   peak at 2 px  at 4 px")
    for name, power in sets.items():
        levels = [10 * np.log10(p / known[w]) for w, p in octaves(power).items()]
        grid = peaks(power)
        print(f"{name[-20:]:<22}" + "".join(f"{v:8.1f}" for v in levels) + f"{grid[2]:15.1f}{grid[4]:9.1f}")
    if args.out:
        level = [10 * np.log10(p / reference.max()) for p in sets.values()]
        grey = [np.clip(255 + v * 3, 0, 255).astype(np.uint8) for v in level]
        Image.fromarray(np.concatenate(grey, 1)).resize((256 * len(grey), 256), Image.NEAREST).save(args.out)


if __name__ == "__main__":
    main()
