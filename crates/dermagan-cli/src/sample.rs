//! `sample`: files, a grid, or a walk.

use std::path::PathBuf;

use dermagan_model::{ModelFile, Selected, device};
use dermagan_train::interpolation::{self, FRAME_MS, WalkRequest};
use dermagan_train::sampling::{self, Layout, SampleRequest};
use dermagan_train::which_model;

use crate::args::SampleArgs;
use crate::show::{self, complain, say};

/// Makes images; the exit code.
pub fn run(args: SampleArgs) -> anyhow::Result<u8> {
    let (name, model) = which_model::open_model(args.model.as_deref(), &args.outdir)?;
    if let Some(seeds) = &args.interpolate {
        return walk(&args, interpolation::parse_seeds(seeds)?, &name, &model);
    }
    let layout = match &args.grid {
        Some(text) => Layout::Grid(sampling::parse_grid(text)?),
        None => Layout::Files,
    };
    let classes = sampling::classes(&model, &args.class)?;
    caution(&model);
    let seeds = match (&args.seeds, args.number, &layout) {
        (Some(text), _, _) => sampling::parse_seeds(text)?,
        (None, Some(n), _) => sampling::first(n),
        (None, None, Layout::Grid((columns, rows))) => {
            sampling::first((columns * rows / classes.len().max(1)) as u64)
        }
        (None, None, Layout::Files) => sampling::first(64),
    };
    let layout_is_files = layout == Layout::Files;
    let default = if args.grid.is_some() { "grid.png" } else { "samples" };
    let out = args.out.unwrap_or_else(|| PathBuf::from(default));
    let device = select(&args.device.device)?;
    let on = device.name.clone();
    let request = SampleRequest {
        seeds,
        classes,
        layout,
        out: out.clone(),
        psi: args.trunc,
        batch: args.batch,
    };
    let bar = show::bar(request.count(), "sampling {wide_bar} {pos}/{len} {per_sec} {eta}");
    let made = sampling::run(&model, device, &request, &mut |done| bar.set_position(done))?;
    bar.finish_and_clear();
    let one = model.card.as_ref().is_some_and(|card| card.classes.len() == 1);
    if layout_is_files && model.config.classes == 0 && !one {
        say!(
            "metadata.csv has dx unknown: this model makes no class on demand. For labelled images \
             train one that does: dermagan train --preset rare"
        );
    }
    let images = if made == 1 { "image" } else { "images" };
    say!("{made} synthetic {images} of {name} in {}, on {on}", out.display());
    Ok(0)
}

fn caution(model: &ModelFile) {
    if let Some(caution) = sampling::caution(model) {
        complain!("note: {caution}");
    }
}

fn select(choice: &dermagan_model::Choice) -> anyhow::Result<Selected> {
    let device = device::select(choice)?;
    if let Some(warning) = &device.warning {
        complain!("warning: {warning}");
    }
    Ok(device)
}

fn walk(args: &SampleArgs, seeds: Vec<u64>, name: &str, model: &ModelFile) -> anyhow::Result<u8> {
    let request = WalkRequest {
        seeds,
        classes: args.class.clone(),
        frames: args.frames,
        scale: args.scale,
        ms: FRAME_MS,
        out: args.out.clone().unwrap_or_else(|| PathBuf::from("walk.gif")),
        psi: args.trunc,
        batch: args.batch,
    };
    let device = select(&args.device.device)?;
    let on = device.name.clone();
    let bar = show::bar(request.count(), "walking {wide_bar} {pos}/{len} {per_sec} {eta}");
    caution(model);
    let made = interpolation::run(model, device, &request, &mut |done| bar.set_position(done))?;
    bar.finish_and_clear();
    let out = request.out.display();
    say!("a walk of {made} synthetic images of {name} in {out}, on {on}");
    Ok(0)
}
