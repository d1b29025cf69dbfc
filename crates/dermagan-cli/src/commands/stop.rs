//! Ctrl-C and SIGTERM: what is said, and what a second one does. Each sentence is built from what the run has done so far.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::exit;
use crate::show::complain;

/// What the command does when it is stopped, and what is kept then.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Nothing would be kept. The text says what happens.
    Nothing(&'static str),
    /// A run does steps. A checkpoint is written after the current one.
    Steps(Kept),
    /// A run computes the metrics of its newest checkpoint.
    Metrics(Kept),
    /// The newest checkpoint of a run is that of its last step.
    Saved(Kept),
}

/// A run with its newest checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The run's folder.
    pub run: PathBuf,
    /// Number of images seen at its newest checkpoint.
    pub nimg: u64,
}

impl Kept {
    fn kimg(&self) -> String {
        format!("{:.3} kimg", self.nimg as f64 / 1000.0)
    }
}

/// A reaction to a signal.
#[derive(Debug, PartialEq)]
struct Reaction {
    words: String,
    /// Whether the process ends at once.
    leaves: bool,
}

/// The reaction to signal number `count`, counted from 0, in a stage.
fn reaction(count: usize, stage: &Stage) -> Reaction {
    let (words, leaves) = match (count, stage) {
        (0, Stage::Nothing(words)) => ((*words).to_owned(), false),
        (0, Stage::Steps(_)) => {
            ("stopping: a checkpoint is written after this step".to_owned(), false)
        }
        (0, Stage::Metrics(kept)) => (
            format!(
                "stopping: the checkpoint of {} is written; its metrics are broken off, and computed when the run is \
                 resumed",
                kept.kimg()
            ),
            false,
        ),
        (0, Stage::Saved(kept)) => {
            (format!("stopping: the checkpoint of {} is written", kept.kimg()), false)
        }
        (_, Stage::Nothing(_)) => ("stopped at once".to_owned(), true),
        // The first signal promised a checkpoint.
        (1, Stage::Steps(kept)) => (
            format!(
                "the checkpoint is not written yet; press Ctrl-C a third time to stop without it, at the checkpoint of {}",
                kept.kimg()
            ),
            false,
        ),
        (_, Stage::Steps(kept) | Stage::Metrics(kept) | Stage::Saved(kept)) => (
            format!(
                "stopped at once, with the checkpoint of {}; resume it with: dermagan train --resume {}",
                kept.kimg(),
                kept.run.display()
            ),
            true,
        ),
    };
    Reaction { words, leaves }
}

/// A flag that a signal sets, and what the command does at the moment.
#[derive(Clone, Debug)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    stage: Arc<Mutex<Stage>>,
}

impl Stop {
    /// At the beginning, a command keeps nothing; `words` say so.
    pub fn new(words: &'static str) -> Self {
        Self { flag: Arc::default(), stage: Arc::new(Mutex::new(Stage::Nothing(words))) }
    }

    /// Reacts to signals from now on.
    pub fn listen(&self) -> anyhow::Result<()> {
        let (stop, signals) = (self.clone(), AtomicUsize::new(0));
        ctrlc::set_handler(move || {
            let Reaction { words, leaves } =
                reaction(signals.fetch_add(1, Ordering::Relaxed), &stop.stage());
            complain!("\n{words}");
            if leaves {
                crate::leave(exit::INTERRUPTED);
            }
            stop.flag.store(true, Ordering::Relaxed);
        })?;
        Ok(())
    }

    /// Sets the flag at a signal from now on, and says nothing: another process does.
    pub fn listen_silently(&self) -> anyhow::Result<()> {
        let flag = self.flag.clone();
        Ok(ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?)
    }

    /// The flag.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// What the command does at the moment.
    pub fn stage(&self) -> Stage {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets what the command does from now on.
    pub fn enter(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(nimg: u64) -> Kept {
        Kept { run: "runs/00000-x".into(), nimg }
    }

    #[test]
    fn a_signal_says_what_is_kept_in_every_stage() {
        let words = |count, stage: &Stage| reaction(count, stage).words;
        assert_eq!(words(0, &Stage::Nothing("nothing yet")), "nothing yet");
        assert!(words(0, &Stage::Steps(kept(8000))).contains("is written after this step"));
        let metrics = words(0, &Stage::Metrics(kept(12_345)));
        assert!(
            metrics.contains("of 12.345 kimg is written; its metrics are broken off"),
            "{metrics}"
        );
        assert!(
            words(0, &Stage::Saved(kept(0))).contains("the checkpoint of 0.000 kimg is written")
        );
    }

    #[test]
    fn a_second_signal_ends_the_process_only_if_the_promised_checkpoint_is_written() {
        let second = reaction(1, &Stage::Steps(kept(8000)));
        assert!(
            !second.leaves && second.words.contains("at the checkpoint of 8.000 kimg"),
            "{second:?}"
        );
        assert!(reaction(2, &Stage::Steps(kept(8000))).leaves);
        for stage in [Stage::Metrics(kept(8000)), Stage::Saved(kept(8000))] {
            let second = reaction(1, &stage);
            assert!(second.leaves && second.words.contains("--resume runs/00000-x"), "{second:?}");
        }
        assert!(reaction(1, &Stage::Nothing("")).leaves);
        assert!((0..1).all(|count| !reaction(count, &Stage::Nothing("")).leaves));
    }
}
