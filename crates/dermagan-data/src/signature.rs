//! The first bytes by which files of other formats are told apart.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::DataError;

/// The first bytes of a cache.
pub(crate) const CACHE: [u8; 8] = *b"DERMAGAN";

/// Whether a file begins like a cache; `false` also for a file that cannot be read.
pub(crate) fn is_cache(path: &Path) -> bool {
    let mut magic = [0; 8];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == CACHE
}

/// Whether a file begins like a zip and has at least 4 bytes.
pub(crate) fn is_zip(path: &Path) -> Result<bool, DataError> {
    let mut magic = [0u8; 4];
    let mut file = File::open(path).map_err(DataError::io(path))?;
    let read = file.read(&mut magic).map_err(DataError::io(path))?;
    Ok(read == 4 && magic[..2] == *b"PK")
}
