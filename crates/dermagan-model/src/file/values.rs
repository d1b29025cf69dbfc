//! The bytes of a file of weights, and their numbers.

use std::io::Read;
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;

use crate::error::ModelError;

/// The largest weights file that is read, in bytes. A checkpoint of width 512 at 128×128 has about
/// 30 GB, one of the default width 0.1 GB.
pub(super) const MAX_FILE: u64 = 4 << 30;

/// Reads a file of at most `limit` bytes. Works for devices and pipes too, which have no length.
///
/// # Errors
/// When the file cannot be read or is longer.
pub fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, ModelError> {
    let io = |error| ModelError::Io { path: path.display().to_string(), error };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        let what =
            format!("the file is longer than {limit} bytes, the most that such a file may have");
        return Err(ModelError::weights(path.display().to_string(), what));
    }
    Ok(bytes)
}

/// Reads a weights file of at most [`MAX_FILE`] bytes.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    read_at_most(path, MAX_FILE)
}

/// Little-endian floats of any width as float32. `None` for integers: no layer here has any, but
/// PyTorch's files do (`num_batches_tracked`).
pub(super) fn floats(dtype: Dtype, bytes: &[u8]) -> Result<Option<Vec<f32>>, String> {
    Ok(Some(match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => {
            bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()
        }
        Dtype::I64
        | Dtype::I32
        | Dtype::I16
        | Dtype::I8
        | Dtype::U64
        | Dtype::U32
        | Dtype::U16
        | Dtype::U8
        | Dtype::BOOL => {
            return Ok(None);
        }
        other => return Err(format!("values of type {other:?}, expected floats")),
    }))
}
