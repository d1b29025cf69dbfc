"""A sweep on a Ray cluster, as rayjob.yaml starts it; `python sweep.py` alone runs it on this machine."""

from ray import tune

import dermagan.ray as cluster

if __name__ == "__main__":
    trials = cluster.sweep(
        "/shared/ham10000-200x150.zip",
        {"objective.r1": tune.loguniform(0.01, 1.0), "optimiser.learning_rate": tune.loguniform(1e-4, 8e-4)},
        outdir="/shared/sweep",
        preset="fast",
        kimg=175,
        trials=16,
        slot=cluster.Slot(cpus=4),
    )
    for trial in trials:
        print(trial.best, trial.kimg, trial.settings, trial.run and trial.run.path)
