//! A whole run: steps, statistics, snapshots, and an orderly end whatever happens.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use dermagan_model::Selected;
use serde::Serialize;
use serde_json::json;

use crate::checkpoint::{self, Checkpoint};
use crate::collapse::Lookout;
use crate::config::images;
use crate::error::TrainError;
use crate::estimate;
use crate::event::{Event, Outcome};
use crate::length;
use crate::memory::resident_gigabytes;
use crate::metrics::{self, BEST, Metric, Watch};
use crate::plan::Plan;
use crate::rundir::{self, RunDir, stamp};
use crate::stats::{Line, seconds_since_1970};
use crate::trainer::{ADAPT_EVERY, Broken, ReadBack, Trainer};

mod self_check;
mod snapshot;

/// On a GPU, values are read back every so many steps: each read waits for the device to finish.
pub(crate) const READ_EVERY: u64 = ADAPT_EVERY;
/// The first steps are read back one by one, so that the ranges of gradient norms begin with them.
const EARLY_READS: u64 = 4;
/// The discriminator has won when it is this sure, on average over a tick. The notebook's run
/// reached 0.998 and 0.001 after two epochs.
const WON: (f64, f64) = (0.95, 0.05);

/// Options that do not change what is learnt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionOptions {
    /// Checkpoints to keep, newest first; 0 keeps all.
    pub keep: usize,
    /// What to measure at every snapshot.
    pub metrics: Vec<Metric>,
    /// Whether a GPU's gradients are checked: against the CPU at the start, by repetition at every snapshot, and
    /// by their norms in every step.
    pub self_check: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { keep: 3, metrics: Vec::new(), self_check: true }
    }
}

impl SessionOptions {
    /// Those that a run had last, each by itself: what its file does not say is as for a new run, but
    /// that the metrics that it has files of go on. Of a run whose file cannot be read every checkpoint
    /// is kept: it may have asked for that.
    pub fn of_run(run: &Path) -> Self {
        let metrics = rundir::option_of(run, "metrics");
        let keep = rundir::options_of(run).map_or(0, |_| Self::default().keep);
        Self {
            keep: rundir::option_of(run, "keep").unwrap_or(keep),
            metrics: metrics.unwrap_or_else(|| metrics::found_in(run)),
            self_check: true,
        }
    }
}

/// Starts a run in a new folder under `outdir`; where its plan has minutes instead of a
/// length, it is as long as fits into them.
///
/// # Errors
/// Whatever stops it; the last good checkpoint stays.
pub fn start(
    plan: &mut Plan,
    device: Selected,
    outdir: &Path,
    options: SessionOptions,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainError> {
    // What may be refused is, before anything takes time.
    estimate::check(&plan.config, &device)?;
    let watch = watch(&options, &device, plan.images.len())?;
    rundir::make_outdir(outdir)?;
    length::fit(plan, &device, stop, sink)?;
    let plan = &*plan;
    let mut trainer = Trainer::new(plan, device.clone());
    let checked = self_check::begin(&mut trainer, &device, options.self_check)?;
    let dir = RunDir::create(outdir, &plan.config, &options)?;
    let mut session = Session::new(plan, trainer, dir, device, (options.keep, watch), sink);
    session.begun(checked);
    session.begin().and_then(|()| session.run(stop)).map_err(|error| session.explain(error))
}

/// Continues a run in its own folder.
///
/// # Errors
/// As [`start`], and when the checkpoint does not fit the plan.
pub fn resume(
    plan: &Plan,
    device: Selected,
    path: &Path,
    checkpoint: Checkpoint,
    options: SessionOptions,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainError> {
    let folder = checkpoint::folder_of(path);
    rundir::belongs(folder, &checkpoint.meta.config).map_err(|what| {
        let next = "Put it back into the folder of its run.".into();
        TrainError::Checkpoint { path: path.to_owned(), what, next }
    })?;
    estimate::check(&plan.config, &device)?;
    let unreadable = rundir::options_of(folder).is_none();
    let watch = watch(&options, &device, plan.images.len())?;
    let mut dir = RunDir::open(folder)?;
    let (nimg, ticks) = (checkpoint.meta.nimg, checkpoint.meta.ticks);
    let level = checkpoint.meta.level.clone();
    let mut trainer = Trainer::resume(plan, device.clone(), checkpoint).map_err(|what| {
        let next = "It belongs to another program.".into();
        TrainError::Checkpoint { path: path.to_owned(), what, next }
    })?;
    let checked = self_check::begin(&mut trainer, &device, options.self_check)?;
    // Before any line goes: a process that is killed here goes on from a newer checkpoint, or from this.
    dir.supersede(nimg)?;
    if metrics::best_nimg(folder).is_some_and(|best| best > nimg) {
        let mut there = BEST.iter().filter(|name| folder.join(name).is_file());
        there.try_for_each(|name| dir.set_aside(name))?;
    }
    let before = dir.rewind_stats(ticks, nimg)?;
    dir.rewind_metrics(nimg as f64 / 1000.0)?;
    dir.write_options(&plan.config, &options)?;
    let mut session = Session::new(plan, trainer, dir, device, (options.keep, watch), sink);
    session.seconds_before = before;
    session.won = rundir::read_stats(folder)
        .last()
        .is_some_and(|l| l.get("Status") == Some(&json!(STATUS_WON)));
    let from = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words =
        format!("resumed from {from} on {} at {:.3} kimg", session.device.name, session.kimg());
    session.dir.log(&words);
    session.last_good = path.to_owned();
    session.begun(checked);
    if let Some(level) = level.filter(|level| level != session.device.level()) {
        session.warn(&format!(
            "the checkpoint was computed at level {level} and the run continues at level {}, so its last \
             bits may differ from those of a run at one level",
            session.device.level()
        ));
    }
    if unreadable {
        session.warn(
            "training_options.json could not be read and was written anew: unless --keep and --metrics \
             say so, every checkpoint is kept, and measured is what there are files of",
        );
    }
    session.restore().and_then(|()| session.run(stop)).map_err(|error| session.explain(error))
}

/// What measures the snapshots, if anything was asked for.
fn watch(
    options: &SessionOptions,
    device: &Selected,
    images: usize,
) -> Result<Option<Watch>, TrainError> {
    if options.metrics.is_empty() {
        return Ok(None);
    }
    Watch::new(&options.metrics, device, images).map(Some)
}

/// The status of a run whose discriminator has won.
pub const STATUS_WON: &str = "discriminator has won";
const STATUS_FINE: &str = "healthy";

struct Session<'a> {
    plan: &'a Plan,
    trainer: Trainer<'a>,
    dir: RunDir,
    device: Selected,
    keep: usize,
    watch: Option<Watch>,
    sink: &'a mut dyn FnMut(Event),
    start: Instant,
    nimg_at_start: u64,
    seconds_before: f64,
    tick_start: Instant,
    tick_nimg: u64,
    waited: f64,
    /// Seconds of the open tick that went into images, figures and files.
    maintenance: f64,
    won: bool,
    lookout: Lookout,
    counts: self_check::Counts,
    /// Steps done by an earlier process.
    steps_before: u64,
    last_good: std::path::PathBuf,
}

impl<'a> Session<'a> {
    fn new(
        plan: &'a Plan,
        trainer: Trainer<'a>,
        dir: RunDir,
        device: Selected,
        (keep, watch): (usize, Option<Watch>),
        sink: &'a mut dyn FnMut(Event),
    ) -> Self {
        let (nimg, steps_before) = (trainer.nimg, trainer.steps);
        let last_good = rundir::newest_checkpoint(dir.path()).unwrap_or_default();
        let now = Instant::now();
        Self {
            plan,
            trainer,
            dir,
            device,
            keep,
            watch,
            sink,
            start: now,
            nimg_at_start: nimg,
            seconds_before: 0.0,
            tick_start: now,
            tick_nimg: nimg,
            waited: 0.0,
            maintenance: 0.0,
            won: false,
            lookout: Lookout::default(),
            counts: self_check::Counts::default(),
            steps_before,
            last_good,
        }
    }

    /// Says what is safe when the disk refused something.
    fn explain(&self, error: TrainError) -> TrainError {
        match error {
            TrainError::Io { path, error, .. } if self.last_good.exists() => TrainError::Io {
                path,
                error,
                next: format!(
                    "\n  The last good checkpoint is untouched. Mend the disk, then: --resume {}",
                    self.last_good.display()
                ),
            },
            other => other,
        }
    }

    fn kimg(&self) -> f64 {
        self.trainer.nimg as f64 / 1000.0
    }

    fn run(&mut self, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let schedule = self.plan.config.schedule;
        let (total, snap, tick) =
            (images(schedule.kimg), images(schedule.snap), images(schedule.tick));
        let run = self.dir.path().to_owned();
        (self.sink)(Event::Started { run: run.clone(), nimg: self.trainer.nimg, total });
        if self.trainer.nimg < total {
            let config = &self.plan.config;
            let cautions = config.cautions(self.trainer.nimg).into_iter();
            for caution in cautions.chain(config.precision.caution(&self.device)) {
                self.warn(&caution);
            }
        }
        let mut interrupted = false;
        while self.trainer.nimg < total {
            let before = self.trainer.nimg;
            self.waited += self.trainer.step();
            let nimg = self.trainer.nimg;
            interrupted = stop.load(Ordering::Relaxed) && nimg < total;
            let done = nimg >= total || interrupted;
            let (tick_due, snap_due) = (nimg / tick > before / tick, nimg / snap > before / snap);
            if done
                || tick_due
                || snap_due
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
                // Measured also when it is the last step of an interrupted run: a run that was not
                // stopped has its figure too.
                let due = (nimg / snap * snap) as f64 / 1000.0;
                self.snapshot(&stamp(nimg, Some(due)), true)?;
            } else if interrupted {
                // Not measured: whoever stops a run does not wait, and a run that was not stopped
                // has no figure here.
                self.snapshot(&stamp(nimg, None), false)?;
            } else if done {
                self.snapshot(&stamp(nimg, Some(schedule.kimg)), true)?;
            }
            if interrupted {
                break;
            }
        }
        if self.trainer.tally.steps() > 0 {
            // The open tick, so that a short run has statistics too, and one that goes on its time. The
            // checkpoint does not count it: a run that goes on writes this tick again, whole.
            let line = self.line();
            self.dir.add_stats(&line)?;
            (self.sink)(Event::Tick(line));
        }
        // The state is safe by now: an image that cannot be drawn does not make the run a failure.
        if let Err(error) = self.finish() {
            self.warn(&format!("the loss plot or the time-lapse was not written: {error}"));
        }
        let end = if interrupted { "stopped, to be continued" } else { "finished" };
        let words = format!("{end} at {:.3} kimg", self.kimg());
        self.dir.log(&words);
        Ok(Outcome { run, nimg: self.trainer.nimg, interrupted })
    }

    fn read_back(&mut self) -> Result<(), TrainError> {
        let ReadBack { newest: values, recomputed } =
            self.trainer.read_back().map_err(|what| self.broken(what))?;
        if let Some(recomputed) = recomputed {
            self.recomputed(recomputed);
        }
        let seconds = self.start.elapsed().as_secs_f64().max(1e-9);
        let images_per_second = (self.trainer.nimg - self.nimg_at_start) as f64 / seconds;
        (self.sink)(Event::Progress { nimg: self.trainer.nimg, images_per_second, values });
        Ok(())
    }

    fn broken(&mut self, broken: Broken) -> TrainError {
        let (kimg, checkpoint) = (self.kimg(), self.last_good.clone());
        match broken {
            Broken::NotFinite(what) => {
                self.dir.log(&format!("{what} is not finite at {kimg:.3} kimg: stopped"));
                TrainError::NotFinite { kimg, what, checkpoint }
            }
            Broken::Device(what) => {
                self.dir.log(&format!("the device errs at {kimg:.3} kimg: {what}: stopped"));
                TrainError::DeviceErrs { kimg, what, checkpoint }
            }
        }
    }

    fn warn(&mut self, words: &str) {
        self.dir.log(&format!("warning: {words}"));
        (self.sink)(Event::Warning(words.to_owned()));
    }

    /// Closes the tick: a line of statistics, and a look at who is winning.
    fn tick(&mut self) -> Result<(), TrainError> {
        let (real, fake) = (self.trainer.tally.mean(2), self.trainer.tally.mean(3));
        let won = real > WON.0 && fake < WON.1;
        if won && !self.won {
            self.warn(&format!(
                "the discriminator has won at {:.1} kimg: D(x) {real:.3}, D(G(z)) {fake:.4}. The \
                 generator learns little from here on",
                self.kimg()
            ));
        } else if self.won && !won {
            let words = format!(
                "the generator is back at {:.1} kimg: D(x) {real:.3}, D(G(z)) {fake:.3}",
                self.kimg()
            );
            self.dir.log(&words);
        }
        self.won = won;
        let line = self.line();
        self.dir.add_stats(&line)?;
        self.trainer.ticks += 1;
        self.trainer.tally = crate::stats::Tally::default();
        (self.tick_start, self.tick_nimg) = (Instant::now(), self.trainer.nimg);
        (self.waited, self.maintenance) = (0.0, 0.0);
        (self.sink)(Event::Tick(line));
        Ok(())
    }

    /// The open tick as a line of statistics.
    fn line(&self) -> Line {
        let seconds = (self.tick_start.elapsed().as_secs_f64() - self.maintenance).max(0.0);
        let kimg = (self.trainer.nimg - self.tick_nimg) as f64 / 1000.0;
        let mut line = Line::new();
        let mut single = |name: &str, value: f64| {
            line.insert(name.to_owned(), json!({"num": 1, "mean": value, "std": 0.0}));
        };
        single("Progress/tick", self.trainer.ticks as f64);
        single("Progress/kimg", self.trainer.nimg as f64 / 1000.0);
        single("Timing/sec_per_tick", seconds);
        single("Timing/sec_per_kimg", if kimg > 0.0 { seconds / kimg } else { 0.0 });
        single("Timing/maintenance_sec", self.maintenance);
        single("Timing/total_sec", self.seconds_before + self.start.elapsed().as_secs_f64());
        single("Timing/data_wait_share", self.waited / seconds.max(1e-9));
        if !self.plan.config.augment.is_off() {
            single("Progress/augment", self.trainer.probability());
            if let Some(rarest) = self.trainer.probability_of_rarest() {
                single("Progress/augment_rare", rarest);
            }
        }
        if let Some(told) = self.plan.config.told(self.trainer.nimg) {
            single("Progress/condition", told);
        }
        if let Some(gigabytes) = resident_gigabytes() {
            single("Resources/cpu_mem_gb", gigabytes);
        }
        line.extend(self.counts.fields());
        line.extend(
            self.trainer.tally.fields().map(|(name, field)| (name.to_owned(), json!(field))),
        );
        line.insert("Status".to_owned(), json!(if self.won { STATUS_WON } else { STATUS_FINE }));
        line.insert("timestamp".to_owned(), json!(seconds_since_1970()));
        line
    }
}
