"""Numbers and images from formulas, which the tests repeat bit by bit."""

import numpy as np


def fnv1a64(text):
    hashed = 0xCBF29CE484222325
    for byte in text.encode():
        hashed = (hashed ^ byte) * 0x100000001B3 % 2**64
    return hashed


def random_bits(name, count):
    """SplitMix64 of a name's hash, `count` numbers of 64 bits."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a64(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def image(width, height):
    """A gradient in each channel, with noise in its lower bits."""
    noise = (random_bits(f"{width}x{height}", width * height * 3) >> np.uint64(59)).reshape(height, width, 3)
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    gradient = np.choose(c, [x * 223 // width, y * 223 // height, (x + y) * 223 // (width + height)])
    return (gradient + noise.astype(np.int64)).astype(np.uint8)
