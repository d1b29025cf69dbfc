//! `dermagan train`: shows events as a progress bar on a terminal, and as lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use dermagan_data::UNLABELLED;
use dermagan_model::{ComputeDevice, device};
use dermagan_train::stats::{self, mean_of};
use dermagan_train::{
    Estimate, Event, Measures, Metric, Outcome, Plan, ReadyRun, Reason, ResumeRequest, SelfCheck,
    StatsLine, TrainRequest,
};
use indicatif::ProgressBar;

use crate::args::TrainArgs;
use crate::commands::processes::Processes;
use crate::commands::stop::{Kept, Stage, Stop};
use crate::remote::Training;
use crate::show::{complain, say, say_raw};
use crate::wording::with_flags;
use crate::{exit, show};

/// The shortest time between two progress lines when there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// The shortest time between two updates of the progress bar.
const BAR_EVERY: Duration = Duration::from_secs(2);

/// Trains or resumes a run, alone or with the processes that a launcher started; returns the exit code.
pub fn run(args: TrainArgs, remote: Training) -> anyhow::Result<u8> {
    let processes = Processes::join()?;
    if !processes.leads() {
        return follow(&args, &processes);
    }
    let done = lead(&args, remote, &processes);
    dermagan_train::dismiss(&**processes.group());
    done
}

/// Takes part in a run that another process leads. That one reports every error.
fn follow(args: &TrainArgs, processes: &Processes) -> anyhow::Result<u8> {
    let stop = Stop::new("");
    let open = || {
        stop.listen_silently().map_err(|error| error.to_string())?;
        device::select(&args.device.device).map_err(|error| error.to_string())
    };
    dermagan_train::follow(processes.group(), args.data.as_deref(), &open, stop.flag());
    Ok(0)
}

/// Trains or resumes a run, and reports it; returns the exit code.
fn lead(args: &TrainArgs, mut remote: Training, processes: &Processes) -> anyhow::Result<u8> {
    let stop = Stop::new("stopping before the first step of the run; there is nothing to keep yet");
    let mut view = View::new(stop.clone());
    let resumed = args.resume.as_ref().map(|from| resume_request(args, from)).transpose()?;
    let device = device::select(&args.device.device)?;
    let mut sink = sink_of(&mut view, &mut remote, &stop);
    let mut run = match &resumed {
        Some(request) => ReadyRun::resumed(request, &device, &mut sink)?,
        None => ReadyRun::new(&train_request(args)?, &device, &mut sink)?,
    };
    let (before, config) = (run.images_seen(), &run.plan().config);
    processes.check(config)?;
    run.check_group(processes.group())?;
    describe(run.plan(), &device);
    processes.describe(config);
    stop.listen()?;
    if args.dry_run {
        let estimate = run.estimate(stop.flag(), &mut sink)?;
        return dry_run(run.plan(), &device, before, estimate);
    }
    drop(sink);
    let run = remote.ready(run)?;
    let mut sink = sink_of(&mut view, &mut remote, &stop);
    let outcome = run.lead(processes.group(), stop.flag(), &mut sink);
    drop(sink);
    view.close();
    let kept = remote.finish(&stop);
    if let (Err(_), Err(error)) = (&outcome, &kept) {
        complain!("warning: {error:#}");
    }
    let code = end(&outcome?, before);
    kept.map(|()| code)
}

/// Shows events, and passes them to the mirror of the run.
fn sink_of<'a>(
    view: &'a mut View,
    remote: &'a mut Training,
    stop: &'a Stop,
) -> impl FnMut(Event) + use<'a> {
    move |event| {
        let lines = remote.see(&event, stop);
        view.show(event);
        lines.iter().for_each(|line| view.line(line));
    }
}

/// Prints how the run ended and which command comes next; returns the exit code.
fn end(outcome: &Outcome, before: u64) -> u8 {
    let (run, kimg) = (outcome.run.display(), outcome.nimg as f64 / 1000.0);
    if outcome.unmeasured {
        say!(
            "stopped at {kimg:.3} kimg, before the metrics of its last snapshot; compute them and go on with: dermagan train \
             --resume {run}"
        );
        return exit::INTERRUPTED;
    }
    if outcome.interrupted {
        say!("stopped at {kimg:.3} kimg; resume it with: dermagan train --resume {run}");
        return exit::INTERRUPTED;
    }
    match outcome.nimg == before {
        true => say!(
            "already finished, at {kimg:.3} kimg; extend it with: dermagan train --resume {run} --kimg {}",
            (2.0 * kimg).ceil()
        ),
        false => say!("finished {kimg:.3} kimg in {run}"),
    }
    say!("generate images with: dermagan sample {run} --grid 8x8");
    0
}

fn train_request(args: &TrainArgs) -> anyhow::Result<TrainRequest> {
    let default = TrainRequest::default();
    let fit = args.fit.map(|fit| format!("data.fit={}", fit.name()));
    Ok(TrainRequest {
        data: args.data.clone(),
        reading: args.reading.reading(args.split),
        outdir: args.outdir.clone(),
        preset: args.preset.clone().unwrap_or(default.preset),
        init: args.init.clone(),
        settings: args.settings.iter().cloned().chain(fit).collect(),
        size: args.size,
        batch: args.batch,
        width: args.width,
        learning_rate: args.lr,
        kimg: args.kimg,
        minutes: args.minutes,
        snap: args.snap,
        tick: args.tick,
        seed: args.seed.unwrap_or(0),
        mirror: args.mirror,
        quarter_turns: args.quarter_turns,
        balanced: args.balanced,
        all_images: args.all_images,
        classes: args.classes.clone(),
        precision: args.precision,
        keep: args.keep.unwrap_or(default.keep),
        metrics: metrics(args)?.unwrap_or_default(),
        self_check: !args.no_self_check,
    })
}

fn resume_request(args: &TrainArgs, from: &str) -> anyhow::Result<ResumeRequest> {
    refuse_changes(args)?;
    Ok(ResumeRequest {
        from: from.to_owned(),
        outdir: args.outdir.clone(),
        data: args.data.clone(),
        kimg: args.kimg,
        snap: args.snap,
        keep: args.keep,
        metrics: metrics(args)?,
        self_check: !args.no_self_check,
    })
}

/// The requested metrics: `None` without `--metrics`, empty for `none`.
fn metrics(args: &TrainArgs) -> anyhow::Result<Option<Vec<Metric>>> {
    anyhow::ensure!(
        args.metrics.len() < 2 || !args.metrics.contains(&None),
        "--metrics: `none` cannot be combined with other metrics"
    );
    let metrics = || args.metrics.iter().copied().flatten().collect();
    Ok((!args.metrics.is_empty()).then(metrics))
}

/// Rejects a flag that would change a resumed run.
fn refuse_changes(args: &TrainArgs) -> anyhow::Result<()> {
    let given = [
        ("--preset", args.preset.is_some()),
        ("--init", args.init.is_some()),
        ("--classes-from-folders", args.reading.classes_from_folders),
        ("--keep-synthetic", args.reading.keep_synthetic),
        ("--keep-odd", args.reading.keep_odd),
        ("--split", args.split.is_some()),
        ("--set", !args.settings.is_empty()),
        ("--size", args.size.is_some()),
        ("--fit", args.fit.is_some()),
        ("--batch", args.batch.is_some()),
        ("--width", args.width.is_some()),
        ("--lr", args.lr.is_some()),
        ("--minutes", args.minutes.is_some()),
        ("--tick", args.tick.is_some()),
        ("--seed", args.seed.is_some()),
        ("--mirror", args.mirror),
        ("--quarter-turns", args.quarter_turns),
        ("--balanced", args.balanced),
        ("--all-images", args.all_images),
        ("--classes", !args.classes.is_empty()),
        ("--precision", args.precision.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => anyhow::bail!(
            "{flag} cannot change a resumed run, which keeps the options that it started with; only --kimg, --snap, --keep, \
             --metrics, --no-self-check, --data and --device can change"
        ),
        None => Ok(()),
    }
}

/// Prints the data, the preset and the device of a run.
fn describe(plan: &Plan, device: &ComputeDevice) {
    let c = &plan.config;
    let pixels = c.model.resolution;
    let classes = match &c.source.classes[..] {
        [only] if only == UNLABELLED => {
            "without classes, because nothing gives them (to give all one: put them into a folder of its name)".into()
        }
        classes => format!("classes {}", classes.join(",")),
    };
    say!(
        "{}: {} of {} images at {pixels}x{pixels}, {classes}",
        c.source.name,
        c.source.images,
        plan.cache.len()
    );
    say!(
        "preset {}, batch {}, seed {}, {}, on {}",
        c.preset,
        c.optimiser.batch,
        c.seed,
        c.precision,
        device.name
    );
}

/// Prints the configuration and the estimate of a run; returns the exit code.
fn dry_run(plan: &Plan, device: &ComputeDevice, nimg: u64, e: Estimate) -> anyhow::Result<u8> {
    if nimg == 0 {
        plan.advice().iter().for_each(|fact| complain!("note: {}", with_flags(&fact.to_string())));
    }
    let cautions = device.warning.clone().into_iter().chain(plan.config.cautions(nimg));
    for caution in cautions.chain(plan.config.precision.caution(device)) {
        complain!("warning: {}", with_flags(&caution));
    }
    show::json(&plan.config)?;
    say!("generator      {:>12} parameters", e.g_parameters);
    say!("discriminator  {:>12} parameters", e.d_parameters);
    say!("steps          {:>12} of {} images", e.steps, plan.config.optimiser.batch);
    say!("memory         {:>12} estimated, for training", show::megabytes(e.memory));
    say!("checkpoint     {:>12} each", show::megabytes(e.checkpoint));
    say!("dry run: nothing was trained");
    Ok(0)
}

/// Prints which preset `auto` chose, why, and how long the run takes.
fn preset_chosen(preset: &str, reason: Reason, kimg: Option<f64>, seconds: f64) {
    let time = if seconds < 1.0 { "less than a second".into() } else { show::duration(seconds) };
    match kimg {
        Some(kimg) => {
            say!("preset {preset}, {reason}; {kimg} kimg take about {time} on this machine")
        }
        None => say!("preset {preset}, {reason}; the run takes {time}"),
    }
}

/// The output of a run: a progress bar on a terminal that can redraw a line, and lines elsewhere.
struct View {
    /// Whether lines of statistics are printed, because the reader of standard output does not see the bar.
    lines: bool,
    bar: Option<ProgressBar>,
    last_line: Instant,
    /// The time of the bar's last update.
    last_bar: Option<Instant>,
    total: u64,
    stop: Stop,
    /// The run with its newest checkpoint.
    kept: Option<Kept>,
}

impl View {
    fn new(stop: Stop) -> Self {
        let lines = !show::can_redraw() || !std::io::stdout().is_terminal();
        let last_line = Instant::now();
        Self { lines, bar: None, last_line, last_bar: None, total: 0, stop, kept: None }
    }

    /// Tells the reaction to signals what the run does from now on.
    fn enter(&self, stage: fn(Kept) -> Stage) {
        if let Some(kept) = &self.kept {
            self.stop.enter(stage(kept.clone()));
        }
    }

    fn close(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// A line in place of the bar.
    fn say(&mut self, words: &str) {
        self.close();
        say!("{words}");
    }

    /// A line above the bar. It goes to standard output, which may be a pipe beside a terminal.
    fn line(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say!("{words}")),
            None => say!("{words}"),
        }
    }

    /// Shows an event.
    fn show(&mut self, event: Event) {
        match event {
            Event::Preparing { done, total } => self.preparing(done, total),
            Event::Prepared { report, reused, seconds, path } => {
                self.close();
                let rate = report.kept as f64 / seconds.max(1e-9);
                match reused {
                    true => say!("using the prepared cache: {}", path.display()),
                    false => {
                        say_raw!(
                            "prepared at {} images/s: {}\n{report}",
                            rate.round(),
                            path.display()
                        )
                    }
                }
            }
            Event::Initialised(transfer) => self.say(&transfer.words()),
            Event::Split(facts) => self.say(&facts.to_string()),
            Event::PresetChosen { preset, reason, kimg, seconds } => {
                self.close();
                preset_chosen(&preset, reason, kimg, seconds);
            }
            Event::Fitted { kimg, seconds_per_kimg } => {
                self.say(&format!(
                    "{seconds_per_kimg:.1} s/kimg here, so this run has {kimg} kimg"
                ));
            }
            Event::Started { run, nimg, total } => {
                say!("run {}", run.display());
                self.total = total;
                let bar = show::bar(total, "{wide_msg}");
                self.bar = Some(bar);
                self.kept = Some(Kept { run, nimg });
                self.enter(Stage::Saved);
            }
            Event::Progress { nimg, images_per_second, measures } => {
                self.enter(Stage::Steps);
                self.progress(nimg, images_per_second, &measures);
            }
            Event::Tick(line) => self.tick(&line),
            Event::Snapshot { grid, nimg, .. } => {
                if let Some(kept) = &mut self.kept {
                    kept.nimg = nimg;
                }
                self.enter(Stage::Saved);
                self.line(&format!("snapshot {}", grid.display()));
            }
            Event::Measuring { nimg } => {
                self.enter(Stage::Metrics);
                if let Some(bar) = &self.bar {
                    let kimg = nimg as f64 / 1000.0;
                    bar.set_message(format!("metrics of the snapshot at {kimg:.3} kimg"));
                }
            }
            Event::Metric { name, words, best } => self.line(&format!(
                "{name}: {words}{}",
                if best { ": the best so far, saved as generator-best.safetensors" } else { "" }
            )),
            Event::SelfCheck(SelfCheck::Start { worst, seconds }) => say!(
                "self-check: the gradients match the CPU's; the largest difference is {:.1e} of its norm ({seconds:.1} s)",
                worst.difference
            ),
            Event::Advice(fact) => self.line(&format!("note: {}", with_flags(&fact.to_string()))),
            Event::Warning(words) => self.line(&format!("warning: {}", with_flags(&words))),
            _ => {}
        }
    }

    /// Without a terminal, prints a line of statistics unless the last one is recent.
    fn tick(&mut self, line: &StatsLine) {
        if !self.lines || self.last_line.elapsed() <= LINE_EVERY {
            return;
        }
        self.last_line = Instant::now();
        let mean = |name| mean_of(line, name).unwrap_or(f64::NAN);
        let measures = Measures::of_line(line);
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        self.line(&format!(
            "tick {:.0} · kimg {:.1} · {:.1} s/kimg · D {:.3} · G {:.3} · D(x) {:.3} · D(G(z)) {:.4}",
            mean(stats::TICK),
            mean(stats::KIMG),
            mean(stats::SECONDS_PER_KIMG),
            or_nan(measures.d_loss),
            or_nan(measures.g_loss),
            or_nan(measures.real_probability),
            or_nan(measures.fake_probability)
        ));
    }

    fn preparing(&mut self, done: usize, total: usize) {
        let bar = self.bar.get_or_insert_with(|| {
            show::bar(total as u64, "preparing {wide_bar} {pos}/{len} {per_sec} {eta}")
        });
        bar.set_position(done as u64);
    }

    fn progress(&mut self, nimg: u64, rate: f64, measures: &Measures) {
        let Some(bar) = &self.bar else { return };
        // A recorded terminal, such as that of a notebook or of `script`, keeps every update.
        if self.last_bar.is_some_and(|last| last.elapsed() < BAR_EVERY) && nimg < self.total {
            return;
        }
        self.last_bar = Some(Instant::now());
        let left = (self.total.saturating_sub(nimg)) as f64 / rate.max(1e-9);
        let Measures { d_loss, g_loss, real_probability, fake_probability, .. } = measures;
        let percent = 100 * nimg / self.total.max(1);
        bar.set_message(format!(
            "{percent:>3}% {:.1}/{:.1} kimg · {rate:.0} img/s · {} left · D {d_loss:.2} · G {g_loss:.2} · D(x) \
             {real_probability:.2} · D(G(z)) {fake_probability:.2}",
            nimg as f64 / 1000.0,
            self.total as f64 / 1000.0,
            show::duration(left)
        ));
    }
}
