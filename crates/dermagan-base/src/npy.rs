//! The header of a numpy array (`.npy`, and each array of an `.npz`), as `numpy.lib.format` defines it.

use std::io::Read;

/// The longest header that is read, in bytes. The headers that numpy writes have fewer than 200.
const MAX_HEADER: usize = 64 << 10;

/// The description of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The element type, such as `<f4`; `None` if the elements are records of several types.
    pub kind: Option<String>,
    /// Whether the values are in column-major order (Fortran) instead of row-major order (C).
    pub fortran: bool,
    /// The extent of each axis.
    pub shape: Vec<usize>,
}

/// Reads the header: magic bytes, version, and a Python dictionary with three known keys. The reader
/// then stands at the first value.
///
/// # Errors
/// When the reader ends too early or holds no numpy array, or when the header is too long or lacks a
/// key. The message says which.
pub fn read_header(reader: &mut impl Read) -> Result<Header, String> {
    let mut start = [0u8; 8];
    reader.read_exact(&mut start).map_err(|e| e.to_string())?;
    if start[..6] != *b"\x93NUMPY" {
        return Err("not a numpy array".into());
    }
    let mut length = [0u8; 4];
    let wide = if start[6] >= 2 { 4 } else { 2 };
    reader.read_exact(&mut length[..wide]).map_err(|e| e.to_string())?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_HEADER {
        return Err(format!(
            "its numpy header of {length} bytes is too long, expected at most {MAX_HEADER}"
        ));
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&text);
    let after = |key: &str| {
        let (_, rest) = text.split_once(key)?;
        Some(rest.trim_start_matches([':', ' ']))
    };
    let kind = after("'descr'").ok_or("its numpy header has no 'descr'")?;
    let kind = kind.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
    let fortran = after("'fortran_order'").is_some_and(|rest| rest.starts_with("True"));
    let shape = after("'shape'").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let (shape, _) = shape.ok_or("its numpy header has no 'shape'")?;
    let shape: Result<_, _> =
        shape.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::parse).collect();
    let shape = shape.map_err(|_| "the 'shape' in its numpy header is not a list of numbers")?;
    Ok(Header { kind: kind.map(|(kind, _)| kind.to_owned()), fortran, shape })
}
