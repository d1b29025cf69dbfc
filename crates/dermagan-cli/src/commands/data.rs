//! `dermagan prepare`, `dermagan data info` and `dermagan data export`.

use std::path::Path;

use anyhow::Context;
use dermagan_base::{atomic, producer};
use dermagan_data::split::{self, Side};
use dermagan_data::{
    Cache, Filter, Fit, Options, Source, Summary, default_path, examine, grid, prepare,
    prepare_joined, prepare_shard,
};
use dermagan_formats::Format;
use dermagan_train::{DataExportRequest, export_data};

use crate::args::{DataExportArgs, DataInfoArgs, PrepareArgs, per_file};
use crate::commands::shards::share::{Share, said};
use crate::show::{self, complain, say, say_raw};

/// Default side of exported images, in pixels.
const SIDE: u32 = 64;

/// Number of columns and cell size in pixels of `data info --grid`.
const GRID: (usize, u32) = (10, 96);

/// Prepares a source; returns the exit code.
pub fn prepare_source(args: &PrepareArgs, share: &Share) -> anyhow::Result<u8> {
    let start = std::time::Instant::now();
    let source = Source::open_with(&args.source, args.reading.reading(args.split))?;
    let options = Options { size: args.size, fit: args.fit.into(), filter: args.filter.into() };
    let target = args.out.clone().unwrap_or_else(|| default_path(&source, options));
    let bar =
        show::bar(source.records.len() as u64, "preparing {wide_bar} {pos}/{len} {per_sec} {eta}");
    let progress = &mut |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let prepared = match share {
        Share::All => prepare(&source, options, &target, args.strict, progress),
        Share::Joined(joined) => {
            prepare_joined(&source, options, &target, args.strict, joined, progress)
        }
        Share::One(request) => {
            let done = prepare_shard(&source, options, args.strict, request, progress)?;
            bar.finish_and_clear();
            said(request, done, &format!("images of {}", source.name));
            return Ok(0);
        }
    };
    bar.finish_and_clear();
    let prepared = prepared?;
    let header = prepared.cache.header();
    say_raw!("{}", header.report);
    say!(
        "{}: {} classes: {}",
        source.kind.describe(),
        header.classes.len(),
        header.classes.join(", ")
    );
    say!("{}", split::facts(header));
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

/// Describes a source; returns the exit code.
pub fn data_info(args: &DataInfoArgs) -> anyhow::Result<u8> {
    args.grid.iter().try_for_each(|path| show::check_png("--grid", path))?;
    let source = Source::open_with(&args.source, args.reading.reading(args.split))?;
    let options = Options { size: args.size, fit: Fit::Crop, filter: Filter::Lanczos };
    let bar =
        show::bar(source.records.len() as u64, "looking at {wide_bar} {pos}/{len} {per_sec} {eta}");
    let examination = examine(&source, options, &mut |done, _| bar.set_position(done as u64));
    bar.finish_and_clear();
    let summary = Summary::of(&source, &examination?);
    match args.json {
        true => show::json(&summary)?,
        false => show::summary(&summary)?,
    }
    if let Some(path) = &args.grid {
        let image = grid(&source, GRID.0, GRID.1, Fit::Crop)?;
        let rows: Vec<&str> =
            summary.classes.iter().filter(|c| c.images > 0).map(|c| c.code.as_str()).collect();
        let words = format!("{}, one row per class: {}", summary.name, rows.join(", "));
        let png = image.to_png(&[("Software", producer()), ("Description", words)])?;
        atomic::write(path, &png).with_context(|| path.display().to_string())?;
        if !args.json {
            say!("\n{}: rows {}", path.display(), rows.join(", "));
        }
    }
    Ok(0)
}

/// Writes prepared images in a format of other programs; returns the exit code.
pub fn data_export(args: &DataExportArgs) -> anyhow::Result<u8> {
    let format = args.format.map(Format::from).or_else(|| Format::of_ending(&args.out));
    let Some(format) = format else {
        let names: Vec<&str> = Format::ALL.into_iter().map(Format::name).collect();
        anyhow::bail!("--format is missing; it is one of {}", names.join(", "));
    };
    let images_per_file = per_file(args.images_per_file, format, &args.out)?;
    let path = Path::new(&args.source);
    let usual = match path.is_file() && Cache::is_cache(path) {
        true => Cache::open(path)?.header().options,
        false => Options { size: SIDE, fit: Fit::Crop, filter: Filter::Lanczos },
    };
    let options = Options {
        size: args.size.unwrap_or(usual.size),
        fit: args.fit.map_or(usual.fit, Fit::from),
        filter: args.filter.map_or(usual.filter, Filter::from),
    };
    let side = match (args.split, format) {
        (Some(side), _) => side.side(),
        (None, Format::StyleGan) => Some(Side::Train),
        (None, _) => None,
    };
    let bar = show::bar(0, "exporting {wide_bar} {pos}/{len} {per_sec} {eta}");
    let request = DataExportRequest {
        data: args.source.clone(),
        reading: args.reading.reading(args.split_by),
        options,
        format,
        out: args.out.clone(),
        side,
        images_per_file,
    };
    let exported = export_data(&request, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let exported = exported?;
    say_raw!("{}", exported.report);
    say!("{}", exported.split);
    let parts: Vec<String> =
        exported.parts.iter().map(|(name, images)| format!("{images} {name}")).collect();
    say!(
        "{} images of {} in {} ({}); their licence: {}",
        parts.join(", "),
        exported.name,
        args.out.display(),
        format.name(),
        exported.licence
    );
    if exported.others > 0 {
        let only = if args.split.is_none() {
            "StyleGAN trains on everything that it is given: "
        } else {
            ""
        };
        complain!(
            "note: {only}{} images on other sides of the split are not in it; --split all writes all",
            exported.others
        );
    }
    Ok(0)
}
