//! A run with its files: steps, statistics, snapshots, and an orderly end in every case.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use dermagan_generate::Sampler;
use dermagan_model::{ComputeDevice, Generator};
use serde_json::json;

use crate::error::TrainError;
use crate::event::{Event, Outcome};
use crate::group::agreement::{State, Wish};
use crate::plan::memory::resident_gigabytes;
use crate::plan::run_plan::Plan;
use crate::recipe::config::images_of_kimg;
use crate::run::defence::{Broken, ReadBack};
use crate::run::lead::Leading;
use crate::run::self_check::CheckCounts;
use crate::run::trainer::{ADAPT_EVERY, Trainer};
use crate::store::checkpoint::Checkpoint;
use crate::store::rundir::{self, RunDir, stamp};
use crate::store::stats::{
    KIMG, SECONDS_PER_KIMG, StatsLine, TICK, TIMESTAMP, TOTAL_SECONDS, Tally, seconds_since_1970,
};
use crate::watch::board::Board;
use crate::watch::metrics::SnapshotMetrics;
use crate::watch::mode_collapse::CollapseMonitor;

/// Interval in steps at which values are read back from a GPU. Each read waits for the device.
pub(crate) const READ_EVERY: u64 = ADAPT_EVERY;
/// Number of first steps that are read back one by one, so that the ranges of gradient norms begin with them.
const EARLY_READS: u64 = 4;
/// The discriminator has won when, on average over a tick, its probability of being real is above this for real images
/// and below [`WON_FAKE`] for fakes. The notebook's run reached 0.998 and 0.001 after two epochs.
const WON_REAL: f64 = 0.95;
/// See [`WON_REAL`].
const WON_FAKE: f64 = 0.05;

/// The status in `stats.jsonl` of a run whose discriminator has won.
pub const STATUS_WON: &str = "discriminator has won";
/// The status of any other run.
const STATUS_FINE: &str = "healthy";

/// A run that is held in memory and writes into its folder. The caller lets it run to its end ([`Session::run`]) or steps
/// it:
///
/// ```
/// # use std::sync::atomic::AtomicBool;
/// # use dermagan_model::ComputeDevice;
/// # use dermagan_train::{ReadyRun, TrainRequest};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let outdir = folder.path().join("runs");
/// # let (device, stop) = (ComputeDevice::cpu(), AtomicBool::new(false));
/// let request = TrainRequest {
///     outdir,
///     kimg: Some(0.1),
///     width: Some(2),
///     ..TrainRequest::new("tiny", "phantom:16")
/// };
/// let run = ReadyRun::new(&request, &device, &mut |_event| ())?;
/// let mut session = run.begin(&stop, &mut |_event| ())?;
/// while !session.is_done() {
///     session.step()?;
///     for event in session.take_events() {
///         println!("{event:?}");
///     }
/// }
/// let outcome = session.finish()?;
/// assert!(!outcome.interrupted);
/// # Ok(())
/// # }
/// ```
///
/// A caller that stops before the end calls [`Session::interrupt`] first, which writes a checkpoint.
pub struct Session {
    pub(super) plan: Arc<Plan>,
    pub(super) trainer: Trainer,
    pub(super) dir: RunDir,
    /// The event file. `None` until it is begun, and after it could not be written.
    pub(super) board: Option<Board>,
    pub(super) device: ComputeDevice,
    pub(super) keep: usize,
    pub(super) metrics: Option<SnapshotMetrics>,
    /// The other processes of the run's group.
    pub(super) leading: Leading,
    /// The snapshot whose metrics are still to be computed.
    pub(super) unmeasured: Option<Unmeasured>,
    /// Events since the last call of [`Session::take_events`].
    events: Vec<Event>,
    start: Instant,
    nimg_at_start: u64,
    /// Seconds of training in earlier processes.
    pub(super) seconds_before: f64,
    tick_start: Instant,
    tick_nimg: u64,
    /// Seconds of the open tick for which steps waited for their batches.
    waited: f64,
    /// Seconds of the open tick that were spent on images, metrics and files.
    pub(super) maintenance: f64,
    /// Whether the discriminator had won in the last tick.
    pub(super) won: bool,
    pub(super) collapse: CollapseMonitor,
    pub(super) counts: CheckCounts,
    /// Number of steps that earlier processes did.
    steps_before: u64,
    /// The newest checkpoint that is known to be good.
    pub(super) last_good: PathBuf,
    /// Whether the last step ended with a snapshot.
    snapshot_is_fresh: bool,
}

/// A snapshot whose checkpoint is written and whose metrics are not computed yet.
pub(super) struct Unmeasured {
    /// Name of the checkpoint's file.
    pub checkpoint: String,
    /// The generator that the snapshot keeps.
    pub shown: Generator,
}

impl Session {
    pub(super) fn new(
        plan: Arc<Plan>,
        trainer: Trainer,
        dir: RunDir,
        device: ComputeDevice,
        keep: usize,
        metrics: Option<SnapshotMetrics>,
    ) -> Self {
        let (nimg, steps_before) = (trainer.nimg, trainer.steps);
        let last_good = rundir::newest_checkpoint(dir.path()).unwrap_or_default();
        let now = Instant::now();
        Self {
            plan,
            trainer,
            dir,
            board: None,
            device,
            keep,
            metrics,
            leading: Leading::none(),
            unmeasured: None,
            events: Vec::new(),
            start: now,
            nimg_at_start: nimg,
            seconds_before: 0.0,
            tick_start: now,
            tick_nimg: nimg,
            waited: 0.0,
            maintenance: 0.0,
            won: false,
            collapse: CollapseMonitor::default(),
            counts: CheckCounts::default(),
            steps_before,
            last_good,
            snapshot_is_fresh: true,
        }
    }

    /// Adds the path of the last good checkpoint to an error of the disk.
    pub(super) fn explain(&self, error: TrainError) -> TrainError {
        match error {
            TrainError::Io { path, error, .. } if self.last_good.exists() => TrainError::Io {
                path,
                error,
                next: format!(
                    "\n  The last good checkpoint is untouched. Free space on the disk or repair it, then resume \
                     the run from {}",
                    self.last_good.display()
                ),
            },
            other => other,
        }
    }

    pub(super) fn kimg(&self) -> f64 {
        self.trainer.nimg as f64 / 1000.0
    }

    /// The configuration and the images of the run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Number of images seen, by this and earlier processes.
    pub fn images_seen(&self) -> u64 {
        self.trainer.nimg
    }

    /// Number of images of the whole run.
    pub fn images_total(&self) -> u64 {
        images_of_kimg(self.plan.config.schedule.kimg)
    }

    /// Whether the run has seen all of its images.
    pub fn is_done(&self) -> bool {
        self.images_seen() >= self.images_total()
    }

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// A sampler that makes images with the generator that a snapshot would keep now.
    pub fn sampler(&self) -> Sampler {
        self.trainer.sampler(self.trainer.shown())
    }

    /// Runs to the end, or until `stop` is set. A stopped run writes a checkpoint that it can be resumed from. A stop
    /// breaks the metrics of a snapshot off; they are computed when the run is resumed. `sink` receives the events.
    ///
    /// # Errors
    /// As [`Session::step`] and [`Session::finish`]. The last good checkpoint stays.
    pub fn run(
        mut self,
        stop: &AtomicBool,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Outcome, TrainError> {
        let mut outcome = Ok(());
        self.take_events().into_iter().for_each(&mut *sink);
        loop {
            match self.agree(&outcome, stop.load(Ordering::Relaxed)) {
                Wish::Step => {}
                Wish::Stop => {
                    self.leading.stop(self.snapshot_is_fresh);
                    outcome = self.interrupt();
                    break;
                }
                Wish::End => break,
                Wish::Fail => {
                    outcome = outcome.and_then(|()| Err(self.diverged()));
                    break;
                }
            }
            outcome = self.advance();
            // The caller learns of the checkpoint before the metrics, which may take minutes.
            self.take_events().into_iter().for_each(&mut *sink);
            outcome = outcome.and_then(|()| self.measure_and_report(stop, sink));
        }
        self.take_events().into_iter().for_each(&mut *sink);
        let finished = outcome.and_then(|()| self.end());
        self.take_events().into_iter().for_each(&mut *sink);
        finished
    }

    /// What to do next, which all processes of a group agree on.
    fn agree(&mut self, outcome: &Result<(), TrainError>, stop: bool) -> Wish {
        let own = match (outcome, self.is_done(), stop) {
            (Err(_), ..) => Wish::Fail,
            (_, true, _) => Wish::End,
            (_, _, true) => Wish::Stop,
            _ => Wish::Step,
        };
        self.leading.agree(own, State::default()).wish
    }

    /// Compares the state with that of the other processes of a group, before it is written.
    pub(super) fn compare_states(&mut self, state: &Checkpoint) -> Result<(), TrainError> {
        if !self.leading.are_waiting() {
            return Ok(());
        }
        let agreed = self.leading.agree(Wish::Step, state.state());
        match agreed.wish == Wish::Step && agreed.same {
            true => Ok(()),
            false => Err(self.diverged()),
        }
    }

    /// The error of processes that do not have the same state.
    fn diverged(&mut self) -> TrainError {
        let (kimg, checkpoint) = (self.kimg(), self.last_good.clone());
        self.dir.log(&format!("the processes have different weights at {kimg:.3} kimg; stopped"));
        TrainError::Diverged { kimg, checkpoint }
    }

    /// Computes the metrics that are due, and passes the events to `sink`.
    pub(super) fn measure_and_report(
        &mut self,
        stop: &AtomicBool,
        sink: &mut dyn FnMut(Event),
    ) -> Result<(), TrainError> {
        if self.unmeasured.is_some() {
            sink(Event::Measuring { nimg: self.trainer.nimg });
        }
        let measured = self.measure(stop).map_err(|error| self.explain(error));
        self.take_events().into_iter().for_each(sink);
        measured
    }

    /// Does one training step, and writes the statistics and the snapshot that are due after it, with its metrics. Does
    /// nothing if the run is done.
    ///
    /// # Errors
    /// When a value is not finite, the device computes wrongly, or a file cannot be written. The last good checkpoint
    /// stays.
    pub fn step(&mut self) -> Result<(), TrainError> {
        if self.is_done() {
            return Ok(());
        }
        self.advance()?;
        self.measure(&AtomicBool::new(false)).map_err(|error| self.explain(error))
    }

    /// Does one training step, and everything that is due after it except the metrics.
    fn advance(&mut self) -> Result<(), TrainError> {
        let before = self.trainer.nimg;
        self.waited += self.trainer.step().as_secs_f64();
        self.do_what_is_due(before).map_err(|error| self.explain(error))
    }

    /// Does the work that is due after a step that began after `before` images.
    fn do_what_is_due(&mut self, before: u64) -> Result<(), TrainError> {
        let schedule = self.plan.config.schedule;
        let (snap, tick) = (images_of_kimg(schedule.snap), images_of_kimg(schedule.tick));
        let nimg = self.trainer.nimg;
        let (tick_due, snap_due) = (nimg / tick > before / tick, nimg / snap > before / snap);
        self.snapshot_is_fresh = self.plan.config.snapshot_is_due(nimg);
        if self.snapshot_is_fresh
            || tick_due
            || self.device.is_cpu
            || self.trainer.steps - self.steps_before <= EARLY_READS
            || self.trainer.steps.is_multiple_of(READ_EVERY)
        {
            self.read_back()?;
        }
        if tick_due {
            self.tick()?;
        }
        if snap_due {
            let due = (nimg / snap * snap) as f64 / 1000.0;
            self.snapshot(&stamp(nimg, Some(due)), true)?;
        } else if self.is_done() {
            self.snapshot(&stamp(nimg, Some(schedule.kimg)), true)?;
        }
        Ok(())
    }

    /// Writes a snapshot from which the run can continue, unless there is one of the current step. No metrics are
    /// computed for it, because an uninterrupted run has none here.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn interrupt(&mut self) -> Result<(), TrainError> {
        if self.snapshot_is_fresh {
            return Ok(());
        }
        let mut write = || {
            self.read_back()?;
            self.snapshot(&stamp(self.trainer.nimg, None), false)
        };
        write().map_err(|error| self.explain(error))?;
        self.snapshot_is_fresh = true;
        Ok(())
    }

    /// Ends the run: writes the open tick, the loss plot and the time-lapse. `interrupted` says whether the run was
    /// stopped before its end.
    ///
    /// # Errors
    /// When the statistics cannot be written. A plot that cannot be written is only a warning.
    pub fn finish(mut self) -> Result<Outcome, TrainError> {
        self.end()
    }

    fn end(&mut self) -> Result<Outcome, TrainError> {
        let unmeasured = self.unmeasured.is_some();
        let interrupted = !self.is_done() || unmeasured;
        if self.trainer.tally.steps() > 0 {
            // The open tick is written so that a short run has statistics too. The checkpoint does not count it: a
            // resumed run writes the whole tick again.
            let line = self.line();
            self.dir.add_stats(&line).map_err(|error| self.explain(error))?;
            self.show(|board| board.add_stats(&line));
            self.emit(Event::Tick(line));
        }
        // An earlier process may have been killed between writing its last checkpoint and removing the oldest.
        self.dir.rotate(self.keep);
        // The state is safe by now, so a plot that cannot be drawn does not fail the run.
        if let Err(error) = self.draw() {
            self.warn(&format!("the loss plot or the time-lapse was not written: {error}"));
        }
        if self.board.is_none() {
            self.begin_board();
        }
        let end = match (self.is_done(), unmeasured) {
            (false, _) => "stopped before its end",
            (true, false) => "finished",
            (true, true) => "stopped in the metrics of its last snapshot",
        };
        let words = format!("{end} at {:.3} kimg", self.kimg());
        self.dir.log(&words);
        let run = self.dir.path().to_owned();
        Ok(Outcome { run, nimg: self.trainer.nimg, interrupted, unmeasured })
    }

    /// Emits the start event, and warnings about the run's length and number format.
    pub(super) fn announce(&mut self) {
        let (run, nimg) = (self.dir.path().to_owned(), self.trainer.nimg);
        self.emit(Event::Started { run, nimg, total: self.images_total() });
        if let Some(warning) = self.device.warning.clone() {
            self.warn(&warning);
        }
        if self.is_done() {
            return;
        }
        if nimg == 0 {
            for fact in self.plan.advice() {
                self.dir.log(&format!("note: {fact}"));
                self.emit(Event::Advice(fact));
            }
        }
        let config = &self.plan.config;
        let cautions = config.cautions(nimg).into_iter();
        let cautions: Vec<String> =
            cautions.chain(config.precision.caution(&self.device)).collect();
        cautions.iter().for_each(|caution| self.warn(caution));
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Reads the values of the last steps back, and emits the progress.
    fn read_back(&mut self) -> Result<(), TrainError> {
        let ReadBack { newest, recomputed } =
            self.trainer.read_back().map_err(|what| self.broken(what))?;
        if let Some(recomputed) = recomputed {
            self.recomputed(recomputed);
        }
        let seconds = self.start.elapsed().as_secs_f64().max(1e-9);
        let images_per_second = (self.trainer.nimg - self.nimg_at_start) as f64 / seconds;
        if let Some(measures) = newest {
            self.emit(Event::Progress { nimg: self.trainer.nimg, images_per_second, measures });
        }
        Ok(())
    }

    /// Logs why the run cannot continue, and makes it an error.
    pub(super) fn broken(&mut self, broken: Broken) -> TrainError {
        let (kimg, checkpoint) = (self.kimg(), self.last_good.clone());
        match broken {
            Broken::NotFinite(what) => {
                self.dir.log(&format!("{what} is not finite at {kimg:.3} kimg; stopped"));
                TrainError::NotFinite { kimg, what, checkpoint }
            }
            Broken::Device(what) => {
                self.dir.log(&format!(
                    "the device computed wrongly at {kimg:.3} kimg: {what}; stopped"
                ));
                TrainError::DeviceErrs { kimg, what, checkpoint }
            }
        }
    }

    /// Logs a warning and emits it.
    pub(super) fn warn(&mut self, words: &str) {
        self.dir.log(&format!("warning: {words}"));
        self.emit(Event::Warning(words.to_owned()));
    }

    /// Closes the tick: writes a line of statistics, and warns if the discriminator has won.
    fn tick(&mut self) -> Result<(), TrainError> {
        let means = self.trainer.tally.means();
        let (real, fake) = (means.real_probability, means.fake_probability);
        let won = real > WON_REAL && fake < WON_FAKE;
        if won && !self.won {
            self.warn(&format!(
                "the discriminator has won at {:.1} kimg: D(x) {real:.3}, D(G(z)) {fake:.4}. The \
                 generator will learn little from now on",
                self.kimg()
            ));
        } else if self.won && !won {
            let words = format!(
                "the discriminator no longer wins at {:.1} kimg: D(x) {real:.3}, D(G(z)) {fake:.3}",
                self.kimg()
            );
            self.dir.log(&words);
        }
        self.won = won;
        let line = self.line();
        self.dir.add_stats(&line)?;
        self.show(|board| board.add_stats(&line));
        self.trainer.ticks += 1;
        self.trainer.tally = Tally::default();
        (self.tick_start, self.tick_nimg) = (Instant::now(), self.trainer.nimg);
        (self.waited, self.maintenance) = (0.0, 0.0);
        self.emit(Event::Tick(line));
        Ok(())
    }

    /// The open tick as a line of statistics.
    fn line(&self) -> StatsLine {
        let seconds = (self.tick_start.elapsed().as_secs_f64() - self.maintenance).max(0.0);
        let kimg = (self.trainer.nimg - self.tick_nimg) as f64 / 1000.0;
        let mut line = StatsLine::new();
        let mut single = |name: &str, value: f64| {
            line.insert(name.to_owned(), json!({"num": 1, "mean": value, "std": 0.0}));
        };
        single(TICK, self.trainer.ticks as f64);
        single(KIMG, self.trainer.nimg as f64 / 1000.0);
        single("Timing/sec_per_tick", seconds);
        single(SECONDS_PER_KIMG, if kimg > 0.0 { seconds / kimg } else { 0.0 });
        single("Timing/maintenance_sec", self.maintenance);
        single(TOTAL_SECONDS, self.seconds_before + self.start.elapsed().as_secs_f64());
        single("Timing/data_wait_share", self.waited / seconds.max(1e-9));
        if !self.plan.config.augment.is_off() {
            single("Progress/augment", self.trainer.probability());
            if let Some(rarest) = self.trainer.probability_of_rarest() {
                single("Progress/augment_rare", rarest);
            }
        }
        if let Some(strength) = self.plan.config.class_strength(self.trainer.nimg) {
            single("Progress/condition", strength);
        }
        if let Some(gigabytes) = resident_gigabytes() {
            single("Resources/cpu_mem_gb", gigabytes);
        }
        line.extend(self.counts.fields());
        line.extend(
            self.trainer.tally.fields().map(|(name, field)| (name.to_owned(), json!(field))),
        );
        line.insert("Status".to_owned(), json!(if self.won { STATUS_WON } else { STATUS_FINE }));
        line.insert(TIMESTAMP.to_owned(), json!(seconds_since_1970()));
        line
    }
}
