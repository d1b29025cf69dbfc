"""Reads the images in a cache that `dermagan prepare` made."""

import csv
import json
from pathlib import Path

import numpy as np


def images_of(cache, split):
    """The images of the training side, bytes N x side x side x 3. The layout is that of crates/dermagan-data/src/prepare/cache.rs."""
    raw = Path(cache).read_bytes()
    words = np.frombuffer(raw[8:40], "<u8")
    header = json.loads(raw[int(words[2]) : int(words[2] + words[3])])
    side = header["options"]["size"]
    pixels = np.frombuffer(raw, np.uint8, int(words[1]), 4096).reshape(-1, side, side, 3)
    with open(split) as rows:
        train = {row["image_id"] for row in csv.DictReader(rows) if row["side"] == "train"}
    found = [i for i, r in enumerate(header["records"]) if r["image_id"] in train]
    if not train or len(found) < len(train):
        raise SystemExit(f"{cache}: it has {len(found)} of the {len(train)} training images of {split}; name the cache of that run")
    return pixels[found]
