//! The networks and presets that come with dermagan, which a program embeds.
//!
//! This crate has files and no code. Its folder is also the place where a reader of the repository finds these
//! files. A file that a program does not use adds nothing to that program. The networks are statics, because each crate
//! that uses a constant would have a copy of it.
//!
//! ```rust
//! let (name, text) = dermagan_models::PRESETS[0];
//! assert_eq!(name, "reference");
//! assert!(text.contains("description = "));
//! ```

/// The lesion encoder: a safetensors file in half precision (1.4 MB), whose metadata is its card.
///
/// `dermagan_eval::LesionEncoder::shipped` reads it. `lesion-encoder/README.md` says what it was trained on,
/// how well it classifies, and which licence binds it.
pub static LESION_ENCODER: &[u8] = include_bytes!("lesion-encoder/encoder.safetensors");

/// EfficientNet-Lite0 as trained on ImageNet, without its classifier: a safetensors file of 7 MB, whose metadata is its
/// card.
///
/// `dermagan_eval::ImagenetEncoder::shipped` reads it. `imagenet-encoder/README.md` says where it comes from, and which
/// licence binds it.
pub static IMAGENET_ENCODER: &[u8] = include_bytes!("imagenet-encoder/encoder.safetensors");

/// The generator of 64×64 images: a safetensors file in half precision (3.4 MB), whose metadata holds the network's
/// configuration, the classes and the origin of the weights.
///
/// `lesion-generator/README.md` says how it was trained, how it measures up, and which licence binds it.
pub static LESION_GENERATOR: &[u8] = include_bytes!("lesion-generator/generator.safetensors");

/// The generator of 128×128 images, which is no part of a program: its file in this folder, and the SHA-256 of that file.
///
/// `lesion-generator-128/README.md` says how it was trained, how it measures up, and which licence binds it.
pub const LESION_GENERATOR_128: (&str, &str) = (
    "lesion-generator-128/generator.safetensors",
    "685ff78c6e8d24c6394211e1b51d6ad2f12eef3eca2daff24063ca3d9b9639dd",
);

/// The presets: name, and the text of the TOML file of that name. `README.md` has their measurements.
pub const PRESETS: [(&str, &str); 9] = [
    ("reference", include_str!("reference.toml")),
    ("fast", include_str!("fast.toml")),
    ("rare", include_str!("rare.toml")),
    ("refine", include_str!("refine.toml")),
    ("fast128", include_str!("fast128.toml")),
    ("rare128", include_str!("rare128.toml")),
    ("best", include_str!("best.toml")),
    ("notebook", include_str!("notebook.toml")),
    ("tiny", include_str!("tiny.toml")),
];
