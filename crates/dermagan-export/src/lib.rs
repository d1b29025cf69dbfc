//! Generators in the formats of other programs.
//!
//! - `onnx`: [`onnx_model`], a graph for ONNX Runtime and everything that reads ONNX
//! - `pytorch`: [`pytorch_module`], a Python file with an `nn.Module`
//! - `hub`: [`write_hub_folder`], a folder for Hugging Face: a model card, and the generator in all of these formats
//!
//! The safetensors file itself is dermagan's own format: see [`dermagan_model::ModelFile`].
//!
//! ```
//! use dermagan_export::{OnnxOptions, onnx_model};
//! use dermagan_generate::shipped_model;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = OnnxOptions { class: Some("mel".into()), ..OnnxOptions::default() };
//! let bytes = onnx_model(&shipped_model()?, &options)?;
//! assert!(bytes.starts_with(b"\x08\x08\x12\x08dermagan"));
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod error;
mod hub;
mod onnx;
mod pytorch;
mod seal;

pub use error::ExportError;
pub use hub::write_hub_folder;
pub use onnx::{OnnxOptions, is_own_onnx, onnx_model};
pub use pytorch::{is_own_module, pytorch_module};
