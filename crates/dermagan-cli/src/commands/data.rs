//! `dermagan prepare` and `dermagan data info`.

use anyhow::Context;
use dermagan_base::{atomic, producer};
use dermagan_data::split;
use dermagan_data::{Filter, Fit, Options, Source, Summary, default_path, examine, grid, prepare};

use crate::args::{DataInfoArgs, PrepareArgs};
use crate::show::{self, say, say_raw};

/// Number of columns and cell size in pixels of `data info --grid`.
const GRID: (usize, u32) = (10, 96);

/// Prepares a source; returns the exit code.
pub fn prepare_source(args: &PrepareArgs) -> anyhow::Result<u8> {
    let start = std::time::Instant::now();
    let source = Source::open_with(&args.source, args.reading.reading(args.split))?;
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
