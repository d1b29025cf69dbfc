//! A folder of runs in a store, in which the newest run is looked for: `--outdir s3://bucket/runs` with `latest` becomes
//! `s3://bucket/runs/latest`.

use std::path::{Path, PathBuf};

use dermagan_train::{LATEST, RUNS};

use crate::args::Command;
use crate::remote::url::is_url;

/// Moves the folder of runs of a command line into the argument that says `latest`.
pub fn resolve(command: &mut Command) {
    match command {
        Command::Sample(args) => newest(&mut args.model, &mut args.outdir),
        Command::Export(args) => newest(&mut args.model, &mut args.outdir),
        Command::Info(args) => {
            if let Some(place) = args.outdir.as_deref().and_then(latest_in)
                && is_latest(&args.path)
            {
                (args.path, args.outdir) = (place, None);
            }
        }
        Command::Eval(args) => named(Some(&mut args.fake), &mut args.outdir),
        Command::Audit(args) => named(args.fake.as_mut(), &mut args.outdir),
        Command::Bias(args) => named(Some(&mut args.fake), &mut args.outdir),
        Command::Report(args) => named(Some(&mut args.fake), &mut args.outdir),
        Command::Train(args) => {
            let Some(place) = latest_in(&args.outdir) else { return };
            for name in [&mut args.resume, &mut args.init].into_iter().flatten() {
                if name == LATEST {
                    *name = place.display().to_string();
                }
            }
        }
        _ => {}
    }
}

/// Of a command whose model is the newest run if none is named.
fn newest(model: &mut Option<PathBuf>, outdir: &mut Option<PathBuf>) {
    let Some(place) = outdir.as_deref().and_then(latest_in) else { return };
    if model.as_deref().is_none_or(is_latest) {
        (*model, *outdir) = (Some(place), None);
    }
}

/// Of a command that names its images.
fn named(fake: Option<&mut PathBuf>, outdir: &mut PathBuf) {
    if let Some(place) = latest_in(outdir)
        && let Some(fake) = fake
        && is_latest(fake)
    {
        *fake = place;
        *outdir = PathBuf::from(RUNS);
    }
}

fn is_latest(path: &Path) -> bool {
    path.as_os_str() == LATEST
}

/// The URL that stands for the newest run in a folder; `None` for a local folder.
fn latest_in(outdir: &Path) -> Option<PathBuf> {
    let text = outdir.to_str().filter(|text| is_url(text))?;
    Some(PathBuf::from(format!("{}/{LATEST}", text.trim_end_matches('/'))))
}
