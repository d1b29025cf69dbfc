//! The descriptions of the datasets that dermagan knows, each the text of the TOML file beside this one.
//!
//! The descriptions are a crate of their own, so that the crates that read them can be packaged. Each text has
//! at least the keys `name`, `title`, `licence`, `get` (where to obtain the data) and `images` (number of
//! images in a complete copy). `dermagan-data` parses them.
//!
//! ```rust
//! assert!(dermagan_datasets::HAM10000.contains("licence = \"CC BY-NC 4.0\""));
//! ```

/// HAM10000 (Tschandl et al., Scientific Data 5, 180161, 2018), from `ham10000.toml`: also its seven classes in
/// label order, with the number of images and lesions of each.
pub const HAM10000: &str = include_str!("ham10000.toml");

/// ISIC 2018 task 3, whose training images are those of HAM10000, from `isic2018.toml`.
pub const ISIC2018: &str = include_str!("isic2018.toml");

/// ISIC 2019, with actinic keratoses and squamous cell carcinomas apart, from `isic2019.toml`.
pub const ISIC2019: &str = include_str!("isic2019.toml");

/// SIIM-ISIC 2020, from `isic2020.toml`.
pub const ISIC2020: &str = include_str!("isic2020.toml");

/// An export of the ISIC archive, from `isic-archive.toml`.
pub const ISIC_ARCHIVE: &str = include_str!("isic-archive.toml");

/// PAD-UFES-20 (Pacheco et al., Data in Brief 32, 106221, 2020), from `pad-ufes-20.toml`.
pub const PAD_UFES_20: &str = include_str!("pad-ufes-20.toml");

/// DermaMNIST of MedMNIST v2, from `dermamnist.toml`.
pub const DERMAMNIST: &str = include_str!("dermamnist.toml");

/// The built-in procedural images, which are not medical data, from `phantom.toml`.
pub const PHANTOM: &str = include_str!("phantom.toml");
