//! `dermagan train`: events to a progress bar on a terminal, to plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use dermagan_model::{Precision, Selected, device};
use dermagan_train::checkpoint::{self, Checkpoint};
use dermagan_train::estimate::{self, Estimate};
use dermagan_train::plan::{Plan, Request};
use dermagan_train::preset::Preset;
use dermagan_train::session::{self, SessionOptions};
use dermagan_train::stats::mean_of;
use dermagan_train::{Event, Outcome, SelfCheck, TrainError};
use dermagan_train::{length, rundir};
use indicatif::ProgressBar;

use crate::args::TrainArgs;
use crate::show::{complain, say, say_raw};
use crate::{exit, show};

/// Without a terminal, a line at least so often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Runs the command.
pub fn run(args: TrainArgs) -> anyhow::Result<u8> {
    let mut view = View::new();
    let mut request = request(&args);
    let resumed = match &args.resume {
        Some(wanted) => {
            refuse_changes(&args)?;
            let path = rundir::resolve(wanted, &args.outdir)?;
            let checkpoint = Checkpoint::open(&path)?;
            Some((path, checkpoint))
        }
        None => None,
    };
    let device = device::select(&args.device.device)?;
    match &resumed {
        Some((_, checkpoint)) => {
            let precision = checkpoint.meta.config.precision;
            precision.check(&device).with_context(|| {
                format!("this run computes in {precision}; continue it on a device that does, with --device")
            })?;
        }
        None => {
            let wanted = match args.precision {
                Some(choice) => choice,
                None => Preset::named(&request.preset, &request.settings)?.precision,
            };
            request.precision = wanted.resolve(&device)?;
        }
    }
    let mut plan = match &resumed {
        Some((_, checkpoint)) => Plan::resume(checkpoint, &request, &mut |event| view.show(event))?,
        None => Plan::new(&request, &mut |event| view.show(event))?,
    };
    describe(&plan, &device);
    let stop = stop_flag()?;
    let before = resumed.as_ref().map_or(0, |(_, checkpoint)| checkpoint.meta.nimg);
    if args.dry_run {
        estimate::check(&plan.config, &device)?;
        length::fit(&mut plan, &device, &stop, &mut |event| view.show(event))?;
        return dry_run(&plan, &device, before);
    }
    let run = resumed.as_ref().map(|(path, _)| checkpoint::folder_of(path));
    let mut options = run.map_or_else(SessionOptions::default, SessionOptions::of_run);
    options.keep = args.keep.unwrap_or(options.keep);
    options.self_check = !args.no_self_check;
    if args.metrics.len() > 1 && args.metrics.contains(&None) {
        anyhow::bail!("--metrics: none stands alone");
    }
    if !args.metrics.is_empty() {
        options.metrics = args.metrics.iter().copied().flatten().collect();
    }
    let mut sink = |event| view.show(event);
    let outcome = match resumed {
        Some((path, checkpoint)) => {
            session::resume(&plan, device, &path, checkpoint, options, &stop, &mut sink)?
        }
        None => session::start(&mut plan, device, &args.outdir, options, &stop, &mut sink)?,
    };
    view.close();
    Ok(end(&outcome, before))
}

/// Says how the run ended, and what to type next; the exit code.
fn end(outcome: &Outcome, before: u64) -> u8 {
    let (run, kimg) = (outcome.run.display(), outcome.nimg as f64 / 1000.0);
    if outcome.interrupted {
        say!("stopped at {kimg:.3} kimg; continue with: dermagan train --resume {run}");
        return exit::INTERRUPTED;
    }
    match outcome.nimg == before {
        true => say!(
            "finished before, at {kimg:.3} kimg; to go on: dermagan train --resume {run} --kimg {}",
            (2.0 * kimg).ceil()
        ),
        false => say!("finished {kimg:.3} kimg in {run}"),
    }
    say!("make images with: dermagan sample {run} --grid 8x8");
    0
}

fn request(args: &TrainArgs) -> Request {
    Request {
        data: args.data.clone(),
        preset: args.preset.clone().unwrap_or_else(|| "reference".into()),
        settings: args.settings.clone(),
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
        precision: Precision::F32,
    }
}

/// A resumed run is the run that it was: a flag that would change it is an error, not ignored.
fn refuse_changes(args: &TrainArgs) -> Result<(), TrainError> {
    let given = [
        ("--preset", args.preset.is_some()),
        ("--set", !args.settings.is_empty()),
        ("--size", args.size.is_some()),
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
        Some((flag, _)) => Err(TrainError::Option(format!(
            "{flag} cannot change a run that is resumed: it goes on with the options it began with. \
             --kimg, --snap, --keep, --metrics, --no-self-check, --data and --device may change"
        ))),
        None => Ok(()),
    }
}

pub fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    ctrlc::set_handler(move || {
        // The second Ctrl-C is for those who cannot wait.
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
        complain!(
            "\nstopping after this step; the checkpoint is being written (Ctrl-C again to stop at once)"
        );
    })?;
    Ok(stop)
}

fn describe(plan: &Plan, device: &Selected) {
    let c = &plan.config;
    let pixels = c.model.resolution;
    say!(
        "{}: {} of {} images at {pixels}x{pixels}, classes {}",
        c.source.name,
        c.source.images,
        plan.cache.len(),
        c.source.classes.join(",")
    );
    say!(
        "preset {}, batch {}, seed {}, {}, on {}",
        c.preset,
        c.optimiser.batch,
        c.seed,
        c.precision,
        device.name
    );
    if let Some(warning) = &device.warning {
        complain!("warning: {warning}");
    }
}

fn dry_run(plan: &Plan, device: &Selected, nimg: u64) -> anyhow::Result<u8> {
    let cautions = plan.config.cautions(nimg).into_iter();
    for caution in cautions.chain(plan.config.precision.caution(device)) {
        complain!("warning: {caution}");
    }
    let e = Estimate::of(&plan.config);
    show::json(&plan.config)?;
    say!("generator      {:>12} parameters", e.g_parameters);
    say!("discriminator  {:>12} parameters", e.d_parameters);
    say!("steps          {:>12} of {} images", e.steps, plan.config.optimiser.batch);
    say!("memory         {:>12} about, for training", show::megabytes(e.memory));
    say!("checkpoint     {:>12} each", show::megabytes(e.checkpoint));
    say!("dry run: nothing was trained");
    Ok(0)
}

/// What the user sees.
struct View {
    terminal: bool,
    bar: Option<ProgressBar>,
    last_line: Instant,
    total: u64,
}

impl View {
    fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, bar: None, last_line: Instant::now(), total: 0 }
    }

    fn close(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// A line above the bar.
    fn line(&self, words: &str) {
        match &self.bar {
            Some(bar) if self.terminal => bar.println(show::plain(words)),
            _ => say!("{words}"),
        }
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Preparing { done, total } => self.preparing(done, total),
            Event::Prepared { report, reused, seconds, path } => {
                self.close();
                let rate = report.kept as f64 / seconds.max(1e-9);
                match reused {
                    true => say!("prepared before: {}", path.display()),
                    false => {
                        say_raw!("prepared {} images/s: {}\n{report}", rate.round(), path.display())
                    }
                }
            }
            Event::Fitted { kimg, seconds_per_kimg } => {
                self.close();
                say!("{seconds_per_kimg:.1} s/kimg here, so this run has {kimg} kimg");
            }
            Event::Started { run, nimg, total } => {
                say!("run {}", run.display());
                self.total = total;
                let bar = show::bar(total, "{wide_bar} {percent}%\n{msg}");
                bar.set_position(nimg);
                self.bar = Some(bar);
            }
            Event::Progress { nimg, images_per_second, values } => {
                self.progress(nimg, images_per_second, &values);
            }
            Event::Tick(line) => {
                let mean = |name| mean_of(&line, name).unwrap_or(f64::NAN);
                if !self.terminal && self.last_line.elapsed() > LINE_EVERY {
                    self.last_line = Instant::now();
                    say!(
                        "tick {:.0} · kimg {:.1} · {:.1} s/kimg · D {:.3} · G {:.3} · D(x) {:.3} · D(G(z)) {:.4}",
                        mean("Progress/tick"),
                        mean("Progress/kimg"),
                        mean("Timing/sec_per_kimg"),
                        mean("Loss/D/loss"),
                        mean("Loss/G/loss"),
                        mean("Loss/probs/real"),
                        mean("Loss/probs/fake")
                    );
                }
            }
            Event::Snapshot { grid, .. } => self.line(&format!("snapshot {}", grid.display())),
            Event::Metric { name, words, best } => self.line(&format!(
                "{name}: {words}{}",
                if best { ": the best so far, kept as generator-best.safetensors" } else { "" }
            )),
            Event::SelfCheck(SelfCheck::Start { worst, seconds }) => say!(
                "self-check: the gradients match the CPU's; the largest difference is {:.1e} of its norm ({seconds:.1} s)",
                worst.difference
            ),
            Event::Warning(words) => self.line(&format!("warning: {words}")),
            _ => {}
        }
    }

    fn preparing(&mut self, done: usize, total: usize) {
        let bar = self.bar.get_or_insert_with(|| {
            show::bar(total as u64, "preparing {wide_bar} {pos}/{len} {per_sec} {eta}")
        });
        bar.set_position(done as u64);
    }

    fn progress(&mut self, nimg: u64, rate: f64, values: &[f32]) {
        let left = (self.total.saturating_sub(nimg)) as f64 / rate.max(1e-9);
        let Some(bar) = &self.bar else { return };
        bar.set_position(nimg);
        if let [d, g, real, fake, after, ..] = values {
            bar.set_message(format!(
                "{:.1}/{:.1} kimg · {rate:.1} img/s · {} left · D {d:.2} · G {g:.2} · D(x) {real:.2} · D(G(z)) {fake:.2}/{after:.2}",
                nimg as f64 / 1000.0,
                self.total as f64 / 1000.0,
                show::duration(left)
            ));
        }
    }
}
