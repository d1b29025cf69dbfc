//! The files that a run writes at its beginning, at every snapshot, and at its end.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use dermagan_base::image::Image;
use dermagan_base::producer;
use dermagan_model::Network;
use dermagan_model::{Generator, ModelError, ModelFile};
use serde_json::json;

use crate::error::TrainError;
use crate::event::Event;
use crate::run::defence::Broken;
use crate::run::session::{Session, Unmeasured};
use crate::store::best::{BEST_GENERATOR, BEST_RECORD, Best, best_of};
use crate::store::checkpoint::Checkpoint;
use crate::store::event_file::EVENT_FILE;
use crate::store::metric;
use crate::store::rundir::{self, GENERATOR, stamp};
use crate::store::stats::{TIMESTAMP, seconds_since_1970};
use crate::watch::board::Board;
use crate::watch::metrics::{Measured, SnapshotMetrics};
use crate::watch::plot;
use crate::watch::run_images::{self, GRID};
use crate::watch::trained::card_of;

/// The name of a checkpoint's file.
fn checkpoint_name(stamp: &str) -> String {
    format!("checkpoint-{stamp}.safetensors")
}

impl Session {
    /// Writes the files of a new run before its first step. The checkpoint lets a run continue even if its process is
    /// killed in the first minute.
    pub(super) fn write_first_files(&mut self) -> Result<(), TrainError> {
        let words = format!("{} on {}", producer(), self.device.name);
        self.dir.log(&words);
        self.write_reals()?;
        self.write_split()?;
        let shown = self.trainer.shown();
        self.write_grid("fakes_init.png", &shown)?;
        self.write_generator(&shown)?;
        let state = self.state()?;
        self.save(&stamp(0, Some(0.0)), &state).map(|_| ())
    }

    /// Restores files of a resumed run: the real images and the split if they are missing, and the generator if it is
    /// missing or not that of the checkpoint.
    pub(super) fn restore_files(&self) -> Result<(), TrainError> {
        let exists = |name: &str| self.dir.path().join(name).is_file();
        if !exists("reals.png") {
            self.write_reals()?;
        }
        if !exists("split.csv") {
            self.write_split()?;
        }
        let model = ModelFile::open(&self.dir.path().join(GENERATOR));
        let written = model.ok().and_then(|model| model.card).map(|card| card.nimg);
        if written != Some(self.trainer.nimg) {
            let shown = self.trainer.shown();
            self.write_generator(&shown)?;
        }
        Ok(())
    }

    /// Writes the event file from the other files of the run. If this fails, the run continues with a warning.
    pub(super) fn begin_board(&mut self) {
        match Board::begin(self.dir.path(), &self.plan.config, self.trainer.nimg) {
            Ok(board) => self.board = Some(board),
            Err(error) => self.warn(&format!(
                "{EVENT_FILE} was not written, so TensorBoard does not show this run: {error}"
            )),
        }
    }

    /// Adds something to the event file. If this fails, the run continues with a warning, and the file is written anew
    /// when the run ends or is resumed.
    pub(super) fn show(&mut self, add: impl FnOnce(&mut Board) -> Result<(), TrainError>) {
        let Some(board) = &mut self.board else { return };
        if let Err(error) = add(board) {
            self.board = None;
            self.warn(&format!(
                "TensorBoard shows this run only to {:.3} kimg until it ends or is resumed: {error}",
                self.kimg()
            ));
        }
    }

    fn write_reals(&self) -> Result<(), TrainError> {
        let reals = run_images::png(
            &run_images::reals(&self.plan),
            "Real images, one row per class. Do not redistribute them against their licence.",
        )?;
        self.dir.write("reals.png", &reals)
    }

    fn write_split(&self) -> Result<(), TrainError> {
        self.dir.write("split.csv", self.plan.split_table().as_bytes())
    }

    /// Writes the images, the generator and the checkpoint, in this order. A process that is killed in between leaves
    /// only files that a resumed run writes again. The images come first because they show whether the state is broken.
    /// The metrics of a `measured` snapshot take longer, so [`Session::measure`] computes them after the checkpoint.
    pub(super) fn snapshot(&mut self, stamp: &str, measured: bool) -> Result<(), TrainError> {
        let start = Instant::now();
        self.repeat()?;
        // The state is checked first, because a broken one must not replace the last good generator.
        let state = self.state()?;
        self.compare_states(&state)?;
        let grid = format!("fakes{stamp}.png");
        let shown = self.trainer.shown();
        self.write_grid(&grid, &shown)?;
        self.write_generator(&shown)?;
        let sampler = self.trainer.sampler(shown.clone());
        let warnings = self.collapse.check(&self.plan, &sampler, self.kimg());
        for warning in warnings.map_err(|error| self.without_images(error))? {
            self.warn(&warning);
        }
        let (nimg, path) = (self.trainer.nimg, self.dir.path().join(&grid));
        if measured {
            self.show(|board| board.add_grid(&path, nimg));
        }
        let checkpoint = self.save(stamp, &state)?;
        self.dir.rotate(self.keep);
        self.maintenance += start.elapsed().as_secs_f64();
        if measured && self.metrics.is_some() {
            self.unmeasured = Some(Unmeasured { checkpoint: checkpoint_name(stamp), shown });
        }
        self.emit(Event::Snapshot { grid: path, checkpoint, nimg });
        Ok(())
    }

    /// Computes the metrics of the newest snapshot, if it still has to be measured, and keeps its generator if it is the
    /// best so far. If this fails, the run continues with a warning. If `stop` is set in the meantime, the metrics are
    /// still to be computed.
    pub(super) fn measure(&mut self, stop: &AtomicBool) -> Result<(), TrainError> {
        let Some(snapshot) = self.unmeasured.take() else { return Ok(()) };
        let Some(metrics) = self.metrics.take() else { return Ok(()) };
        let start = Instant::now();
        let measured = self.measure_snapshot(snapshot, &metrics, stop);
        self.metrics = Some(metrics);
        self.maintenance += start.elapsed().as_secs_f64();
        measured
    }

    fn measure_snapshot(
        &mut self,
        snapshot: Unmeasured,
        metrics: &SnapshotMetrics,
        stop: &AtomicBool,
    ) -> Result<(), TrainError> {
        let nimg = self.trainer.nimg;
        let (shown, name) = (snapshot.shown.clone(), &snapshot.checkpoint);
        let measured = metrics.measure(&self.plan, shown, &self.device, name, nimg, stop);
        let measured = match measured {
            Ok(measured) => measured,
            Err(TrainError::Stopped(_)) => {
                self.dir.log(&format!(
                    "the metrics of the snapshot at {:.3} kimg were broken off; they are computed when the run is resumed",
                    self.kimg()
                ));
                self.unmeasured = Some(snapshot);
                return Ok(());
            }
            Err(error @ TrainError::Model(ModelError::SickDevice(_))) => return Err(error),
            Err(error) => {
                self.warn(&format!("the metrics of this snapshot were not computed: {error}"));
                return Ok(());
            }
        };
        let chosen = metrics.chooses(&measured).cloned();
        // A process that was killed among these lines leaves some of them, and the record of the best.
        let present = metric::measured_at(self.dir.path(), nimg);
        let missing = |measured: &Measured| present.iter().all(|(_, name)| *name != measured.name);
        for Measured { name, value, words, mut line, .. } in measured.into_iter().filter(missing) {
            let chosen = chosen.as_ref().is_some_and(|chosen| chosen.name == name);
            let before = best_of(self.dir.path()).filter(|best| best.metric == name);
            let best = chosen && before.is_none_or(|best| value < best.value || best.nimg == nimg);
            line.insert(TIMESTAMP.to_owned(), json!(seconds_since_1970()));
            if best {
                self.keep_best(&name, value)?;
            }
            self.dir.add_metric(&name, &line)?;
            self.show(|board| board.add_metric(&line));
            self.emit(Event::Metric { name, words, best });
        }
        Ok(())
    }

    /// Keeps a copy of the snapshot's generator as the best one.
    fn keep_best(&mut self, metric: &str, value: f64) -> Result<(), TrainError> {
        let path = self.dir.path().join(GENERATOR);
        let bytes = std::fs::read(&path).map_err(TrainError::io(path))?;
        self.dir.write(BEST_GENERATOR, &bytes)?;
        let best = Best { metric: metric.to_owned(), value, nimg: self.trainer.nimg };
        let json = serde_json::to_vec_pretty(&best).unwrap_or_default();
        self.dir.write(BEST_RECORD, &json)
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
        let png = run_images::png(&Image::grid(&cells, GRID.0), &words)?;
        self.dir.write(name, &png)
    }

    /// Writes the generator with its card.
    fn write_generator(&self, shown: &Generator) -> Result<(), TrainError> {
        let weights = shown.to_weights();
        let card = card_of(&self.plan.config, self.trainer.nimg);
        self.dir.write(GENERATOR, &ModelFile::to_bytes(&weights, &card)?)
    }

    /// The state as a checkpoint.
    ///
    /// # Errors
    /// When a value is not finite.
    fn state(&mut self) -> Result<Checkpoint, TrainError> {
        self.trainer.checkpoint().map_err(|what| self.broken(Broken::NotFinite(what)))
    }

    fn save(&mut self, stamp: &str, checkpoint: &Checkpoint) -> Result<PathBuf, TrainError> {
        let path = self.dir.path().join(checkpoint_name(stamp));
        checkpoint.save(&path)?;
        self.last_good.clone_from(&path);
        Ok(path)
    }

    /// Writes the loss plot and the time-lapse.
    pub(super) fn draw(&mut self) -> Result<(), TrainError> {
        let run = self.dir.path().to_owned();
        let plot = plot::losses(&rundir::read_stats(&run))
            .map_err(|error| TrainError::Invalid(format!("losses.png: {error}")))?;
        if let Some(plot) = plot {
            let words = "Losses and probabilities of the run";
            self.dir.write("losses.png", &run_images::png(&plot.image, words)?)?;
            self.dir.write("losses.svg", plot.svg.as_bytes())?;
        }
        run_images::write_timelapse(&run, self.kimg())
    }

    /// The error of a generator that makes no images. If its images are not finite, the run has broken down, even if
    /// all weights are finite.
    fn without_images(&mut self, error: ModelError) -> TrainError {
        match error {
            ModelError::ImageNotFinite => {
                self.broken(Broken::NotFinite("an image of the generator".to_owned()))
            }
            other => other.into(),
        }
    }
}
