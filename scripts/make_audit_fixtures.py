#!/usr/bin/env python3
"""Makes the values that dermagan-trust's statistics are compared with, by SciPy, scikit-learn and packages for audits.

    python3 -m venv /tmp/fixtures && /tmp/fixtures/bin/pip install -r scripts/requirements.txt
    /tmp/fixtures/bin/pip install --no-deps domias==0.0.5 syntheval==1.7.3 bias-amplification==0.2.1 derm-ita==0.0.8
    /tmp/fixtures/bin/python scripts/make_audit_fixtures.py

Writes crates/dermagan-trust/tests/data/audit.json, from a fixed seed:
  rates       events, trials and the ends of the 95 % interval of Clopper and Pearson, by SciPy
  auc         two sets of scores with ties, and the area under their ROC curve, by scikit-learn
  train, held, fake   rows of four features; row i of `train` shows lesion i // 2
  authentic   AuthPct of `fake` and of `held`: the percentage whose nearest training row is nearer to a training row of
              another lesion than to them, by scikit-learn's nearest neighbours
  cells       the centres of three clusters of `train`, by scikit-learn's k-means with ten starts, and its inertia
  farther     C_T as a share, for the cells of these centres: the mean over the cells, by their share of `held`, of the
              share of pairs in which a fake is farther from `train` than a held-out row is, by SciPy's Mann-Whitney U
  holm        p values, and the same after Holm's correction by statsmodels
  t           differences of five folds, and the ends of the 95 % interval of their mean by baycomp's correlated t test (Nadeau
              and Bengio), whose test part is a quarter of the training part
  scores      logits of 60 images in three classes, their classes, and balanced accuracy, macro AUC and the AUC of class 1 by
              scikit-learn
  distances   two sets of numbers, and their Wasserstein distance and Kolmogorov-Smirnov statistic by SciPy
  t_peers     the two-sided p of these differences by hidimstat's test of Nadeau and Bengio, and the ends of the interval without
              a correction for overlapping training parts by pingouin
  squared     the squared distance of each row of `held` to the nearest of `fake`, by domias's GAN-Leaks score
  distance    the same distance, not squared, by syntheval
  directional counts of yes and no by class in two sets, and the directional amplification by bias-amplification
  angles      colours, and the typology angle of an image of each by derm-ita
  share       the share of `fake` nearer to `train[:30]` than to `held`, ties half: mostlyai-qa's DCR share
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pingouin
import torch
from baycomp.single import CorrelatedTTest
from bias_amplification.metrics.CoOccurMetrics import DBA
from derm_ita import get_ita
from domias.baselines import GAN_leaks
from hidimstat.statistical_tools import nadeau_bengio_ttest
from PIL import Image
from scipy.special import softmax
from scipy.stats import binomtest, ks_2samp, mannwhitneyu, t, wasserstein_distance
from sklearn.cluster import KMeans
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from statsmodels.stats.multitest import multipletests
from syntheval.utils.nn_distance import _knn_distance

TARGET = Path(__file__).resolve().parent.parent / "crates/dermagan-trust/tests/data/audit.json"
CELLS = 3


def nearest(among, queries):
    distance, row = NearestNeighbors(n_neighbors=1).fit(among).kneighbors(queries)
    return distance[:, 0], row[:, 0]


def authentic(train, lesion, queries):
    own = [
        min(np.linalg.norm(train[j] - train[i]) for j in range(len(train)) if lesion[j] != lesion[i])
        for i in range(len(train))
    ]
    distance, row = nearest(train, queries)
    return 100 * np.mean(np.array(own)[row] < distance)


def farther(train, held, fake, centres):
    cell = lambda rows: np.argmin(((rows[:, None] - centres) ** 2).sum(-1), axis=1)
    (to_fake, _), (to_held, _) = nearest(train, fake), nearest(train, held)
    of_fake, of_held = cell(fake), cell(held)
    total = weight = 0.0
    for c in range(CELLS):
        f, h = to_fake[of_fake == c], to_held[of_held == c]
        if len(h) and len(f) > 20:
            u = mannwhitneyu(f, h).statistic
            total += len(h) * u / (len(f) * len(h))
            weight += len(h)
    return total / weight


def directional(before, after):
    """The directional amplification of a yes-or-no answer; `before` and `after` have a row of yes and no per class."""
    one_hot = lambda counts, of: torch.tensor(
        [of(c, t) for c, row in enumerate(counts) for t, n in enumerate(row) for _ in range(n)], dtype=torch.float64
    )
    classes = lambda counts: one_hot(counts, lambda c, _: [float(c == k) for k in range(len(counts))])
    answers = lambda counts: one_hot(counts, lambda _, t: [float(t == k) for k in range(2)])
    # The sizes of the classes are equal before and after, so the rows belong to the same classes.
    return float(DBA().computeBiasAmp(classes(before), answers(before), answers(after))[0])


def sample_interval(folds):
    pingouin.options["round.column.CI95%"] = 15
    return pingouin.ttest(folds, 0)["CI95%"].iloc[0]


def main():
    rng = np.random.default_rng(20261130)
    rates = []
    for events, trials in [(0, 10), (1, 10), (3, 1998), (20, 1500), (7, 7), (50, 100)]:
        interval = binomtest(events, trials).proportion_ci(0.95, method="exact")
        rates.append([events, trials, interval.low, interval.high])
    positive, negative = rng.integers(3, 12, 40) / 4, rng.integers(0, 9, 60) / 4
    labels = np.r_[np.ones(40), np.zeros(60)]
    centres = rng.normal(size=(CELLS, 4)) * 4
    draw = lambda n: (centres[rng.integers(CELLS, size=n)] + rng.normal(size=(n, 4))).astype(np.float32)
    train, held = draw(120), draw(60)
    train[1::2] = train[::2] + (0.1 * rng.normal(size=(60, 4))).astype(np.float32)
    fake = np.concatenate([draw(100), train[:40] + 0.01]).astype(np.float32)
    lesion = np.arange(120) // 2
    means = KMeans(CELLS, n_init=10, random_state=0).fit(train.astype(np.float64))
    (to_train, _), (to_held, _) = nearest(train[:30], fake), nearest(held, fake)
    p = [0.012, 0.2, 0.04, 0.0005, 0.7]
    folds = np.array([0.021, 0.008, 0.034, -0.011, 0.017])
    sample = CorrelatedTTest(np.zeros(5), folds)
    half = t.ppf(0.975, sample.df) * np.sqrt(sample.var)
    logits, truth = rng.normal(size=(60, 3)).astype(np.float32), rng.integers(3, size=60)
    logits[np.arange(60), truth] += 1
    probabilities = softmax(logits.astype(np.float64), axis=1)
    a, b = rng.normal(size=80).round(1), (rng.normal(size=50) * 1.3 + 0.4).round(1)
    # GAN-Leaks is exp of minus the squared distance.
    squared = [-np.log(GAN_leaks(row[None].astype(np.float64) / 8, fake.astype(np.float64) / 8)[0]) * 64 for row in held]
    frame = lambda rows: pd.DataFrame(rows.astype(np.float64), columns=list("abcd"))
    distance = np.ravel(_knn_distance(frame(held), frame(fake), [], 1, "euclid")[0])
    before, after = [[30, 70], [55, 45], [10, 30]], [[20, 80], [60, 40], [14, 26]]
    colours = [[224, 172, 150], [198, 134, 66], [141, 85, 36], [90, 60, 40], [200, 180, 190], [160, 150, 200]]
    angle = lambda colour: get_ita(Image.new("RGB", (64, 64), tuple(colour)))
    TARGET.write_text(
        json.dumps(
            {
                "rates": rates,
                "auc": [positive.tolist(), negative.tolist(), roc_auc_score(labels, np.r_[positive, negative])],
                "train": train.tolist(),
                "held": held.tolist(),
                "fake": fake.tolist(),
                "authentic": [authentic(train, lesion, fake), authentic(train, lesion, held)],
                "cells": [means.cluster_centers_.tolist(), means.inertia_],
                "farther": farther(train, held, fake, means.cluster_centers_),
                "holm": [p, multipletests(p, method="holm")[1].tolist()],
                "t": [folds.tolist(), [sample.mean - half, sample.mean + half]],
                "t_peers": [
                    float(nadeau_bengio_ttest(folds, 0, 0.25, alternative="two-sided").pvalue),
                    [float(end) for end in sample_interval(folds)],
                ],
                "squared": [float(value) for value in squared],
                "distance": distance.tolist(),
                "directional": [before, after, directional(before, after)],
                "angles": [[colour, float(angle(colour))] for colour in colours],
                "scores": [
                    logits.ravel().tolist(),
                    truth.tolist(),
                    balanced_accuracy_score(truth, probabilities.argmax(1)),
                    roc_auc_score(truth, probabilities, multi_class="ovr"),
                    roc_auc_score(truth == 1, probabilities[:, 1]),
                ],
                "distances": [a.tolist(), b.tolist(), wasserstein_distance(a, b), ks_2samp(a, b).statistic],
                "share": np.mean(to_train < to_held) + np.mean(to_train == to_held) / 2,
            }
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
