//! One function per subcommand, each a call into the libraries.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, Fit, Options, Source, Summary, default_path, grid, prepare};
use dermagan_model::ops::wrong_forms;
use dermagan_model::{ModelFile, cpu, device};
use dermagan_train::checkpoint::{self, Checkpoint};
use dermagan_train::doctor::{Diagnosis, Examination};
use dermagan_train::plan::SPLIT_SEED;
use dermagan_train::synthetic::{self, Sizes};
use dermagan_train::{doctor, estimate, rundir, which_model};
use serde_json::json;

use crate::args::{
    Cli, Command, DataCommand, DataInfoArgs, DoctorArgs, EncoderCommand, ExportArgs, InfoArgs,
    PrepareArgs,
};
use crate::show::{complain, say, say_raw};
use crate::{bench, encoder, eval, exit, sample, show, train};

/// Columns and cell size of `data info --grid`.
const GRID: (usize, u32) = (10, 96);

/// Runs a command; the exit code.
pub fn run(command: Command) -> anyhow::Result<u8> {
    // Also for commands that open no device: what they say of the CPU would be wrong.
    cpu::requested()?;
    match command {
        Command::Prepare(args) => prepare_source(&args),
        Command::Data(DataCommand::Info(args)) => data_info(&args),
        Command::Train(args) => train::run(args),
        Command::Sample(args) => sample::run(args),
        Command::Export(args) => export(&args),
        Command::Info(args) => info(&args),
        Command::Devices => devices(),
        Command::Doctor(args) => examine(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Encoder(EncoderCommand::Train(args)) => encoder::train(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions { shell } => {
            // To memory first: clap_complete panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "dermagan", &mut script);
            show::print(&String::from_utf8_lossy(&script));
            Ok(0)
        }
    }
}

fn prepare_source(args: &PrepareArgs) -> anyhow::Result<u8> {
    let start = std::time::Instant::now();
    let source = Source::open(&args.source)?;
    let options = Options { size: args.size, fit: args.fit.into(), filter: args.filter.into() };
    let target = args.out.clone().unwrap_or_else(|| default_path(&source, options));
    let bar =
        show::bar(source.records.len() as u64, "preparing {wide_bar} {pos}/{len} {per_sec} {eta}");
    let prepared = prepare(&source, options, &target, args.strict, &mut |done, _| {
        bar.set_position(done as u64)
    });
    bar.finish_and_clear();
    let prepared = prepared?;
    let header = prepared.cache.header();
    say_raw!("{}", header.report);
    let sides = split::of_header(header, SPLIT_SEED);
    let of = |side| sides.iter().filter(|s| **s == side).count();
    say!(
        "split by lesion: {} train, {} val, {} test",
        of(Side::Train),
        of(Side::Val),
        of(Side::Test)
    );
    let seconds = start.elapsed().as_secs_f64();
    match prepared.reused {
        true => say!("unchanged: {}", target.display()),
        false => say!(
            "{} in {} ({:.0} images/s)",
            target.display(),
            show::duration(seconds),
            prepared.cache.len() as f64 / seconds.max(1e-9)
        ),
    }
    Ok(0)
}

fn data_info(args: &DataInfoArgs) -> anyhow::Result<u8> {
    args.grid.iter().try_for_each(|path| show::check_ending("--grid", path, "png"))?;
    let source = Source::open(&args.source)?;
    let summary = Summary::of(&source);
    match args.json {
        true => show::json(&summary)?,
        false => show::summary(&summary)?,
    }
    if let Some(path) = &args.grid {
        let image = grid(&source, GRID.0, GRID.1, Fit::Crop)?;
        let rows: Vec<&str> =
            summary.classes.iter().filter(|c| c.images > 0).map(|c| c.code.as_str()).collect();
        let words = format!("{}, one row a class: {}", summary.name, rows.join(", "));
        let png = dermagan_train::outputs::png(&image, &words)?;
        dermagan_base::atomic::write(path, &png).with_context(|| path.display().to_string())?;
        if !args.json {
            say!("\n{}: rows {}", path.display(), rows.join(", "));
        }
    }
    Ok(0)
}

fn devices() -> anyhow::Result<u8> {
    say!("cpu        {}", dermagan_model::Selected::cpu().name);
    let levels: Vec<&str> = cpu::available().map(cpu::Level::name).collect();
    say!(
        "           level {} is in use, of {}; {} caps it",
        cpu::level(),
        levels.join(", "),
        cpu::VARIABLE
    );
    for adapter in device::adapters() {
        let note = if adapter.software { "  [software, slower than cpu]" } else { "" };
        say!("{:<10} {}{note}", adapter.choice.to_string(), adapter.name);
    }
    let auto = device::select(&dermagan_model::Choice::Auto)?;
    say!("\nauto is {}", auto.name);
    if !cfg!(any(feature = "gpu", feature = "cuda")) {
        say!("this program was built without GPU support");
    }
    Ok(0)
}

/// Most computations of `doctor --repeat`.
const MOST_REPEATS: usize = 1_000_000;
/// Parameters that a line names.
const NAMED: usize = 5;

fn examine(args: &DoctorArgs) -> anyhow::Result<u8> {
    let (repeat, most) = (args.repeat, MOST_REPEATS);
    anyhow::ensure!((1..=most).contains(&repeat), "--repeat {repeat}: expected 1 to {most}");
    let sizes = Sizes { batch: args.batch, side: args.size, width: args.width };
    let config = args.preset.as_ref().map(|preset| synthetic::config(preset, sizes)).transpose()?;
    let device = device::select(&args.device.device)?;
    if let Some(warning) = &device.warning {
        complain!("warning: {warning}");
    }
    if let Some(config) = &config {
        estimate::check(config, &device)?;
    }
    say!(
        "comparing {} on {} with the CPU at level {} …",
        if repeat == 1 { "one training step".into() } else { format!("{repeat} training steps") },
        device.name,
        doctor::reference_level(&device)
    );
    let bar = show::bar(repeat as u64, "{wide_bar} {pos}/{len} {eta}");
    let examination = Examination { config, repeat };
    let diagnosis = doctor::examine(&device, &examination, &mut |computed| {
        bar.set_position(computed.number as u64);
        if computed.wrong.is_empty() || repeat == 1 {
            return;
        }
        let named: Vec<String> = computed
            .wrong
            .iter()
            .take(NAMED)
            .map(|c| format!("{} off by {:.2e}", c.parameter, c.difference))
            .collect();
        let (wrong, number) = (computed.wrong.len(), computed.number);
        bar.suspend(|| say!("  step {number}: wrong gradients: {wrong}; {}", named.join(", ")));
    });
    bar.finish_and_clear();
    Ok(conclude(&diagnosis?))
}

/// Says what the doctor found; the exit code.
fn conclude(diagnosis: &Diagnosis) -> u8 {
    for c in diagnosis.comparisons.iter().take(NAMED) {
        say!("  {:<24} off by {:.2e}", c.parameter, c.difference);
    }
    let Diagnosis { computed, wrong, differing, .. } = diagnosis;
    if *computed > 1 {
        say!(
            "wrong steps: {wrong} of {computed}; steps with other bits than the first: {differing}"
        );
        for (parameter, times) in &diagnosis.wrong_by_parameter {
            say!("  {parameter:<24} wrong in {times}");
        }
    }
    for wrong in wrong_forms() {
        say!("  not used because its result is wrong on this device: {wrong}");
    }
    let worst = diagnosis.comparisons.first();
    let (name, off) = worst.map_or(("none", 0.0), |c| (c.parameter.as_str(), c.difference));
    let verdict = if diagnosis.passed { "pass" } else { "FAIL" };
    say!(
        "{verdict}: worst is {name}, off by {off:.2e} of its norm; up to {:.0e} is rounding ({} parameters)",
        diagnosis.tolerance,
        diagnosis.comparisons.len()
    );
    if diagnosis.passed {
        return 0;
    }
    say!("Do not train on this device: update its driver, or use --device cpu.");
    exit::SICK_DEVICE
}

fn export(args: &ExportArgs) -> anyhow::Result<u8> {
    show::check_ending("--out", &args.out, "safetensors")?;
    anyhow::ensure!(
        !rundir::is_of_run(&args.out),
        "--out {}: a file of a run, which it may be continued from; name another",
        args.out.display()
    );
    let (name, model) = which_model::open_model(args.model.as_deref(), &args.outdir)?;
    let card = model.card.clone().with_context(|| {
        format!(
            "{name} has no card that says what it learnt from: only dermagan's own are exported"
        )
    })?;
    let bytes = match args.full {
        true => ModelFile::to_bytes(&model.weights, &card)?,
        false => ModelFile::to_bytes_half(&model.weights, &card)?,
    };
    let shown = args.out.display();
    dermagan_base::atomic::write(&args.out, &bytes).with_context(|| shown.to_string())?;
    say!(
        "{name} in {shown}: {:.1} MB, licence of its data {}",
        bytes.len() as f64 / 1e6,
        card.licence
    );
    Ok(0)
}

fn info(args: &InfoArgs) -> anyhow::Result<u8> {
    let value = match &args.path {
        path if which_model::is_named(path, which_model::LATEST) => {
            describe(&which_model::latest_run(&args.outdir)?)?
        }
        path if which_model::is_named(path, which_model::SHIPPED) => {
            describe_model(&which_model::open_model(Some(path), &args.outdir)?.1)
        }
        path => describe(path)?,
    };
    if args.json {
        show::json(&value)?;
        return Ok(0);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::String(text) => say!("{key:<16} {text}"),
            other => say!("{key:<16} {other}"),
        }
    }
    Ok(0)
}

fn describe(path: &Path) -> anyhow::Result<serde_json::Value> {
    if path.is_dir() {
        let generator = path.join(rundir::GENERATOR);
        // A generator without a run, as it is passed on.
        if !path.join(rundir::OPTIONS).exists() && generator.is_file() {
            return Ok(describe_model(&ModelFile::open(&generator)?));
        }
        return describe_run(path);
    }
    anyhow::ensure!(
        path.exists(),
        "{}: no such file or folder; expected a run, a checkpoint, a model, a cache, latest or shipped",
        path.display()
    );
    if Cache::is_cache(path) {
        let cache = Cache::open(path)?;
        let header = cache.header();
        let damaged = cache.verify();
        let counts: Vec<usize> = (0..header.classes.len())
            .map(|class| header.records.iter().filter(|r| r.class == class).count())
            .collect();
        let classes: serde_json::Map<_, _> =
            header.classes.iter().zip(counts).map(|(code, n)| (code.clone(), json!(n))).collect();
        return Ok(json!({
            "what": "cache of prepared images", "source": header.name, "kind": header.kind,
            "images": cache.len(), "size": header.options.size, "fit": header.options.fit,
            "filter": header.options.filter, "classes": classes, "fingerprint": header.fingerprint,
            "left_out": header.report.left_out(), "damaged_images": damaged.len(),
        }));
    }
    if checkpoint::is_checkpoint(path) {
        // Its tensors too: a description of a damaged checkpoint must not look whole.
        let meta = Checkpoint::open(path)?.meta;
        return Ok(json!({
            "what": "checkpoint", "producer": meta.producer, "kimg": meta.nimg as f64 / 1000.0,
            "steps": meta.steps, "preset": meta.config.preset, "data": meta.config.source.name,
            "config": meta.config, "level": meta.level, "sha256": meta.sha256,
        }));
    }
    Ok(describe_model(&ModelFile::open(path)?))
}

fn describe_model(model: &ModelFile) -> serde_json::Value {
    json!({
        "what": "generator", "made_by": model.card.as_ref().map_or("another program", |c| c.producer.as_str()),
        "resolution": model.config.resolution, "z_dim": model.config.z_dim, "noise": model.config.noise,
        "width": model.config.g_width,
        "parameters": model.weights.iter().filter(|(n, _)| !n.contains("running_")).map(|(_, a)| a.values.len()).sum::<usize>(),
        "card": model.card, "sha256": model.hash,
    })
}

fn describe_run(path: &Path) -> anyhow::Result<serde_json::Value> {
    let stats = rundir::read_stats(path);
    let options: serde_json::Value =
        rundir::options_of(path).map(Into::into).with_context(|| {
            format!(
                "{}: no readable training_options.json, so this is no run of dermagan",
                path.display()
            )
        })?;
    let checkpoints: Vec<_> = checkpoint::list(path)
        .into_iter()
        .map(|(file, meta)| json!({"file": file.file_name().map(|n| n.to_string_lossy()), "kimg": meta.nimg as f64 / 1000.0}))
        .collect();
    let newest = checkpoint::list(path).into_iter().next().map(|(_, meta)| meta);
    let level = newest.as_ref().and_then(|meta| meta.level.clone());
    let newest = newest.map(|meta| meta.nimg as f64 / 1000.0);
    let last = stats.last();
    let mean = |name: &str| last.and_then(|line| dermagan_train::stats::mean_of(line, name));
    Ok(json!({
        "what": "run", "preset": options["preset"], "data": options["source"]["name"],
        "images": options["source"]["images"], "classes": options["source"]["classes"],
        "seed": options["seed"], "precision": options["precision"], "kimg": mean("Progress/kimg"), "kimg_planned": options["schedule"]["kimg"],
        "kimg_checkpoint": newest, "level": level, "status": last.and_then(|line| line.get("Status")), "sec_per_kimg": mean("Timing/sec_per_kimg"),
        "total_sec": mean("Timing/total_sec"), "d_loss": mean("Loss/D/loss"), "g_loss": mean("Loss/G/loss"),
        "d_real": mean("Loss/probs/real"), "d_fake": mean("Loss/probs/fake"), "checkpoints": checkpoints,
    }))
}
