//! `dermagan balance`: fills the classes with few images.

use anyhow::Context;
use dermagan_eval::{EvalJob, GeneratedImages};
use dermagan_generate::ImageGenerator;
use dermagan_model::ModelFile;
use dermagan_train::open_model;
use dermagan_trust::{
    AuditJob, AuditVerdicts, BalanceEvent, BalanceJob, Balanced, Learnt, Target, audit, balance,
    balance_shard,
};
use indicatif::ProgressBar;

use crate::args::BalanceArgs;
use crate::commands::shards::share::{Share, said};
use crate::commands::{eval, select};
use crate::show::{self, complain, say};
use crate::wording::with_flags;

/// Images of the audit that comes first if no report is given.
const AUDITED: usize = 2048;

/// Writes a balanced set; returns the exit code.
pub fn run(args: BalanceArgs, share: &Share) -> anyhow::Result<u8> {
    let job = BalanceJob {
        data: args.data.clone(),
        reading: args.reading.reading(args.split_by),
        to: Target::parse(&args.to)?,
        only: args.only.iter().map(|code| code.trim().to_owned()).collect(),
        force: args.force,
        unaudited: args.unaudited,
        out: args.out.clone(),
        seed: args.seed,
    };
    anyhow::ensure!(
        matches!(share, Share::All) || args.audit.is_some(),
        "--shard needs --audit FILE.json, so that the audit is not repeated for every share; make it once: dermagan audit \
         --json --real SOURCE --fake MODEL > FILE.json"
    );
    let device = select(&args.device)?;
    let (name, model) = open_model(args.model.as_deref(), None)?;
    complain!("the generator is {name}");
    let generator = ImageGenerator::new(model.clone(), device.clone())?;
    job.check(&generator)?;
    let bar = show::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let verdicts = match &args.audit {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            AuditVerdicts::of_json(&text)?
        }
        None => audited(&job, &name, &model, &device, &bar)?,
    };
    let mut sink = |event| progress(&bar, event);
    if let Share::One(request) = share {
        let done = balance_shard(&job, &generator, &verdicts, &device, request, &mut sink)?;
        bar.finish_and_clear();
        said(request, done, "places for generated images");
        return Ok(0);
    }
    let made = balance(&job, &generator, &verdicts, &device, share.joined(), &mut sink)?;
    bar.finish_and_clear();
    complain!("audit of the generator: {}", with_flags(&verdicts.words));
    match args.json {
        true => show::json(&made)?,
        false => print(&made, &args),
    }
    Ok(0)
}

/// Audits the generator.
fn audited(
    job: &BalanceJob,
    name: &str,
    model: &ModelFile,
    device: &dermagan_model::ComputeDevice,
    bar: &ProgressBar,
) -> anyhow::Result<AuditVerdicts> {
    complain!(
        "auditing {name} first; give --audit FILE.json to use the report of an earlier audit"
    );
    let first = EvalJob::new(&job.data).first_seed()?;
    let fakes = GeneratedImages::of_model(model, name, device, first)?;
    let request = AuditJob {
        reading: job.reading,
        number: AUDITED,
        learnt: Learnt::of(model),
        ..AuditJob::new(&job.data)
    };
    let found = audit(&request, &fakes, None, device, &mut |event| eval::progress(bar, event))?;
    Ok(AuditVerdicts::from(&found.report))
}

/// Shows an event on the progress bar.
fn progress(bar: &ProgressBar, event: BalanceEvent) {
    match event {
        BalanceEvent::Real(event) => eval::progress(bar, event),
        BalanceEvent::Made { done, total } => {
            bar.set_message("making images");
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
        _ => {}
    }
}

/// Prints what was made.
fn print(made: &Balanced, args: &BalanceArgs) {
    say!(
        "{:<8} {:>6} {:>7} {:>6} {:>6}   rejected: {:>6} {:>15} {:>8} {:>6}",
        "class",
        "real",
        "wanted",
        "made",
        "kept",
        "copies",
        "not recognised",
        "outside",
        "empty"
    );
    for class in &made.classes {
        let found = &class.candidates;
        say!(
            "{:<8} {:>6} {:>7} {:>6} {:>6}             {:>6} {:>15} {:>8} {:>6}  {}",
            class.class,
            class.real,
            class.wanted,
            found.made,
            found.kept,
            found.copies,
            found.not_recognised,
            found.outside,
            found.empty,
            class.note.as_deref().unwrap_or_default()
        );
    }
    say!(
        "\n{} is complete: training images and generated ones (dx_type synthetic), metadata.csv and passport.json. To train on \
         it: --keep-synthetic --all-images; it has no validation or test images",
        args.out.display()
    );
}
