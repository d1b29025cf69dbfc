//! The targets: one for each form of file that dermagan reads and may get from anyone.

mod device;
mod model;
mod settings;
mod source;

use crate::mutate::Shape;
use crate::scratch::Scratch;

/// A reader, as a function of the bytes that it reads.
pub struct Target {
    /// Its name, which is also that of its folder in `corpus/`.
    pub name: &'static str,
    /// Reads the bytes. It returns whatever they are.
    pub run: fn(&Scratch, &[u8]),
    /// How a valid input is changed into another one that is still well formed.
    pub shape: Shape,
    /// The longest input that `guided` makes, in bytes.
    pub longest: usize,
}

const fn target(
    name: &'static str,
    run: fn(&Scratch, &[u8]),
    shape: Shape,
    longest: usize,
) -> Target {
    Target { name, run, shape, longest }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("image", source::image, Shape::Png, 8192),
    target("png_text", source::png_text, Shape::Png, 4096),
    target("zip", source::zip, Shape::Zip, 16384),
    target("csv", source::csv, Shape::Plain, 4096),
    target("jsonl", source::jsonl, Shape::Plain, 4096),
    target("dataset_json", source::dataset_json, Shape::Plain, 4096),
    target("one_hot", source::one_hot, Shape::Plain, 4096),
    target("headerless", source::headerless, Shape::Plain, 4096),
    target("medmnist_npz", source::medmnist_npz, Shape::Zip, 16384),
    target("sample_npz", model::sample_npz, Shape::Zip, 16384),
    target("pth", model::pth, Shape::Zip, 32768),
    target("safetensors", model::safetensors, Shape::Safetensors, 32768),
    target("encoder", model::encoder, Shape::Safetensors, 16384),
    target("checkpoint", model::checkpoint, Shape::Safetensors, 8192),
    target("cache", source::cache, Shape::Cache, 8192),
    target("preset", settings::preset, Shape::Plain, 4096),
    target("run", settings::run, Shape::Plain, 8192),
];

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
