//! `sample` as a library call: which seeds, to which files, and the table beside them.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use dermagan_base::atomic::{self, Pending};
use dermagan_base::picture::Picture;
use dermagan_model::{ModelFile, Selected};

use crate::checkpoint::producer;
use crate::error::TrainError;
use crate::rundir;
use crate::sampler::Sampler;

/// The most cells that a grid may have: it is held in memory.
const MAX_CELLS: usize = 10_000;

/// The most pictures of one call.
const MAX_PICTURES: u64 = 100_000_000;

/// Files or a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A folder with a PNG a seed, and `metadata.csv`.
    Files,
    /// One PNG of columns × rows pictures.
    Grid((usize, usize)),
}

/// What to make.
#[derive(Clone, Debug)]
pub struct SampleRequest {
    /// Seeds, as ranges in order.
    pub seeds: Vec<Range<u64>>,
    /// Files or a grid.
    pub layout: Layout,
    /// The folder or the file.
    pub out: PathBuf,
    /// Truncation.
    pub psi: f64,
    /// Pictures at a time.
    pub batch: usize,
}

impl SampleRequest {
    /// How many pictures.
    pub fn count(&self) -> u64 {
        self.seeds.iter().fold(0, |sum: u64, r| sum.saturating_add(r.end - r.start))
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
    let range = |part: &str| -> Option<Range<u64>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some(first..last.checked_add(1)?)
    };
    let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
    if let Some(ranges) = &ranges {
        let mut sorted = ranges.clone();
        sorted.sort_by_key(|r| r.start);
        if let Some(twice) = sorted.windows(2).find(|w| w[1].start < w[0].end) {
            let what = format!("--seeds {text}: seed {} is named twice", twice[1].start);
            return Err(TrainError::Option(what));
        }
    }
    ranges.ok_or_else(|| {
        TrainError::Option(format!(
            "--seeds {text}: expected numbers and ranges, such as 0-63 or 1,5,9-12"
        ))
    })
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
            "--grid {text}: expected COLUMNSxROWS, such as 8x8, of at most {MAX_CELLS} pictures"
        );
        TrainError::Option(what)
    })
}

/// The generator's file: of a run's folder, of the file named, or of the newest run.
///
/// # Errors
/// Says where a generator was looked for.
pub fn resolve_model(given: Option<&Path>, outdir: &Path) -> Result<PathBuf, TrainError> {
    let missing =
        |what: String| TrainError::Option(format!("{what}; train one with `dermagan train`"));
    match given {
        None => {
            let newest = rundir::runs(outdir)
                .into_iter()
                .rev()
                .map(|(_, run)| run.join("generator.safetensors"));
            newest.into_iter().find(|file| file.is_file()).ok_or_else(|| {
                missing(format!(
                    "no MODEL named, and no run with a generator in {}",
                    outdir.display()
                ))
            })
        }
        Some(path) if path.is_dir() => {
            let file = path.join("generator.safetensors");
            if file.is_file() {
                Ok(file)
            } else {
                Err(missing(format!("no generator.safetensors in {}", path.display())))
            }
        }
        Some(path) if path.is_file() => Ok(path.to_owned()),
        Some(path) => Err(missing(format!("no such model or run: {}", path.display()))),
    }
}

/// Makes the pictures and writes them; `progress` hears how many are done. Returns how many.
///
/// # Errors
/// When an option makes no sense, or the place cannot be written.
pub fn run(
    model: &ModelFile,
    device: Selected,
    request: &SampleRequest,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, TrainError> {
    if !(request.psi.is_finite() && request.psi >= 0.0) {
        return Err(TrainError::Option(format!(
            "--trunc {}: expected 0 or more, 1 for full variety",
            request.psi
        )));
    }
    if !(1..=4096).contains(&request.batch) {
        return Err(TrainError::Option(format!("--batch {}: expected 1 to 4096", request.batch)));
    }
    if !(1..=MAX_PICTURES).contains(&request.count()) {
        let what =
            format!("{} pictures asked for: 1 to {MAX_PICTURES} are possible", request.count());
        return Err(TrainError::Option(what));
    }
    let sampler = Sampler::new(model, device)?;
    match request.layout {
        Layout::Grid(shape) => write_grid(model, &sampler, request, shape, progress),
        Layout::Files => write_files(model, &sampler, request, progress),
    }
}

fn seeds(request: &SampleRequest) -> impl Iterator<Item = u64> {
    request.seeds.clone().into_iter().flatten()
}

/// The text of a picture: that it is synthetic, of which model and which seed.
fn text(model: &ModelFile, seed: String, psi: f64) -> Vec<(&'static str, String)> {
    let licence = model.card.as_ref().map_or("unknown", |card| card.licence.as_str());
    vec![
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
    ]
}

fn write_grid(
    model: &ModelFile,
    sampler: &Sampler,
    request: &SampleRequest,
    (columns, rows): (usize, usize),
    progress: &mut dyn FnMut(u64),
) -> Result<u64, TrainError> {
    let wanted = (columns * rows) as u64;
    if request.count() != wanted {
        let what = format!(
            "a grid of {columns}x{rows} holds {wanted} pictures, {} were asked for",
            request.count()
        );
        return Err(TrainError::Option(what));
    }
    let mut cells = Vec::with_capacity(wanted as usize);
    sampler.each(
        seeds(request),
        request.psi,
        request.batch,
        |_, picture| -> Result<(), TrainError> {
            cells.push(picture);
            progress(cells.len() as u64);
            Ok(())
        },
    )?;
    let shown: Vec<String> =
        request.seeds.iter().map(|r| format!("{}-{}", r.start, r.end - 1)).collect();
    let png = Picture::grid(&cells, columns)
        .to_png(&text(model, shown.join(","), request.psi))
        .map_err(|e| TrainError::Option(format!("a PNG: {e}")))?;
    atomic::write(&request.out, &png).map_err(TrainError::io(&request.out))?;
    Ok(wanted)
}

/// Pictures of other seeds in the folder would be no part of the table.
fn refuse_others(folder: &Path, seeds: &[Range<u64>]) -> Result<(), TrainError> {
    for entry in std::fs::read_dir(folder).map_err(TrainError::io(folder))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let seed = name
            .strip_prefix("seed")
            .and_then(|n| n.strip_suffix(".png"))
            .and_then(|n| n.parse().ok());
        if seed.is_some_and(|seed: u64| !seeds.iter().any(|range| range.contains(&seed))) {
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
    request: &SampleRequest,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, TrainError> {
    let folder = &request.out;
    if folder.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
        let what =
            format!("--out {}: a single .png needs --grid, such as --grid 8x8", folder.display());
        return Err(TrainError::Option(what));
    }
    std::fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
    refuse_others(folder, &request.seeds)?;
    let table = folder.join("metadata.csv");
    // A table of an earlier model must not describe pictures of this one, should this call be
    // killed: the table is what says that a set is whole.
    match std::fs::remove_file(&table) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(TrainError::io(table)(e)),
        _ => {}
    }
    let mut pending = Pending::create(&table).map_err(TrainError::io(&table))?;
    let mut rows = std::io::BufWriter::new(pending.file());
    let io = |path: &Path| TrainError::io(path.to_owned());
    writeln!(rows, "lesion_id,image_id,dx,dx_type,age,sex,localization").map_err(io(&table))?;
    // A generator that saw several classes does not know which one a picture is of.
    let dx = match model.card.as_ref().map(|card| card.classes.as_slice()) {
        Some([only]) => only.clone(),
        _ => "unknown".to_owned(),
    };
    let print: String = model.hash.chars().take(8).collect();
    let mut done = 0;
    sampler.each(seeds(request), request.psi, request.batch, |seed, picture| {
        let name = format!("seed{seed:04}");
        let png = picture
            .to_png(&text(model, seed.to_string(), request.psi))
            .map_err(|e| TrainError::Option(format!("a PNG: {e}")))?;
        let path = folder.join(format!("{name}.png"));
        // Renamed, so that none is ever half; without a flush to the disk each, which would take
        // an hour for 100,000. The table comes last, and says that the set is whole.
        let half = atomic::partial_name(&path);
        std::fs::write(&half, &png).map_err(io(&half))?;
        std::fs::rename(&half, &path).map_err(io(&path))?;
        writeln!(rows, "SYN_{print}_{seed},{name},{dx},synthetic,,unknown,unknown")
            .map_err(io(&table))?;
        done += 1;
        progress(done);
        Ok::<(), TrainError>(())
    })?;
    rows.flush().map_err(io(&table))?;
    drop(rows);
    pending.commit().map_err(io(&table))?;
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
