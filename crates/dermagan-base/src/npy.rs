//! The header of a numpy array (`.npy`, and each array of an `.npz`), as numpy.lib.format has it.

use std::io::Read;

/// The longest header that is read; numpy's own are below 200 bytes.
const MAX_HEADER: usize = 64 << 10;

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The element type, such as `<f4`; none if it is a record of several.
    pub kind: Option<String>,
    /// Whether columns come first in memory.
    pub fortran: bool,
    /// The extents.
    pub shape: Vec<usize>,
}

/// Reads it: magic, version, and a Python dictionary of three known keys.
///
/// # Errors
/// Says what is not as it should be.
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
        return Err(format!("a numpy header of {length} bytes"));
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&text);
    let after = |key: &str| {
        let (_, rest) = text.split_once(key)?;
        Some(rest.trim_start_matches([':', ' ']))
    };
    let kind = after("'descr'").ok_or("no 'descr' in its header")?;
    let kind = kind.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
    let fortran = after("'fortran_order'").is_some_and(|rest| rest.starts_with("True"));
    let shape = after("'shape'").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let (shape, _) = shape.ok_or("no 'shape' in its header")?;
    let shape: Result<_, _> =
        shape.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::parse).collect();
    let shape = shape.map_err(|_| "its shape is not of numbers")?;
    Ok(Header { kind: kind.map(|(kind, _)| kind.to_owned()), fortran, shape })
}
