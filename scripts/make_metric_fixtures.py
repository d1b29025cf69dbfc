#!/usr/bin/env python3
"""Makes the values that dermagan-eval's metrics are compared with, by torch-fidelity and prdc.

    python3 -m venv /tmp/fixtures && /tmp/fixtures/bin/pip install -r scripts/requirements.txt
    /tmp/fixtures/bin/python scripts/make_metric_fixtures.py

Writes crates/dermagan-eval/tests/data/metrics.safetensors, from a fixed seed: correlated features
`real` and `fake` (float32; features 30 and 31 are constant in `fake`), and the results of the
other programs' code, computed and stored in float64:
  fid            torch-fidelity's, of all rows
  kid            torch-fidelity's, of the first `kid_rows` rows of both, in one subset of all of them
  precision_recall   torch-fidelity's with its neighbourhood of 3
  prdc           precision, recall, density, coverage of the prdc package with nearest_k = 5
  auc            the mean over five parts of the area under the ROC curve of scikit-learn's logistic
                 regression, fitted on the other parts; row i is in part i % 5, features are standardised
                 over all rows, and C belongs to a penalty of 0.03 beside the mean loss
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from prdc import compute_prdc
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

TARGET = Path(__file__).resolve().parent.parent / "crates/dermagan-eval/tests/data/metrics.safetensors"
REAL, FAKE, DIMS, KID_ROWS = 600, 500, 32, 500
PARTS, PENALTY = 5, 0.03


def draw():
    rng = np.random.default_rng(20190717)
    # The variances fall like those of a network's features, and a rotation mixes them.
    rotation, _ = np.linalg.qr(rng.normal(size=(DIMS, DIMS)))
    scales = 2.0 * 0.9 ** np.arange(DIMS)
    real = np.abs(rng.normal(size=(REAL, DIMS)) * scales @ rotation)
    fake = np.abs(rng.normal(size=(FAKE, DIMS)) * scales * 0.9 @ rotation + 0.15)
    fake[:, 30:] = (0.0, 0.5)
    return real.astype(np.float32), fake.astype(np.float32)


def auc(real, fake):
    x = StandardScaler().fit_transform(np.concatenate([real, fake]).astype(np.float64))
    label = np.arange(len(x)) >= len(real)
    part = np.concatenate([np.arange(len(real)), np.arange(len(fake))]) % PARTS
    found = []
    for i in range(PARTS):
        fit = part != i
        classifier = LogisticRegression(C=1 / (PENALTY * fit.sum()), solver="newton-cg", tol=1e-10, max_iter=1000)
        classifier.fit(x[fit], label[fit])
        found.append(roc_auc_score(label[~fit], classifier.decision_function(x[~fit])))
    return np.mean(found)


def main():
    real, fake = draw()
    x, y = (torch.from_numpy(a).double() for a in (real, fake))
    fid = fid_statistics_to_metric(fid_features_to_statistics(x), fid_features_to_statistics(y), False)
    kid = kid_features_to_metric(
        x[:KID_ROWS], y[:KID_ROWS], kid_subsets=1, kid_subset_size=KID_ROWS, verbose=False
    )
    # The first argument holds the generated images.
    prc = prc_features_to_metric(
        y, x, prc_neighborhood=3, prc_batch_size=10000, save_cpu_ram=False, verbose=False
    )
    shares = compute_prdc(x.numpy(), y.numpy(), nearest_k=5)
    expected = {
        "fid": [fid["frechet_inception_distance"]],
        "kid": [kid["kernel_inception_distance_mean"]],
        "precision_recall": [prc["precision"], prc["recall"]],
        "auc": [auc(real, fake)],
        "prdc": [shares[name] for name in ("precision", "recall", "density", "coverage")],
    }
    arrays = {name: np.array(values, dtype=np.float64) for name, values in expected.items()}
    packages = ("torch-fidelity", "prdc", "scikit-learn", "numpy", "torch")
    by = ", ".join(f"{name} {version(name)}" for name in packages)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        arrays | {"real": real, "fake": fake, "kid_rows": np.array([KID_ROWS], dtype=np.int64)},
        TARGET,
        metadata={"by": by},
    )
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
    print("  real", real.shape, "fake", fake.shape)
    for name, values in expected.items():
        print(" ", name, *values)
    print("  by", by)


if __name__ == "__main__":
    main()
