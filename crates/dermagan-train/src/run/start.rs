//! Starts and resumes runs: the front door of training.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dermagan_base::SettingError;
use dermagan_model::{ComputeDevice, Precision};
use serde::Serialize;
use serde_json::json;

use crate::error::TrainError;
use crate::event::{Event, Outcome};
use crate::group::members::{Alone, Group};
use crate::group::team::Team;
use crate::plan::estimate::Estimate;
use crate::plan::request::{KEEP, ResumeRequest, TrainRequest};
use crate::plan::run_plan::Plan;
use crate::recipe::config::TrainConfig;
use crate::run::session::{STATUS_WON, Session, Unmeasured};
use crate::run::trainer::Trainer;
use crate::run::{self_check, time_budget};
use crate::store::best::{BEST_GENERATOR, BEST_RECORD, best_nimg};
use crate::store::checkpoint::{self, Checkpoint};
use crate::store::metric::{self, Metric};
use crate::store::rundir::{self, RunDir};
use crate::watch::metrics::{LAST_WRITTEN, SnapshotMetrics};

/// Trains a new run to its end, or until `stop` is set. `sink` receives the events.
///
/// # Errors
/// As [`ReadyRun::new`], [`ReadyRun::begin`] and [`Session::run`]. The last good checkpoint stays.
pub fn start(
    request: &TrainRequest,
    device: &ComputeDevice,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainError> {
    ReadyRun::new(request, device, sink)?.begin(stop, sink)?.run(stop, sink)
}

/// Resumes a run in its folder, and trains it to its end or until `stop` is set. `sink` receives the events. The run
/// computes the same values as if it had not been interrupted.
///
/// # Errors
/// As [`ReadyRun::resumed`], [`ReadyRun::begin`] and [`Session::run`]. The last good checkpoint stays.
pub fn resume(
    request: &ResumeRequest,
    device: &ComputeDevice,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(Event),
) -> Result<Outcome, TrainError> {
    ReadyRun::resumed(request, device, sink)?.begin(stop, sink)?.run(stop, sink)
}

/// A run that can begin: its configuration is complete and its data is prepared, but it has no folder yet. The length of a
/// run with a time budget is fitted by [`ReadyRun::estimate`] or [`ReadyRun::begin`].
#[derive(Debug)]
pub struct ReadyRun {
    plan: Arc<Plan>,
    device: ComputeDevice,
    options: RunOptions,
    origin: Origin,
}

/// The origin of a run.
#[derive(Debug)]
enum Origin {
    /// A new run in this folder of runs, with this number or the next free one.
    New(PathBuf, Option<u64>),
    /// A resumed run, with its checkpoint and the checkpoint's file.
    Checkpoint(Box<Checkpoint>, PathBuf),
}

/// Options of a run that do not change what it learns. A run's `training_options.json` holds them next to its
/// configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RunOptions {
    /// Number of checkpoints to keep, newest first; 0 keeps all.
    pub keep: usize,
    /// Metrics to compute at every snapshot.
    pub metrics: Vec<Metric>,
    /// Whether a GPU's gradients are checked: against the CPU at the start, by repetition at every snapshot, and
    /// by their norms in every step.
    pub self_check: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { keep: KEEP, metrics: Vec::new(), self_check: true }
    }
}

impl RunOptions {
    /// The options that a run had last. Each option is read independently. A missing one gets the default of a new run,
    /// except that metrics with existing files stay on. If the file cannot be read, every checkpoint is kept, because
    /// the run may have asked for that.
    pub fn of_run(run: &Path) -> Self {
        let metrics = rundir::option_of(run, "metrics");
        let keep = rundir::options_of(run).map_or(0, |_| Self::default().keep);
        Self {
            keep: rundir::option_of(run, "keep").unwrap_or(keep),
            metrics: metrics.unwrap_or_else(|| metric::found_in(run)),
            self_check: true,
        }
    }
}

impl ReadyRun {
    /// Resolves and checks the request of a new run, and prepares its data.
    ///
    /// # Errors
    /// When a setting is wrong, or the data is missing, damaged or does not fit the settings.
    pub fn new(
        request: &TrainRequest,
        device: &ComputeDevice,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let plan = Plan::new(request, device, sink)?;
        let options = RunOptions {
            keep: request.keep,
            metrics: request.metrics.clone(),
            self_check: request.self_check,
        };
        let origin = Origin::New(request.outdir.clone(), None);
        Ok(Self { plan: Arc::new(plan), device: device.clone(), options, origin })
    }

    /// Opens the checkpoint of a run to resume, and checks it against the data and the device.
    ///
    /// # Errors
    /// When there is no such run, or its checkpoint is damaged or does not fit the data or the device.
    pub fn resumed(
        request: &ResumeRequest,
        device: &ComputeDevice,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let path = rundir::resolve(&request.from, &request.outdir)?;
        let checkpoint = Checkpoint::open(&path)?;
        check_precision(checkpoint.meta.config.precision, device)?;
        let plan = Plan::resume(&checkpoint, Some(checkpoint::folder_of(&path)), request, sink)?;
        let mut options = RunOptions::of_run(checkpoint::folder_of(&path));
        options.keep = request.keep.unwrap_or(options.keep);
        options.metrics = request.metrics.clone().unwrap_or(options.metrics);
        options.self_check = request.self_check;
        let origin = Origin::Checkpoint(Box::new(checkpoint), path);
        Ok(Self { plan: Arc::new(plan), device: device.clone(), options, origin })
    }

    /// Gives a new run this number instead of the next free one in its folder of runs: a caller that keeps runs of many machines
    /// in one place chooses it. A resumed run keeps its number.
    pub fn numbered(mut self, number: u64) -> Self {
        if let Origin::New(_, chosen) = &mut self.origin {
            *chosen = Some(number);
        }
        self
    }

    /// The configuration and the images of the run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Number of images that earlier processes of this run have seen.
    pub fn images_seen(&self) -> u64 {
        match &self.origin {
            Origin::New(..) => 0,
            Origin::Checkpoint(checkpoint, _) => checkpoint.meta.nimg,
        }
    }

    /// Estimates the steps, the memory and the checkpoints of the run. A run with a time budget gets its length here:
    /// some of its steps are timed.
    ///
    /// # Errors
    /// When the machine has too little memory for the run, or the time is too short for one step.
    pub fn estimate(
        &mut self,
        stop: &AtomicBool,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Estimate, TrainError> {
        Estimate::check(&self.plan.config, &self.device)?;
        time_budget::fit(&mut self.plan, &self.device, stop, sink)?;
        Ok(Estimate::of(&self.plan.config))
    }

    /// Makes or opens the run's folder, checks the device, and writes the files that come before the first step. The
    /// metrics of the last snapshot are computed if an earlier process was stopped in them.
    ///
    /// # Errors
    /// When the machine has too little memory for the run, there are too few images for a metric, the device computes
    /// wrong gradients, the checkpoint does not belong to its folder, or the folder cannot be written.
    pub fn begin(
        self,
        stop: &AtomicBool,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Session, TrainError> {
        self.begin_in(&(Arc::new(Alone) as Arc<dyn Group>), stop, sink)
    }

    /// Trains the run to its end, or until `stop` is set in any process, as the leader of a group whose other members are in
    /// [`follow`](crate::follow). The leader alone writes the run's folder, reports events and computes metrics. Its caller
    /// [dismisses](crate::dismiss) the members afterwards, whatever the outcome.
    ///
    /// # Errors
    /// As [`ReadyRun::check_group`], [`ReadyRun::begin`] and [`Session::run`], and when another process cannot take part. All
    /// processes then end.
    pub fn lead(
        self,
        group: &Arc<dyn Group>,
        stop: &AtomicBool,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Outcome, TrainError> {
        self.check_group(group)?;
        self.begin_in(group, stop, sink)?.run(stop, sink)
    }

    /// Checks that the processes of a group can train this run together.
    ///
    /// # Errors
    /// When they cannot share the shards of a step equally, the device is a GPU, or the length of the run is still to be
    /// fitted to a number of minutes.
    pub fn check_group(&self, group: &Arc<dyn Group>) -> Result<(), TrainError> {
        if group.size() == 1 {
            return Ok(());
        }
        Team::of(group.clone(), self.plan.config.shards)?;
        if !self.device.is_cpu {
            let problem = "several processes train on the CPU only, because the checks of a GPU's gradients work in one \
                           process; expected cpu, or one process";
            return Err(SettingError::value("device", &self.device.name, problem).into());
        }
        if let Some(minutes) = self.plan.minutes {
            let problem = "several processes cannot time their steps before the run; set its length by `kimg`";
            return Err(SettingError::value("minutes", minutes, problem).into());
        }
        Ok(())
    }

    fn begin_in(
        mut self,
        group: &Arc<dyn Group>,
        stop: &AtomicBool,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Session, TrainError> {
        // What can be wrong is checked before steps are timed.
        Estimate::check(&self.plan.config, &self.device)?;
        let metrics = snapshot_metrics(&self.options, &self.device, self.plan.images.len())?;
        let (mut session, written) = match self.origin {
            Origin::New(outdir, number) => {
                rundir::make_outdir(&outdir)?;
                time_budget::fit(&mut self.plan, &self.device, stop, sink)?;
                let place = (&*outdir, number);
                let mut session =
                    new_session(self.plan, self.device, place, &self.options, metrics, group)?;
                let written = session.write_first_files();
                (session, written)
            }
            Origin::Checkpoint(checkpoint, path) => {
                let (plan, device) = (self.plan, self.device);
                let session = resumed_session(
                    plan,
                    device,
                    &path,
                    *checkpoint,
                    &self.options,
                    metrics,
                    group,
                )?;
                let written = session.restore_files();
                (session, written)
            }
        };
        if written.is_ok() {
            session.begin_board();
            session.announce();
        }
        session.take_events().into_iter().for_each(&mut *sink);
        written.map_err(|error| session.explain(error))?;
        session.measure_and_report(stop, sink)?;
        Ok(session)
    }
}

/// Rejects a device that cannot compute in the run's number format.
fn check_precision(precision: Precision, device: &ComputeDevice) -> Result<(), TrainError> {
    precision.check(device).map_err(|error| {
        TrainError::Invalid(format!(
            "this run computes in {precision}; choose a `device` that can: {error}"
        ))
    })
}

/// A session in a new folder, before its first files are written. The folder of runs comes with the number of the run, if it
/// was chosen.
fn new_session(
    plan: Arc<Plan>,
    device: ComputeDevice,
    (outdir, number): (&Path, Option<u64>),
    options: &RunOptions,
    metrics: Option<SnapshotMetrics>,
    group: &Arc<dyn Group>,
) -> Result<Session, TrainError> {
    let mut trainer = Trainer::new(plan.clone(), device.clone());
    let checked = self_check::begin(&mut trainer, &device, options.self_check)?;
    let leading = trainer.lead(group)?;
    let dir = RunDir::create(outdir, number, &plan.config, options)?;
    let transfer = plan.initial.as_ref().map(|(_, transfer)| transfer.words());
    let mut session = Session::new(plan, trainer, dir, device, options.keep, metrics);
    session.leading = leading;
    transfer.iter().for_each(|words| session.dir.log(words));
    session.report_check(checked);
    Ok(session)
}

/// Sets files aside that are newer than the checkpoint, and makes a session in its state.
fn resumed_session(
    plan: Arc<Plan>,
    device: ComputeDevice,
    path: &Path,
    checkpoint: Checkpoint,
    options: &RunOptions,
    metrics: Option<SnapshotMetrics>,
    group: &Arc<dyn Group>,
) -> Result<Session, TrainError> {
    let bad = |next: &str| {
        let next = next.to_owned();
        move |what| TrainError::Checkpoint { path: path.to_owned(), what, next }
    };
    let folder = checkpoint::folder_of(path);
    rundir::belongs(folder, &checkpoint.meta.config)
        .map_err(bad("Move it to the folder of its run."))?;
    let unreadable = rundir::options_of(folder).is_none();
    let mut dir = RunDir::open(folder)?;
    let (nimg, ticks) = (checkpoint.meta.nimg, checkpoint.meta.ticks);
    let level = checkpoint.meta.level.clone();
    let due = metrics_due(folder, &checkpoint.meta.config, nimg);
    let mut trainer = Trainer::resume(plan.clone(), device.clone(), checkpoint).map_err(bad(
        "Another version of the program may have written it. Resume from another checkpoint.",
    ))?;
    let checked = self_check::begin(&mut trainer, &device, options.self_check)?;
    let leading = trainer.lead(group)?;
    // This comes before statistics are removed: a process that is killed in between continues from a newer checkpoint
    // or from this one.
    dir.supersede(nimg)?;
    if best_nimg(folder).is_some_and(|best| best > nimg) {
        let mut files =
            [BEST_GENERATOR, BEST_RECORD].into_iter().filter(|name| folder.join(name).is_file());
        files.try_for_each(|name| dir.set_aside(name))?;
    }
    let before = dir.rewind_stats(ticks, nimg)?;
    dir.rewind_metrics(nimg as f64 / 1000.0)?;
    dir.write_options(&plan.config, options)?;
    let mut session = Session::new(plan, trainer, dir, device, options.keep, metrics);
    session.leading = leading;
    session.seconds_before = before;
    session.won = rundir::read_stats(folder)
        .last()
        .is_some_and(|line| line.get("Status") == Some(&json!(STATUS_WON)));
    session.last_good = path.to_owned();
    session.report_resumed(path, level.as_deref(), unreadable);
    session.complete_metrics(&due, path, options);
    session.report_check(checked);
    Ok(session)
}

impl Session {
    /// Makes the session compute the metrics `due` of the checkpoint that it continues from, and logs those that the run
    /// does not compute any more.
    fn complete_metrics(&mut self, due: &[Metric], path: &Path, options: &RunOptions) {
        let (wanted, given_up): (Vec<Metric>, Vec<Metric>) =
            due.iter().partition(|metric| options.metrics.contains(*metric));
        if !given_up.is_empty() {
            let names: Vec<&str> = given_up.into_iter().map(Metric::name).collect();
            self.dir.log(&format!(
                "the snapshot at {:.3} kimg has no {}: an earlier process was stopped before it, and the run no longer \
                 computes it",
                self.kimg(),
                names.join(", ")
            ));
        }
        if !wanted.is_empty() {
            let checkpoint = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.unmeasured = Some(Unmeasured { checkpoint, shown: self.trainer.shown() });
        }
    }

    /// Logs the checkpoint that the run continues from, and warns of differences from the earlier process.
    fn report_resumed(&mut self, path: &Path, level: Option<&str>, unreadable: bool) {
        let from = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let words =
            format!("resumed from {from} on {} at {:.3} kimg", self.device.name, self.kimg());
        self.dir.log(&words);
        if let Some(level) = level.filter(|level| *level != self.device.level()) {
            self.warn(&format!(
                "the checkpoint was computed at level {level} and the run continues at level {}, so its last \
                 bits may differ from those of a run at one level",
                self.device.level()
            ));
        }
        if unreadable {
            self.warn(
                "training_options.json could not be read and was written anew: unless `keep` and `metrics` say \
                 otherwise, every checkpoint is kept, and the metrics that have files are computed",
            );
        }
    }
}

/// The metrics of a checkpoint's snapshot, after `nimg` images, that the run asked for and does not have, because a process
/// was stopped in them.
fn metrics_due(folder: &Path, config: &TrainConfig, nimg: u64) -> Vec<Metric> {
    if !config.snapshot_is_due(nimg) {
        return Vec::new();
    }
    let present = metric::measured_at(folder, nimg);
    let is_complete = |wanted: &Metric| {
        present.iter().any(|(metric, name)| metric == wanted && name.ends_with(LAST_WRITTEN))
    };
    let asked = RunOptions::of_run(folder).metrics;
    asked.into_iter().filter(|metric| !is_complete(metric)).collect()
}

/// The metrics of the snapshots; `None` if the options ask for none.
fn snapshot_metrics(
    options: &RunOptions,
    device: &ComputeDevice,
    images: usize,
) -> Result<Option<SnapshotMetrics>, TrainError> {
    match options.metrics.is_empty() {
        true => Ok(None),
        false => SnapshotMetrics::new(&options.metrics, device, images).map(Some),
    }
}
