//! `sample` as a library call: which seeds, to which files, and the table beside them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use dermagan_base::atomic::{self, Pending};
use dermagan_base::image::Image;
use dermagan_base::name::{has_ending, start_of};
use dermagan_base::orientation::Orientation;
use dermagan_model::{ModelFile, Selected};

use crate::checkpoint::producer;
use crate::error::TrainError;
use crate::sampler::{Sampler, Shot};

/// The most cells that a grid may have: it is held in memory.
const MAX_CELLS: usize = 10_000;

/// The largest truncation: beyond it there are no images, only infinite values.
const MAX_PSI: f64 = 100.0;

/// The most images of one call.
const MAX_IMAGES: u64 = 100_000_000;

/// Letters of a list of seeds that an error repeats.
pub(crate) const SHOWN: usize = 200;

/// The columns of a folder's table: HAM10000's own.
const COLUMNS: [&str; 7] = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"];

/// Endings of files that somebody may expect, none of which is written.
const NOT_FOLDERS: [&str; 8] = ["jpg", "jpeg", "gif", "apng", "webp", "bmp", "tif", "tiff"];

/// Files or a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A folder with a PNG a seed, and `metadata.csv`.
    Files,
    /// One PNG of columns × rows images.
    Grid((usize, usize)),
}

/// What to make.
#[derive(Clone, Debug)]
pub struct SampleRequest {
    /// Seeds, as ranges in order.
    pub seeds: Vec<Range<u64>>,
    /// Classes, by code: every seed is made once of each; empty for classes that the seeds decide.
    pub classes: Vec<String>,
    /// Files or a grid.
    pub layout: Layout,
    /// The folder or the file.
    pub out: PathBuf,
    /// Truncation.
    pub psi: f64,
    /// Images at a time.
    pub batch: usize,
}

impl SampleRequest {
    /// How many images.
    pub fn count(&self) -> u64 {
        let seeds = self.seeds.iter().fold(0, |sum: u64, r| sum.saturating_add(r.end - r.start));
        seeds.saturating_mul(self.classes.len().max(1) as u64)
    }

    /// The images: all seeds of the first class, then of the next.
    fn shots(&self, classes: &[usize]) -> impl Iterator<Item = Shot> {
        let asked: Vec<Option<usize>> = match classes {
            [] => vec![None],
            some => some.iter().copied().map(Some).collect(),
        };
        let seeds = self.seeds.clone();
        asked.into_iter().flat_map(move |class| {
            seeds.clone().into_iter().flatten().map(move |seed| Shot { seed, class })
        })
    }
}

/// Seeds 0 to n-1.
pub fn first(n: u64) -> Vec<Range<u64>> {
    std::iter::once(0..n).collect()
}

/// Reads `0-63` or `1,5,9-12`; both ends are meant.
///
/// # Errors
/// Says what a list of seeds looks like.
pub fn parse_seeds(text: &str) -> Result<Vec<Range<u64>>, TrainError> {
    let ranges = ranges(text);
    if let Some(ranges) = &ranges {
        let mut sorted = ranges.clone();
        sorted.sort_by_key(|r| r.start);
        if let Some(twice) = sorted.windows(2).find(|w| w[1].start < w[0].end) {
            let start = start_of(text, SHOWN);
            let what = format!("--seeds {start}: seed {} is named twice", twice[1].start);
            return Err(TrainError::Option(what));
        }
    }
    ranges.ok_or_else(|| {
        TrainError::Option(format!(
            "--seeds {}: expected numbers below {} and ranges of them, such as 0-63 or 1,5,9-12",
            start_of(text, SHOWN),
            u64::MAX
        ))
    })
}

/// The ranges of a list of seeds, in its order; `None` for what is no such list.
pub(crate) fn ranges(text: &str) -> Option<Vec<Range<u64>>> {
    let range = |part: &str| -> Option<Range<u64>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some(first..last.checked_add(1)?)
    };
    text.split(',').map(range).collect()
}

/// Reads `8x8`: columns and rows.
///
/// # Errors
/// Says what a grid looks like.
pub fn parse_grid(text: &str) -> Result<(usize, usize), TrainError> {
    let parsed = text.split_once(['x', 'X']).and_then(|(columns, rows)| {
        let (columns, rows): (usize, usize) = (columns.parse().ok()?, rows.parse().ok()?);
        let cells = columns.checked_mul(rows)?;
        (1..=MAX_CELLS).contains(&cells).then_some((columns, rows))
    });
    parsed.ok_or_else(|| {
        let what = format!(
            "--grid {text}: expected COLUMNSxROWS, such as 8x8, of at most {MAX_CELLS} images"
        );
        TrainError::Option(what)
    })
}

/// Makes the images and writes them; `progress` hears how many are done. Returns how many.
///
/// # Errors
/// When an option makes no sense, or the place cannot be written.
pub fn run(
    model: &ModelFile,
    device: Selected,
    request: &SampleRequest,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, TrainError> {
    check(request.psi, request.batch)?;
    if !(1..=MAX_IMAGES).contains(&request.count()) {
        let what = format!("{} images asked for: 1 to {MAX_IMAGES} are possible", request.count());
        return Err(TrainError::Option(what));
    }
    let classes = places(model, &request.classes)?;
    let sampler = Sampler::new(model, device)?;
    match request.layout {
        Layout::Grid(shape) => write_grid(model, &sampler, (request, &classes), shape, progress),
        Layout::Files => write_files(model, &sampler, (request, &classes), progress),
    }
}

/// Refuses a truncation or a batch that makes no sense.
pub(crate) fn check(psi: f64, batch: usize) -> Result<(), TrainError> {
    if !(0.0..=MAX_PSI).contains(&psi) {
        let what = format!("--trunc {psi}: expected 0 to {MAX_PSI}, 1 for full variety");
        return Err(TrainError::Option(what));
    }
    if !(1..=4096).contains(&batch) {
        return Err(TrainError::Option(format!("--batch {batch}: expected 1 to 4096")));
    }
    Ok(())
}

/// What to be careful about with a generator's classes, if anything.
pub fn caution(model: &ModelFile) -> Option<String> {
    let card = model.card.as_ref().filter(|_| model.config.classes > 0)?;
    let kimg = card.nimg as f64 / 1000.0;
    match card.condition {
        0.0 => Some(format!(
            "this generator was saved at {kimg:.3} kimg, before it was told of classes"
        )),
        told if told < 1.0 => Some(format!(
            "this generator was saved at {kimg:.3} kimg, when it was told of classes at {:.0} % only: they \
             are not apart yet",
            100.0 * told
        )),
        _ => None,
    }
}

/// The classes asked for; `all` stands for all that the model makes.
///
/// # Errors
/// As [`places`].
pub fn classes(model: &ModelFile, asked: &[String]) -> Result<Vec<String>, TrainError> {
    let classes = spelt_out(model, asked);
    places(model, &classes).map(|_| classes)
}

/// The classes asked for, without `all`.
pub(crate) fn spelt_out(model: &ModelFile, asked: &[String]) -> Vec<String> {
    match asked {
        // Without a card nobody knows which, and `all` is refused as any other name is.
        [all] if all.trim().eq_ignore_ascii_case("all") => match &model.card {
            Some(card) if !card.classes.is_empty() => card.classes.clone(),
            _ => asked.to_vec(),
        },
        _ => asked.iter().map(|code| code.trim().to_owned()).collect(),
    }
}

/// Where the classes of these codes are among the model's.
///
/// # Errors
/// Names the ones that it makes.
pub fn places(model: &ModelFile, codes: &[String]) -> Result<Vec<usize>, TrainError> {
    let places = each_place(model, codes)?;
    let named = |i: usize| codes[..i].iter().any(|code| code.eq_ignore_ascii_case(&codes[i]));
    match (1..codes.len()).find(|i| named(*i)) {
        Some(i) => Err(TrainError::Option(format!("--class: {} is named twice", codes[i]))),
        None => Ok(places),
    }
}

/// As [`places`], of codes that may be named again and again.
pub(crate) fn each_place(model: &ModelFile, codes: &[String]) -> Result<Vec<usize>, TrainError> {
    let known = model.card.as_ref().map(|card| card.classes.as_slice()).unwrap_or_default();
    // A model of one class makes that class whether asked to or not, and whether it was told of it or not.
    let only = known.len() == 1 && codes.iter().all(|code| code.eq_ignore_ascii_case(&known[0]));
    if codes.is_empty() || only {
        return Ok(Vec::new());
    }
    if model.config.classes == 0 {
        let what = format!(
            "--class {}: this generator makes no class on demand (it saw {}); train one that does \
             with `dermagan train --preset rare`",
            codes.join(","),
            if known.is_empty() { "unknown classes".to_owned() } else { known.join(", ") }
        );
        return Err(TrainError::Option(what));
    }
    let untold = model.card.as_ref().is_some_and(|card| card.condition == 0.0);
    if let Some(caution) = caution(model).filter(|_| untold) {
        return Err(TrainError::Option(format!(
            "--class {}: {caution}; make its run longer with `dermagan train --resume RUN --kimg N`",
            codes.join(",")
        )));
    }
    let place = |code: &String| {
        let found = known.iter().position(|known| known.eq_ignore_ascii_case(code));
        found.filter(|place| *place < model.config.classes).ok_or_else(|| {
            let known = known.join(", ");
            TrainError::Option(format!(
                "--class: no class '{code}' in this model; it has {known} (`all` stands alone, for all)"
            ))
        })
    };
    codes.iter().map(place).collect()
}

/// The code of an image's class, where it is known.
pub(crate) fn class_code(model: &ModelFile, sampler: &Sampler, shot: Shot) -> Option<String> {
    let classes = &model.card.as_ref()?.classes;
    sampler.code_of(classes, shot).map(str::to_owned)
}

/// The text of an image: that it is synthetic, of which model, seed and class.
pub(crate) fn text(
    model: &ModelFile,
    seed: String,
    class: Option<String>,
    psi: f64,
) -> Vec<(&'static str, String)> {
    let licence = model.card.as_ref().map_or("unknown", |card| card.licence.as_str());
    let mut text = vec![
        ("Software", producer()),
        (
            "Description",
            "SYNTHETIC image made by a generative model; not a photograph, not for diagnosis"
                .into(),
        ),
        ("dermagan:model", model.hash.clone()),
        ("dermagan:seed", seed),
        ("dermagan:psi", psi.to_string()),
        ("dermagan:training-data-licence", licence.to_owned()),
    ];
    text.extend(class.map(|class| ("dermagan:class", class)));
    text
}

fn write_grid(
    model: &ModelFile,
    sampler: &Sampler,
    (request, classes): (&SampleRequest, &[usize]),
    (columns, rows): (usize, usize),
    progress: &mut dyn FnMut(u64),
) -> Result<u64, TrainError> {
    if !has_ending(&request.out, "png") {
        return Err(TrainError::Option(format!(
            "--out {}: a grid is a .png, such as --out grid.png",
            request.out.display()
        )));
    }
    if !classes.is_empty() && !rows.is_multiple_of(classes.len()) {
        let what = format!(
            "a grid of {rows} rows for {} classes: every class needs as many whole rows, such as \
             --grid {columns}x{}",
            classes.len(),
            classes.len()
        );
        return Err(TrainError::Option(what));
    }
    let wanted = (columns * rows) as u64;
    if request.count() != wanted {
        let what = format!(
            "a grid of {columns}x{rows} holds {wanted} images, {} were asked for",
            request.count()
        );
        return Err(TrainError::Option(what));
    }
    let mut cells = Vec::with_capacity(wanted as usize);
    sampler.each(
        request.shots(classes),
        request.psi,
        request.batch,
        |_, image| -> Result<(), TrainError> {
            cells.push(image);
            progress(cells.len() as u64);
            Ok(())
        },
    )?;
    let shown: Vec<String> =
        request.seeds.iter().map(|r| format!("{}-{}", r.start, r.end - 1)).collect();
    let class = (!request.classes.is_empty()).then(|| request.classes.join(","));
    let png = Image::grid(&cells, columns)
        .to_png(&text(model, shown.join(","), class, request.psi))
        .map_err(|e| TrainError::Option(format!("a PNG: {e}")))?;
    atomic::write(&request.out, &png).map_err(TrainError::io(&request.out))?;
    Ok(wanted)
}

/// Images of other seeds in the folder would be no part of the table.
fn refuse_others(folder: &Path, request: &SampleRequest) -> Result<(), TrainError> {
    for entry in std::fs::read_dir(folder).map_err(TrainError::io(folder))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".png") else { continue };
        let (class, seed) = match stem.rsplit_once("-seed") {
            Some((class, seed)) => (Some(class), Some(seed)),
            None => (None, stem.strip_prefix("seed")),
        };
        let seed: Option<u64> = seed.and_then(|seed| seed.parse().ok());
        let ours = |seed: u64| request.seeds.iter().any(|range| range.contains(&seed));
        let asked = match class {
            Some(class) => request.classes.iter().any(|c| c.eq_ignore_ascii_case(class)),
            None => request.classes.is_empty(),
        };
        if seed.is_some_and(|seed| !(ours(seed) && asked)) {
            let what = format!(
                "{} holds {name}, which is no part of this set; name another --out",
                folder.display()
            );
            return Err(TrainError::Option(what));
        }
    }
    Ok(())
}

/// A folder of PNGs, each whole or absent, and a table in HAM10000's own columns.
fn write_files(
    model: &ModelFile,
    sampler: &Sampler,
    (request, classes): (&SampleRequest, &[usize]),
    progress: &mut dyn FnMut(u64),
) -> Result<u64, TrainError> {
    let folder = &request.out;
    if has_ending(folder, "png") {
        let what =
            format!("--out {}: a single .png needs --grid, such as --grid 8x8", folder.display());
        return Err(TrainError::Option(what));
    }
    let ending = NOT_FOLDERS.iter().find(|ending| has_ending(folder, ending));
    if let Some(ending) = ending.filter(|_| !folder.is_dir()) {
        return Err(TrainError::Option(format!(
            "--out {}: images are PNG files in a folder, or one with --grid; a .{ending} is neither",
            folder.display()
        )));
    }
    std::fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
    refuse_others(folder, request)?;
    let table = folder.join("metadata.csv");
    // A table of an earlier model must not describe images of this one, should this call be
    // killed: the table is what says that a set is whole.
    match std::fs::remove_file(&table) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(TrainError::io(table)(e)),
        _ => {}
    }
    let mut pending = Pending::create(&table).map_err(TrainError::io(&table))?;
    let mut rows = csv::Writer::from_writer(pending.file());
    let bad = |e: csv::Error| TrainError::io(&table)(e.into());
    rows.write_record(COLUMNS).map_err(bad)?;
    let print: String = model.hash.chars().take(8).collect();
    let mut done = 0;
    sampler.each(request.shots(classes), request.psi, request.batch, |shot, image| {
        let seed = shot.seed;
        let class = class_code(model, sampler, shot);
        let dx = class.clone().unwrap_or_else(|| "unknown".to_owned());
        // The same seed may come of several classes.
        let name = match request.classes.is_empty() {
            true => format!("seed{seed:04}"),
            false => format!("{dx}-seed{seed:04}"),
        };
        let mut text = text(model, seed.to_string(), class, request.psi);
        let orientation = sampler.orientation_of(seed);
        if orientation != Orientation::default() {
            text.push(("dermagan:orientation", orientation.to_string()));
        }
        let png = image.to_png(&text).map_err(|e| TrainError::Option(format!("a PNG: {e}")))?;
        let path = folder.join(format!("{name}.png"));
        // The table comes last, and says that the set is whole.
        atomic::write_unflushed(&path, &png).map_err(TrainError::io(&path))?;
        let lesion = format!("SYN_{print}_{name}");
        rows.write_record([&lesion, &name, &dx, "synthetic", "", "unknown", "unknown"])
            .map_err(bad)?;
        done += 1;
        progress(done);
        Ok::<(), TrainError>(())
    })?;
    rows.flush().map_err(TrainError::io(&table))?;
    drop(rows);
    pending.commit().map_err(TrainError::io(&table))?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_numbers_and_ranges_with_both_ends() {
        assert_eq!(parse_seeds("0-63").unwrap(), first(64));
        assert_eq!(parse_seeds("1,5,9-12").unwrap(), [1..2, 5..6, 9..13]);
        for wrong in ["", "a", "5-1", "1,,2", "18446744073709551615", "1,1", "0-5,5"] {
            assert!(parse_seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_grid_is_columns_times_rows() {
        assert_eq!(parse_grid("8x4").unwrap(), (8, 4));
        for wrong in ["8", "0x4", "x", "99999999999x99999999999", "200x200"] {
            assert!(parse_grid(wrong).is_err(), "{wrong}");
        }
    }
}
