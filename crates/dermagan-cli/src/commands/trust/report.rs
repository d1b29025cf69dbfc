//! `dermagan report`: a page about a generator or a set of images.

use anyhow::{Context, ensure};
use dermagan_eval::{EvalJob, GeneratedImages};
use dermagan_train::{open_generated, open_model};
use dermagan_trust::{PageEvent, PageJob, page};

use crate::args::ReportArgs;
use crate::commands::{eval, select};
use crate::show::{self, say};

/// Writes a page; returns the exit code.
pub fn run(args: ReportArgs) -> anyhow::Result<u8> {
    show::check_ending("--out", &args.out, "html")?;
    let old = std::fs::read_to_string(&args.out).unwrap_or_default();
    ensure!(
        !args.out.exists() || old.contains("Written by dermagan"),
        "--out {}: there is a file of this name, which dermagan did not write; name a new file",
        args.out.display()
    );
    let trial = args.trial.as_ref().map(|path| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    });
    let job = PageJob {
        path: args.fake.clone(),
        real: args.real.clone(),
        reading: args.reading.reading(args.split_by),
        number: args.number,
        real_images: !args.without_real_images,
        trial: trial.transpose()?,
        out: args.out.clone(),
        seed: args.seed,
    };
    let device = select(&args.device)?;
    let opening =
        EvalJob { seed: args.seed, ..EvalJob::new(args.real.as_deref().unwrap_or("phantom")) };
    let fakes = open_generated(&opening, &args.fake, &args.outdir, &device)?;
    let model = match &fakes {
        GeneratedImages::Model { .. } => {
            let latest = args.fake.to_str() == Some("latest");
            Some(open_model(Some(&args.fake), latest.then_some(args.outdir.as_path()))?.1)
        }
        _ => None,
    };
    let bar = show::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let length = page(&job, &fakes, model.as_ref(), &device, &mut |event| match event {
        PageEvent::Evaluation(event) | PageEvent::Audit(event) | PageEvent::Bias(event) => {
            eval::progress(&bar, event);
        }
        _ => {}
    })?;
    bar.finish_and_clear();
    say!("{} ({})", args.out.display(), show::megabytes(length));
    Ok(0)
}
