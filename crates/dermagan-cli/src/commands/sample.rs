//! `dermagan sample`: writes files, a grid or a walk.

use std::path::PathBuf;

use dermagan_formats::Format;
use dermagan_generate::{
    FRAME_MS, GridRequest, ImageGenerator, Selection, SetRequest, WalkRequest, Written,
    class_caution, first_seeds, parse_grid, parse_seeds, parse_walk,
};
use dermagan_train::open_model;

use crate::args::{SampleArgs, per_file};
use crate::commands::select;
use crate::commands::shards::share::{Share, said};
use crate::show::{self, complain, say};

/// Default number of images.
const IMAGES: u64 = 64;

/// Generates images; returns the exit code.
pub fn run(args: SampleArgs, share: &Share) -> anyhow::Result<u8> {
    // An invalid flag is an error before a device is opened.
    let walk = args.interpolate.as_deref().map(parse_walk).transpose()?;
    let grid = args.grid.as_deref().map(parse_grid).transpose()?;
    let seeds = match (&args.seeds, args.number) {
        (Some(text), _) => Some(parse_seeds(text)?),
        (None, Some(0)) => anyhow::bail!("--number 0: expected 1 or more"),
        (None, number) => number.map(first_seeds),
    };
    one_call(share, walk.is_some() || grid.is_some())?;
    let (name, model) = open_model(args.model.as_deref(), args.outdir.as_deref())?;
    model.notes.iter().for_each(|note| complain!("note: {note}"));
    let device = select(&args.device)?;
    let on = device.name.clone();
    let generator = ImageGenerator::new(model, device)?;
    // Printed at the end: a request that is refused says the same in its error.
    let caution = class_caution(generator.model());
    let caution = || caution.iter().for_each(|caution| complain!("note: {caution}"));
    let (classes, truncation, batch) = (args.class.clone(), args.trunc, args.batch);
    let out = |default: &str| args.out.clone().unwrap_or_else(|| PathBuf::from(default));

    if let Some(seeds) = walk {
        let (frames, scale) = (args.frames, args.scale);
        let out = out("walk.gif");
        let request =
            WalkRequest { seeds, classes, frames, scale, ms: FRAME_MS, out, truncation, batch };
        let made = progress(request.count(), |report| generator.write_walk(&request, report))?;
        say!("a walk of {made} synthetic images of {name} in {}, on {on}", request.out.display());
        caution();
        return Ok(0);
    }
    if let Some((columns, rows)) = grid {
        let out = out("grid.png");
        let request = GridRequest { columns, rows, seeds, classes, truncation, batch };
        let made =
            progress(request.count(), |report| generator.write_grid(&request, &out, report))?;
        done(Written { images: made, kept: 0 }, &name, &out, &on);
        caution();
        return Ok(0);
    }
    let seeds = seeds.unwrap_or_else(|| first_seeds(IMAGES));
    let images = Selection { seeds, classes, truncation, batch };
    if let Share::One(request) = share {
        let count = generator.count(&images)? / request.shard.of as u64;
        let made = progress(count, |report| generator.write_shard(&images, request, report))?;
        said(request, made, &format!("synthetic images of {name}"));
        return Ok(0);
    }
    let format = format_of(&args);
    let out = out(if format.is_one_file() { "samples.zip" } else { "samples" });
    let images_per_file = per_file(args.images_per_file, format, &out)?;
    let request = SetRequest { images_per_file, ..SetRequest::new(images, out, format) };
    let count = generator.count(&request.images)?;
    let made = progress(count, |report| match share.joined() {
        Some(joined) => generator.write_joined(&request, joined, report),
        None => generator.write_set(&request, report),
    })?;
    let model = generator.model();
    let one = model.card.as_ref().is_some_and(|card| card.classes.len() == 1);
    if model.config.classes == 0 && !one {
        let labels = match format {
            Format::Folder | Format::Zip => "metadata.csv has the class unknown (dx)",
            _ => "the images have no labels",
        };
        say!(
            "{labels}: this model is not conditioned on classes. For labelled images, train one that is: dermagan train \
             --preset rare"
        );
    }
    done(made, &name, &request.out, &on);
    caution();
    Ok(0)
}

/// Refuses shards of what is made in one call.
fn one_call(share: &Share, is: bool) -> anyhow::Result<()> {
    match share {
        Share::One(_) | Share::Joined(_) if is => {
            anyhow::bail!(
                "--shard: a grid and a walk are made in one call; leave out --grid and --interpolate"
            )
        }
        _ => Ok(()),
    }
}

/// The format that was asked for, by name or by the ending of the output.
fn format_of(args: &SampleArgs) -> Format {
    let by_ending = || args.out.as_deref().filter(|out| !out.is_dir()).and_then(Format::of_ending);
    args.format.map(Format::from).or_else(by_ending).unwrap_or(Format::Folder)
}

/// Shows a progress bar of `count` images during `make`.
fn progress<T, E>(
    count: u64,
    make: impl FnOnce(&mut dyn FnMut(u64)) -> Result<T, E>,
) -> Result<T, E> {
    let bar = show::bar(count, "sampling {wide_bar} {pos}/{len} {per_sec} {eta}");
    let made = make(&mut |done| bar.set_position(done));
    bar.finish_and_clear();
    made
}

/// Prints the number of images, their generator and their place.
fn done(made: Written, name: &str, out: &std::path::Path, on: &str) {
    let Written { images: count, kept } = made;
    let images = if count == 1 { "image" } else { "images" };
    let kept = match kept {
        0 => String::new(),
        kept => format!("; {kept} of them were there already"),
    };
    say!("{count} synthetic {images} of {name} in {}, on {on}{kept}", out.display());
}
