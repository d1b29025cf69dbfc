//! What a run's folder is given: at its beginning, at every snapshot, at its end.

use std::path::PathBuf;
use std::time::Instant;

use dermagan_base::image::Image;
use dermagan_model::named::Network;
use dermagan_model::{Generator, ModelError, ModelFile};
use serde_json::json;

use super::Session;
use crate::checkpoint::{self, Checkpoint};
use crate::error::TrainError;
use crate::event::Event;
use crate::metrics::{self, BEST, Best, Measured};
use crate::outputs::{self, GRID};
use crate::plot;
use crate::rundir::{self, GENERATOR, stamp};
use crate::stats::seconds_since_1970;
use crate::trainer::{Broken, card_of};

impl Session<'_> {
    /// What a new run's folder holds before the first step; the checkpoint makes even a process
    /// killed in its first minute one that can be continued.
    pub(super) fn begin(&mut self) -> Result<(), TrainError> {
        let words = format!("{} on {}", checkpoint::producer(), self.device.name);
        self.dir.log(&words);
        if let Some(warning) = self.device.warning.clone() {
            self.warn(&warning);
        }
        self.write_reals()?;
        self.write_split()?;
        let shown = self.trainer.shown();
        self.write_grid("fakes_init.png", &shown)?;
        self.write_generator(&shown)?;
        let state = self.state()?;
        self.save(&stamp(0, Some(0.0)), &state).map(|_| ())
    }

    /// Puts back the real images and the split of a resumed run, should they be gone, and its generator
    /// where that is not the checkpoint's: a later one, or none.
    pub(super) fn restore(&self) -> Result<(), TrainError> {
        let there = |name: &str| self.dir.path().join(name).is_file();
        if !there("reals.png") {
            self.write_reals()?;
        }
        if !there("split.csv") {
            self.write_split()?;
        }
        let model = ModelFile::open(&self.dir.path().join(GENERATOR));
        let of = model.ok().and_then(|model| model.card).map(|card| card.nimg);
        if of != Some(self.trainer.nimg) {
            let shown = self.trainer.shown();
            self.write_generator(&shown)?;
        }
        Ok(())
    }

    fn write_reals(&self) -> Result<(), TrainError> {
        let reals = outputs::png(
            &outputs::reals(self.plan),
            "Real images, one row a class. Do not redistribute against their licence.",
        )?;
        self.dir.write("reals.png", &reals)
    }

    fn write_split(&self) -> Result<(), TrainError> {
        self.dir.write("split.csv", self.plan.split_table().as_bytes())
    }

    /// Images, the generator, and the checkpoint, in this order: what a later process finds is
    /// never newer than what it continues from would write again.
    pub(super) fn snapshot(&mut self, stamp: &str, measured: bool) -> Result<(), TrainError> {
        let start = Instant::now();
        self.repeat()?;
        // Looked at first: a broken state must not replace the last good generator.
        let state = self.state()?;
        let grid = format!("fakes{stamp}.png");
        let shown = self.trainer.shown();
        self.write_grid(&grid, &shown)?;
        self.write_generator(&shown)?;
        let sampler = self.trainer.sampler(shown.clone());
        let warnings = self.lookout.look(self.plan, &sampler, self.kimg());
        for warning in warnings.map_err(|error| self.without_images(error))? {
            self.warn(&warning);
        }
        if measured {
            self.measure(stamp, shown)?;
        }
        let checkpoint = self.save(stamp, &state)?;
        self.dir.rotate(self.keep);
        self.maintenance += start.elapsed().as_secs_f64();
        (self.sink)(Event::Snapshot { grid: self.dir.path().join(grid), checkpoint });
        Ok(())
    }

    /// Measures a snapshot and keeps it if it is the best so far. A measurement that fails is a
    /// warning: the run goes on.
    fn measure(&mut self, stamp: &str, shown: Generator) -> Result<(), TrainError> {
        let Some(watch) = self.watch.take() else { return Ok(()) };
        let nimg = self.trainer.nimg;
        let snapshot = format!("checkpoint-{stamp}.safetensors");
        let measured = watch.measure(self.plan, shown, &self.device, &snapshot, nimg);
        let measured = match measured {
            Ok(measured) => measured,
            Err(error @ TrainError::Model(ModelError::SickDevice(_))) => return Err(error),
            Err(error) => {
                self.warn(&format!("the snapshot was not measured: {error}"));
                self.watch = Some(watch);
                return Ok(());
            }
        };
        let chosen = watch.chooses(&measured).cloned();
        for Measured { name, value, words, mut line } in measured {
            let chosen = chosen.as_ref().is_some_and(|chosen| chosen.name == name);
            let before = metrics::best_of(self.dir.path()).filter(|best| best.metric == name);
            let best = chosen && before.is_none_or(|best| value < best.value);
            line.insert("timestamp".to_owned(), json!(seconds_since_1970()));
            if best {
                self.keep_best(&name, value)?;
            }
            self.dir.add_metric(&name, &line)?;
            (self.sink)(Event::Metric { name, words, best });
        }
        self.watch = Some(watch);
        Ok(())
    }

    /// Copies the snapshot's generator aside.
    fn keep_best(&mut self, metric: &str, value: f64) -> Result<(), TrainError> {
        let path = self.dir.path().join(GENERATOR);
        let bytes = std::fs::read(&path).map_err(TrainError::io(path))?;
        self.dir.write(BEST[0], &bytes)?;
        let best = Best { metric: metric.to_owned(), value, nimg: self.trainer.nimg };
        let json = serde_json::to_vec_pretty(&best).unwrap_or_default();
        self.dir.write(BEST[1], &json)
    }

    fn write_grid(&mut self, name: &str, shown: &Generator) -> Result<(), TrainError> {
        let count = GRID.0 * GRID.1;
        let cells = self.trainer.sampler(shown.clone()).images(0..count as u64, 1.0, count);
        let cells = cells.map_err(|error| self.without_images(error))?;
        let words = format!(
            "SYNTHETIC, not for diagnosis: seeds 0 to {} at {:.3} kimg",
            cells.len() - 1,
            self.kimg()
        );
        let png = outputs::png(&Image::grid(&cells, GRID.0), &words)?;
        self.dir.write(name, &png)
    }

    /// The generator with its card.
    fn write_generator(&self, shown: &Generator) -> Result<(), TrainError> {
        let weights = shown.to_weights();
        let card = card_of(&self.plan.config, self.trainer.nimg);
        self.dir.write(GENERATOR, &ModelFile::to_bytes(&weights, &card)?)
    }

    /// The state, if it is worth keeping.
    fn state(&mut self) -> Result<Checkpoint, TrainError> {
        self.trainer.checkpoint().map_err(|what| self.broken(Broken::NotFinite(what)))
    }

    fn save(&mut self, stamp: &str, checkpoint: &Checkpoint) -> Result<PathBuf, TrainError> {
        let path = self.dir.path().join(format!("checkpoint-{stamp}.safetensors"));
        checkpoint.save(&path)?;
        self.last_good.clone_from(&path);
        Ok(path)
    }

    /// The loss plot and the time-lapse.
    pub(super) fn finish(&mut self) -> Result<(), TrainError> {
        let run = self.dir.path().to_owned();
        if let Some(plot) = plot::losses(&rundir::read_stats(&run)) {
            self.dir.write(
                "losses.png",
                &outputs::png(&plot, "Losses and probabilities of the run")?,
            )?;
        }
        outputs::write_timelapse(&run, self.kimg())
    }

    /// A generator whose weights are numbers and whose images are not has broken down too.
    fn without_images(&mut self, error: ModelError) -> TrainError {
        match error {
            ModelError::ImageNotFinite => {
                self.broken(Broken::NotFinite("an image of the generator".to_owned()))
            }
            other => other.into(),
        }
    }
}
