//! Prepared images.

use std::path::{Path, PathBuf};

use dermagan_data::split::{self, Side};
use dermagan_data::{
    Filter, Fit, Options, Reading, Record, Source, Summary, default_path, prepare,
};
use dermagan_formats::{Format, IMAGES_PER_FILE};
use dermagan_train::{DataExportRequest, TrainError, export_data};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::errors::{misused, wrong};
use crate::model::format_of;
use crate::work::{quietly, shown};

/// Prepared images: the file that holds their pixels, and what is known of them.
#[pyclass(frozen, module = "dermagan._dermagan")]
pub struct Cache {
    cache: dermagan_data::Cache,
    sides: Vec<Side>,
}

/// The arguments of [`Cache::open`], as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenArgs {
    source: String,
    /// The usual one for a source, or that of a cache, if it is missing; so are the fit and the filter.
    size: Option<u32>,
    fit: Option<Fit>,
    filter: Option<Filter>,
    strict: bool,
    reading: Reading,
}

impl OpenArgs {
    /// The options of the preparation, where `usual` are those that nothing was said about.
    fn options(&self, usual: Options) -> Options {
        Options {
            size: self.size.unwrap_or(usual.size),
            fit: self.fit.unwrap_or(usual.fit),
            filter: self.filter.unwrap_or(usual.filter),
        }
    }
}

/// The options of a source's preparation by default.
const USUAL: Options = Options { size: 64, fit: Fit::Crop, filter: Filter::Lanczos };

/// A side of the split by its name; `None` for all.
pub fn side_of(name: &str) -> Result<Option<Side>, TrainError> {
    match name {
        "train" => Ok(Some(Side::Train)),
        "val" => Ok(Some(Side::Val)),
        "test" => Ok(Some(Side::Test)),
        "all" => Ok(None),
        other => Err(wrong("split", format!("'{other}': expected train, val, test or all"))),
    }
}

/// Reads arguments that the package checked and wrote as JSON.
pub fn read<'a, T: Deserialize<'a>>(json: &'a str) -> PyResult<T> {
    serde_json::from_str(json).map_err(|error| misused(error.to_string()))
}

/// Opens a cache, or prepares a source.
fn open(
    args: &OpenArgs,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<dermagan_data::Cache, TrainError> {
    let path = Path::new(&args.source);
    if path.is_file() && dermagan_data::Cache::is_cache(path) {
        let cache = dermagan_data::Cache::open(path)?;
        let has = cache.header().options;
        if args.options(has) != has {
            let Options { size, fit, filter } = has;
            let has = format!("{size} pixels, {fit:?} and {filter:?}").to_lowercase();
            let problem = format!("the file was prepared with {has}; open its source for others");
            return Err(wrong("size", problem));
        }
        cache.check_reading(args.reading)?;
        return Ok(cache);
    }
    let options = args.options(USUAL);
    let source = Source::open_with(&args.source, args.reading)?;
    let target = default_path(&source, options);
    Ok(prepare(&source, options, &target, args.strict, progress)?.cache)
}

#[pymethods]
impl Cache {
    /// Opens a cache, or prepares a source in the folder of caches. `progress` receives (done, total).
    #[staticmethod]
    fn open(py: Python<'_>, args: &str, progress: &Bound<'_, PyAny>) -> PyResult<Self> {
        let args: OpenArgs = read(args)?;
        let cache = shown(
            py,
            |sink| open(&args, &mut |done, total| sink((done, total))),
            |_, (done, total): (usize, usize)| progress.call1((done, total)).map(|_| ()),
        )?;
        let sides = split::of_header(cache.header());
        Ok(Self { cache, sides })
    }

    /// The cache's file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.cache.path().to_owned()
    }

    /// Offset in the file of the first pixel, in bytes.
    #[getter]
    fn offset(&self) -> u64 {
        dermagan_data::Cache::pixels_offset()
    }

    /// Number of images.
    fn __len__(&self) -> usize {
        self.cache.len()
    }

    /// Side of the images in pixels.
    #[getter]
    fn size(&self) -> usize {
        self.cache.size()
    }

    /// The fingerprint of the source.
    #[getter]
    fn fingerprint(&self) -> &str {
        &self.cache.header().fingerprint
    }

    /// Name of the data.
    #[getter]
    fn name(&self) -> &str {
        &self.cache.header().name
    }

    /// Codes of the classes.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.cache.header().classes.clone()
    }

    /// The class of each image, as an index into the codes.
    #[getter]
    fn labels(&self) -> Vec<usize> {
        self.cache.header().records.iter().map(|record| record.class).collect()
    }

    /// The side of the split of each image: train, val or test.
    #[getter]
    fn sides(&self) -> Vec<String> {
        self.sides.iter().map(Side::to_string).collect()
    }

    /// The summary of the images as JSON.
    fn summary(&self) -> PyResult<String> {
        let summary = Summary::of_header(self.cache.header());
        serde_json::to_string(&summary).map_err(|error| misused(error.to_string()))
    }

    /// The account of the source in words.
    fn account(&self) -> String {
        self.cache.header().report.to_string()
    }

    /// The split in words.
    fn split_words(&self) -> String {
        split::facts(self.cache.header()).to_string()
    }

    /// The columns of the table of the images as JSON, under HAM10000's names.
    fn table(&self) -> String {
        let records = &self.cache.header().records;
        let classes = &self.cache.header().classes;
        let column = |of: &dyn Fn(&Record) -> Value| records.iter().map(of).collect::<Vec<_>>();
        json!({
            "image_id": column(&|r| json!(r.image_id)),
            "lesion_id": column(&|r| json!(r.lesion_id)),
            "dx": column(&|r| json!(classes.get(r.class))),
            "dx_type": column(&|r| json!(r.dx_type.to_string())),
            "age": column(&|r| json!(r.age)),
            "sex": column(&|r| json!(r.sex.to_string())),
            "localization": column(&|r| json!(r.localization)),
        })
        .to_string()
    }

    /// Writes the images of a side of the split, or of all, as a set. Returns the parts with their numbers of images.
    fn export(
        &self,
        py: Python<'_>,
        out: PathBuf,
        format: Option<&str>,
        side: &str,
    ) -> PyResult<Vec<(String, u64)>> {
        quietly(py, || {
            let problem =
                || format!("expected one of {}", Format::ALL.map(Format::name).join(", "));
            let format = format_of(format, &out)?.ok_or_else(|| wrong("format", problem()))?;
            let request = DataExportRequest {
                data: self.cache.path().display().to_string(),
                reading: Reading::default(),
                options: self.cache.header().options,
                format,
                out,
                side: side_of(side)?,
                images_per_file: IMAGES_PER_FILE,
            };
            Ok(export_data(&request, &mut |_, _| ())?.parts)
        })
    }

    /// Checks the pixels against their hashes from the preparation. Returns the indices of images that have changed.
    fn verify(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        quietly(py, || Ok(self.cache.verify()))
    }
}
