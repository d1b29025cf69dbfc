//! `dermagan report`: a page about a generator or a set of images.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use dermagan_eval::{EvalJob, GeneratedImages};
use dermagan_train::{LATEST, newest_run, open_generated};
use dermagan_trust::{Learnt, PageEvent, PageJob, page};

use crate::args::ReportArgs;
use crate::commands::trust::audit::open_fake;
use crate::commands::{eval, select};
use crate::show::{self, complain, say};

/// Writes a page; returns the exit code.
pub fn run(args: ReportArgs) -> anyhow::Result<u8> {
    show::check_ending("--out", &args.out, "html")?;
    let old = std::fs::read_to_string(&args.out).unwrap_or_default();
    ensure!(
        !args.out.exists() || old.contains("Written by dermagan"),
        "--out {}: there is a file of this name, which dermagan did not write; name a new file",
        args.out.display()
    );
    if let Some(path) = &args.medigan {
        show::check_ending("--medigan", path, "json")?;
        let old = std::fs::read_to_string(path).unwrap_or_default();
        ensure!(
            !path.exists() || old.contains("Written by dermagan"),
            "--medigan {}: there is a file of this name, which dermagan did not write; name a new file",
            path.display()
        );
    }
    let text = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let job = PageJob {
        path: args.fake.clone(),
        real: args.real.clone(),
        reading: args.reading.reading(args.split_by),
        number: args.number,
        real_images: !args.without_real_images,
        trial: args.trial.as_ref().map(text).transpose()?,
        twins: args.twins.as_ref().map(text).transpose()?,
        medigan: args.medigan.clone(),
        out: args.out.clone(),
        seed: args.seed,
        learnt: None,
    };
    let device = select(&args.device)?;
    let opening =
        EvalJob { seed: args.seed, ..EvalJob::new(args.real.as_deref().unwrap_or("phantom")) };
    let fakes = open_generated(&opening, &args.fake, &args.outdir, &device)?;
    let model = match &fakes {
        GeneratedImages::Model { .. } => Some(open_fake(&args.fake, &args.outdir)?),
        _ => None,
    };
    // The newest run by its own name, so that its curves are found.
    let path = match args.fake.to_str() {
        Some(LATEST) => newest_run(&args.outdir).unwrap_or_else(|| args.fake.clone()),
        _ => args.fake.clone(),
    };
    let learnt = model.as_ref().and_then(Learnt::of);
    let job = PageJob { path, learnt, ..job };
    let bar = show::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let length = page(&job, &fakes, model.as_ref(), &device, &mut |event| match event {
        PageEvent::Evaluation(event) | PageEvent::Audit(event) | PageEvent::Bias(event) => {
            eval::progress(&bar, event);
        }
        _ => {}
    })?;
    bar.finish_and_clear();
    if args.real.is_some() && !args.without_real_images {
        complain!("the page shows real photographs; --without-real-images leaves them out");
    }
    say!("{} ({} KB)", args.out.display(), length.div_ceil(1000));
    Ok(0)
}
