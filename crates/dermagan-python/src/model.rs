//! A generator on a device.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dermagan_base::image::Image;
use dermagan_formats::Format;
use dermagan_generate::{
    GridRequest, ImageGenerator, Selection, SetRequest, Shot, WalkRequest, class_caution,
    class_index,
};
use dermagan_model::{Choice, ComputeDevice, ModelFile, device, latent};
use dermagan_train::{TrainError, machine_gigabytes, open_model};
use pyo3::exceptions::PyFileNotFoundError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

use crate::errors::{in_python, misused, too_large, wrong};
use crate::work::quietly;

/// A generator on a device.
#[pyclass(frozen, module = "dermagan._dermagan")]
pub struct Model {
    generator: ImageGenerator,
    /// Name of the model for users.
    #[pyo3(get)]
    name: String,
    /// Name of the device.
    #[pyo3(get)]
    device: String,
    /// What the choice of the device has to say; `None` if nothing.
    #[pyo3(get)]
    warning: Option<String>,
}

/// Opens a device by its name, such as `auto`, `cpu` or `gpu`.
pub fn open_device(choice: &str) -> Result<ComputeDevice, TrainError> {
    let choice = Choice::from_str(choice).map_err(|error| wrong("device", error.to_string()))?;
    Ok(device::select(&choice)?)
}

/// The format of a set that its name asks for, or the ending of `out`; `None` if neither does.
pub fn format_of(name: Option<&str>, out: &Path) -> Result<Option<Format>, TrainError> {
    let Some(name) = name else {
        return Ok(Some(out).filter(|out| !out.is_dir()).and_then(Format::of_ending));
    };
    let found = Format::ALL.into_iter().find(|format| format.name() == name);
    let names = || Format::ALL.map(Format::name).join(", ");
    found.map(Some).ok_or_else(|| wrong("format", format!("'{name}': expected {}", names())))
}

/// Consecutive seeds as ranges.
fn ranges(seeds: &[u64]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for &seed in seeds {
        match ranges.last_mut() {
            Some(last) if last.end == seed => last.end += 1,
            _ => ranges.push(seed..seed.saturating_add(1)),
        }
    }
    ranges
}

/// An array of images under construction.
struct Pixels<'a>(std::slice::ChunksExactMut<'a, u8>);

impl<'a> Pixels<'a> {
    fn of(bytes: &'a mut [u8], side: usize) -> Self {
        Self(bytes.chunks_exact_mut(3 * side * side))
    }

    fn push(&mut self, image: &Image) {
        if let Some(place) = self.0.next() {
            place.copy_from_slice(&image.pixels);
        }
    }
}

/// The length in bytes of an array of `count` items of `each` bytes. One that is larger than the machine's memory is
/// refused: systems grant it and end the process later.
fn within_memory(count: usize, each: usize) -> PyResult<usize> {
    let most = machine_gigabytes().map_or(1e18, |gigabytes| gigabytes * f64::from(1 << 30));
    let bytes = count.checked_mul(each).filter(|bytes| (*bytes as f64) < most);
    bytes.ok_or_else(|| too_large(count))
}

/// Ends a loop when the caller asked to stop.
fn go_on() -> Result<(), TrainError> {
    match dermagan_base::stop_requested() {
        true => Err(TrainError::Stopped("before the end")),
        false => Ok(()),
    }
}

impl Model {
    /// The length in bytes of an array of images of `side` pixels.
    fn bytes_of(images: usize, side: usize) -> PyResult<usize> {
        within_memory(images, 3 * side * side)
    }

    /// The model's file, and its name for users.
    pub fn get(&self) -> (&ModelFile, &str) {
        (self.generator.model(), &self.name)
    }

    fn side(&self) -> usize {
        self.generator.model().config.resolution
    }
}

#[pymethods]
impl Model {
    /// Opens a generator by a name (a file, a run, `latest`, `shipped` or `None`) on a device.
    #[staticmethod]
    #[pyo3(signature = (model, outdir, device))]
    fn open(
        py: Python<'_>,
        model: Option<PathBuf>,
        outdir: Option<PathBuf>,
        device: &str,
    ) -> PyResult<Self> {
        let opened = quietly(py, || {
            let device = open_device(device)?;
            let (name, model) = match open_model(model.as_deref(), outdir.as_deref()) {
                Err(TrainError::Invalid(missing)) => return Ok(Err(missing)),
                opened => opened?,
            };
            let (on, warning) = (device.name.clone(), device.warning.clone());
            let generator = ImageGenerator::new(model, device)?;
            Ok(Ok(Self { generator, name, device: on, warning }))
        })?;
        opened.map_err(|missing| PyFileNotFoundError::new_err(in_python(&missing)))
    }

    /// SHA-256 of the model's file.
    #[getter]
    fn hash(&self) -> &str {
        &self.generator.model().hash
    }

    /// The codes of the classes in the training data.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.generator.model().card.as_ref().map(|card| card.classes.clone()).unwrap_or_default()
    }

    /// Whether the generator makes a class on demand.
    #[getter]
    fn conditioned(&self) -> bool {
        self.generator.model().config.classes > 0
    }

    /// The card as JSON; `None` for a file of another program.
    #[getter]
    fn card(&self) -> PyResult<Option<String>> {
        let card = self.generator.model().card.as_ref();
        card.map(serde_json::to_string).transpose().map_err(|e| misused(e.to_string()))
    }

    /// Side of the images in pixels.
    #[getter]
    fn resolution(&self) -> usize {
        self.side()
    }

    /// Number of random numbers per image: the latent z and the noise.
    #[getter]
    fn latent_length(&self) -> usize {
        self.generator.model().config.latents()
    }

    /// Number of numbers of the latent z.
    #[getter]
    fn z_dim(&self) -> usize {
        self.generator.model().config.z_dim
    }

    /// Refuses a number of images that does not fit into memory.
    fn check_memory(&self, images: usize) -> PyResult<()> {
        Self::bytes_of(images, self.side()).map(|_| ())
    }

    /// What a user should know about the model.
    #[getter]
    fn notes(&self) -> Vec<String> {
        let model = self.generator.model();
        model.notes.iter().cloned().chain(class_caution(model)).collect()
    }

    /// The index of a class, for the other methods.
    fn class_index(&self, py: Python<'_>, code: &str) -> PyResult<Option<usize>> {
        class_index(self.generator.model(), code)
            .map_err(|error| crate::errors::raise(py, &error.into()))
    }

    /// The code of each image's class; `None` where it is unknown.
    fn labels(
        &self,
        py: Python<'_>,
        seeds: Vec<u64>,
        classes: Vec<Option<usize>>,
    ) -> PyResult<Vec<Option<String>>> {
        quietly(py, || {
            let shots = seeds.into_iter().zip(classes).map(|(seed, class)| Shot { seed, class });
            let code = |shot| self.generator.class_of(shot).map(str::to_owned);
            shots.map(|shot| go_on().map(|()| code(shot))).collect()
        })
    }

    /// Images by seed and class, `[n, side, side, 3]`.
    fn sample<'py>(
        &self,
        py: Python<'py>,
        seeds: Vec<u64>,
        classes: Vec<Option<usize>>,
        truncation: f64,
        batch: usize,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let selection = Selection { truncation, batch, ..Selection::default() };
        let bytes = Self::bytes_of(seeds.len(), self.side())?;
        let shots: Vec<Shot> =
            seeds.into_iter().zip(classes).map(|(seed, class)| Shot { seed, class }).collect();
        PyByteArray::new_with(py, bytes, |bytes| {
            quietly(py, || {
                selection.check_values()?;
                let mut pixels = Pixels::of(bytes, self.side());
                self.generator.sampler().each(shots, truncation, batch, |_, image| {
                    pixels.push(&image);
                    Ok(())
                })
            })
        })
    }

    /// The latents of seeds, `[n, latent_length]` of float32.
    fn latents<'py>(
        &self,
        py: Python<'py>,
        seeds: Vec<u64>,
        truncation: f64,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let config = self.generator.model().config;
        let length = 4 * config.latents();
        PyByteArray::new_with(py, within_memory(seeds.len(), length)?, |bytes| {
            quietly(py, || {
                Selection { truncation, ..Selection::default() }.check_values()?;
                for (seed, row) in seeds.iter().zip(bytes.chunks_exact_mut(length)) {
                    go_on()?;
                    let values = latent(*seed, &config, truncation);
                    for (place, value) in row.chunks_exact_mut(4).zip(values) {
                        place.copy_from_slice(&value.to_le_bytes());
                    }
                }
                Ok(())
            })
        })
    }

    /// The images of latents, `[n, side, side, 3]`. They are not oriented.
    fn images_of_latents<'py>(
        &self,
        py: Python<'py>,
        latents: &[u8],
        classes: Vec<Option<usize>>,
        batch: usize,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let length = self.latent_length();
        let values: Vec<f32> =
            latents.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if values.len() != classes.len() * length {
            return Err(misused("as many classes as latents are needed"));
        }
        let bytes = Self::bytes_of(classes.len(), self.side())?;
        PyByteArray::new_with(py, bytes, |bytes| {
            quietly(py, || {
                Selection { batch, ..Selection::default() }.check_values()?;
                let mut pixels = Pixels::of(bytes, self.side());
                let items = values.chunks_exact(length).zip(classes);
                self.generator.sampler().each_of_latents(items, batch, |image| {
                    pixels.push(&image);
                    Ok(())
                })
            })
        })
    }

    /// A grid as a PNG.
    fn grid<'py>(&self, py: Python<'py>, request: GridArgs) -> PyResult<Bound<'py, PyBytes>> {
        let request = GridRequest::from(request);
        let png = quietly(py, || Ok(self.generator.grid_png(&request, &mut |_| ())?))?;
        Ok(PyBytes::new(py, &png))
    }

    /// The frames of a walk, `[frames, side, side, 3]`, where side is that of an enlarged image.
    fn walk<'py>(&self, py: Python<'py>, request: WalkArgs) -> PyResult<Bound<'py, PyByteArray>> {
        let side = self.side() * request.scale;
        let request = request.request(PathBuf::new());
        // All frames are made before they are put into one array, so there is room for twice as many.
        let bytes = Self::bytes_of(2 * request.count() as usize, side)? / 2;
        let frames = quietly(py, || Ok(self.generator.walk(&request, &mut |_| ())?))?;
        PyByteArray::new_with(py, bytes, |bytes| {
            let mut pixels = Pixels::of(bytes, side);
            frames.into_iter().for_each(|frame| pixels.push(&frame));
            Ok(())
        })
    }

    /// Writes a walk as a GIF or an animated PNG.
    fn write_walk(&self, py: Python<'_>, request: WalkArgs, out: PathBuf) -> PyResult<u64> {
        let request = request.request(out);
        quietly(py, || Ok(self.generator.write_walk(&request, &mut |_| ())?))
    }

    /// Writes a set of images of ranges of seeds. Returns the number of images in the set.
    #[expect(clippy::too_many_arguments, reason = "they are named in Python")]
    fn write_set(
        &self,
        py: Python<'_>,
        seeds: Vec<(u64, u64)>,
        classes: Vec<String>,
        truncation: f64,
        batch: usize,
        out: PathBuf,
        format: Option<&str>,
    ) -> PyResult<u64> {
        let seeds = seeds.into_iter().map(|(first, end)| first..end).collect();
        let images = Selection { seeds, classes, truncation, batch };
        quietly(py, || {
            let format = format_of(format, &out)?.unwrap_or(Format::Folder);
            let request = SetRequest::new(images, out, format);
            Ok(self.generator.write_set(&request, &mut |_| ())?.images)
        })
    }
}

/// The arguments of a grid.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct GridArgs {
    columns: usize,
    rows: usize,
    seeds: Option<Vec<u64>>,
    classes: Vec<String>,
    truncation: f64,
    batch: usize,
}

impl From<GridArgs> for GridRequest {
    fn from(args: GridArgs) -> Self {
        let GridArgs { columns, rows, seeds, classes, truncation, batch } = args;
        Self { columns, rows, seeds: seeds.map(|seeds| ranges(&seeds)), classes, truncation, batch }
    }
}

/// The arguments of a walk.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct WalkArgs {
    seeds: Vec<u64>,
    classes: Vec<String>,
    frames: usize,
    scale: usize,
    ms: u32,
    truncation: f64,
    batch: usize,
}

impl WalkArgs {
    fn request(self, out: PathBuf) -> WalkRequest {
        let Self { seeds, classes, frames, scale, ms, truncation, batch } = self;
        WalkRequest { seeds, classes, frames, scale, ms, out, truncation, batch }
    }
}
