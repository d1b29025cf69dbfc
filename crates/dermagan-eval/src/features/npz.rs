//! NumPy's `.npz` files: zip archives of named arrays, which `numpy.load` opens.
//!
//! NumPy documents the format under `numpy.lib.format`. This module writes feature matrices in float32,
//! integers and strings. It reads feature matrices in float32 or float64.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use dermagan_base::atomic::Pending;
use dermagan_base::npy::read_header;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::matrix::Features;
use crate::error::EvalError;

/// Deflate compresses by no more than this factor: an array that claims to be larger has a wrong header.
const MAX_RATIO: u64 = 1032;
/// The largest number of values in all arrays of a file together, whatever the file's size: 2 GiB.
const MAX_VALUES: u64 = 1 << 29;
/// The largest number of arrays in a file.
const MAX_ARRAYS: usize = 1000;
/// Bytes that are read at a time.
const READ: usize = 1 << 16;

/// An array to write into a file.
#[derive(Clone, Copy, Debug)]
pub enum NpyArray<'a> {
    /// A feature matrix, written as float32 of shape `(count, dims)`.
    Rows(&'a Features),
    /// Integers, written as int64 of shape `(count,)`.
    Numbers(&'a [i64]),
    /// Strings, written as fixed-width Unicode of shape `(count,)`.
    Words(&'a [String]),
}

impl NpyArray<'_> {
    /// The element type in NumPy's notation, the shape, and the bytes.
    fn encode(&self) -> (String, Vec<usize>, Vec<u8>) {
        match self {
            Self::Rows(rows) => {
                let bytes = rows.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                ("<f4".into(), vec![rows.count(), rows.dims], bytes)
            }
            Self::Numbers(numbers) => {
                let bytes = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
                ("<i8".into(), vec![numbers.len()], bytes)
            }
            Self::Words(words) => {
                let width = words.iter().map(|w| w.chars().count()).max().unwrap_or(0).max(1);
                let word = |w: &String| {
                    w.chars().chain(std::iter::repeat('\0')).take(width).collect::<Vec<_>>()
                };
                let bytes = words.iter().flat_map(word).flat_map(|c| u32::from(c).to_le_bytes());
                (format!("<U{width}"), vec![words.len()], bytes.collect())
            }
        }
    }
}

/// Writes feature matrices under their names: `numpy.load(path)[name]` reads one. The file appears
/// complete or not at all.
///
/// # Errors
/// As [`write_arrays`].
pub fn write(path: &Path, arrays: &[(&str, &Features)]) -> Result<(), EvalError> {
    let arrays: Vec<_> = arrays.iter().map(|(name, rows)| (*name, NpyArray::Rows(rows))).collect();
    write_arrays(path, &arrays)
}

/// Writes arrays of any kind under their names, as [`write()`] does for feature matrices.
///
/// # Errors
/// When the file cannot be written, or two arrays have the same name.
pub fn write_arrays(path: &Path, arrays: &[(&str, NpyArray<'_>)]) -> Result<(), EvalError> {
    let mut pending = Pending::create(path).map_err(EvalError::io(path))?;
    pack(pending.file(), arrays).map_err(EvalError::io(path))?;
    pending.commit().map_err(EvalError::io(path))
}

fn pack(file: &mut File, arrays: &[(&str, NpyArray<'_>)]) -> std::io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::new(file));
    for (name, array) in arrays {
        let (kind, shape, bytes) = array.encode();
        // Features do not compress, and a reader can memory-map what is stored uncompressed.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() > u32::MAX as usize / 2);
        zip.start_file(format!("{name}.npy"), options)?;
        zip.write_all(&header(&kind, &shape))?;
        zip.write_all(&bytes)?;
    }
    zip.finish()?.flush()
}

/// The header of an array: magic, version 1.0, and a Python dictionary, padded with spaces so that the
/// values start at a multiple of 64 bytes.
fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut text =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
    // Ten bytes come before the dictionary and one after it.
    text.push_str(&" ".repeat((64 - (text.len() + 11) % 64) % 64));
    text.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    // The dictionary has some 100 bytes: two numbers and a type.
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out
}

/// Reads all floating-point arrays of a file, with their names, in the file's order. Arrays of other
/// types are skipped.
///
/// # Errors
/// When the file cannot be read or is not an npz file; when a floating-point array is not a
/// two-dimensional, little-endian float32 or float64 array in C order; when an array has more or fewer
/// values than its header says.
pub fn read(path: &Path) -> Result<Vec<(String, Features)>, EvalError> {
    let bad = |what: String| EvalError::Input(format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(EvalError::io(path))?;
    let length = file.metadata().map_err(EvalError::io(path))?.len();
    let mut archive = ZipArchive::new(BufReader::new(file))
        .map_err(|e| bad(format!("not an npz file, as numpy.savez writes it: {e}")))?;
    if archive.len() > MAX_ARRAYS {
        return Err(bad(format!("it has {} arrays, expected at most {MAX_ARRAYS}", archive.len())));
    }
    let mut out = Vec::new();
    let mut left = length.saturating_mul(MAX_RATIO / 4).min(MAX_VALUES);
    for index in 0..archive.len() {
        let (name, features) = entry(&mut archive, index, left).map_err(bad)?;
        if let Some(features) = features {
            left -= features.values.len() as u64;
            out.push((name, features));
        }
    }
    Ok(out)
}

/// The name and the values of one array, of at most `most` values; `None` where they are not floats.
fn entry(
    archive: &mut ZipArchive<impl Read + Seek>,
    index: usize,
    most: u64,
) -> Result<(String, Option<Features>), String> {
    let mut entry = archive.by_index(index).map_err(|e| format!("array {index}: {e}"))?;
    let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
    let features = array(&mut entry, most).map_err(|e| format!("{name:?}: {e}"))?;
    Ok((name, features))
}

fn array(reader: &mut impl Read, most: u64) -> Result<Option<Features>, String> {
    let header = read_header(reader)?;
    let width = match header.kind.as_deref() {
        Some("<f4") => 4,
        Some("<f8") => 8,
        Some(other) if other.get(1..2) == Some("f") => {
            return Err(format!("expected float32 or float64, found '{other}'"));
        }
        _ => return Ok(None),
    };
    let [rows, dims] = header.shape[..] else {
        return Err(format!("expected rows of features, found shape {:?}", header.shape));
    };
    if header.fortran {
        return Err(
            "found Fortran order, expected C order: save numpy.ascontiguousarray(array)".into()
        );
    }
    let count = rows.checked_mul(dims).filter(|n| *n as u64 <= most && dims > 0);
    let count = count.ok_or_else(|| {
        format!("shape {:?} has no columns, or more values than the file can hold", header.shape)
    })?;
    let mut values = Vec::new();
    let mut bytes = vec![0; READ];
    while values.len() < count {
        let some = ((count - values.len()) * width).min(READ);
        let part = &mut bytes[..some];
        reader
            .read_exact(part)
            .map_err(|e| format!("cannot read on after {} values: {e}", values.len()))?;
        values.extend(part.chunks_exact(width).map(number));
    }
    // Reading beyond the last value makes the zip reader verify the checksum.
    match reader.read(&mut bytes[..1]).map_err(|e| e.to_string())? {
        0 => Ok(Some(Features { dims, values })),
        _ => Err(format!("it is longer than its shape {:?}", header.shape)),
    }
}

/// The value of a little-endian float of four or eight bytes.
fn number(bytes: &[u8]) -> f32 {
    match *bytes {
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
        _ => f32::NAN,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn npz(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn read_bytes(bytes: &[u8]) -> Result<Vec<(String, Features)>, EvalError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.npz");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    fn with_header(head: Vec<u8>, values: &[u8]) -> Vec<u8> {
        npz(&[("a.npy", &[&head, values].concat())], CompressionMethod::Stored)
    }

    #[test]
    fn written_features_are_read_back_and_strings_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("features.npz");
        let a = Features { dims: 3, values: vec![1.0, -2.5, f32::MIN_POSITIVE, 0.1, 7.0, -0.0] };
        let b = Features { dims: 1, values: vec![] };
        let words = ["å b".to_owned(), String::new()];
        let arrays = [
            ("real", NpyArray::Rows(&a)),
            ("ids", NpyArray::Words(&words)),
            ("labels", NpyArray::Numbers(&[1, -2])),
            ("fake", NpyArray::Rows(&b)),
        ];
        write_arrays(&path, &arrays).unwrap();
        assert_eq!(read(&path).unwrap(), [("real".into(), a), ("fake".into(), b)]);
        assert!(!path.with_file_name("features.npz.partial").exists());
        let before = std::fs::read(&path).unwrap();
        let one = Features { dims: 1, values: vec![1.0] };
        write(&path, &[("x", &one), ("x", &one)]).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_header_ends_at_a_multiple_of_64_bytes_as_numpy_writes_it() {
        for shape in [vec![3], vec![10_000, 2048], vec![usize::MAX, usize::MAX]] {
            let head = header("<f4", &shape);
            assert_eq!(head.len() % 64, 0);
            assert_eq!(head.last(), Some(&b'\n'));
        }
        let text = String::from_utf8_lossy(&header("<f4", &[3, 4])[10..]).trim_end().to_owned();
        assert_eq!(text, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4,), }");
        assert!(String::from_utf8_lossy(&header("<i8", &[3])).contains("'shape': (3,), }"));
    }

    #[test]
    fn compressed_doubles_are_read_as_numpy_savez_compressed_writes_them() {
        let values: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let bytes = [header("<f8", &[2, 1]), values].concat();
        let read = read_bytes(&npz(&[("x.npy", &bytes)], CompressionMethod::Deflated)).unwrap();
        assert_eq!(read, [("x".into(), Features { dims: 1, values: vec![1.5, -2.0] })]);
    }

    #[test]
    fn arrays_that_contradict_their_header_are_refused() {
        let four = 1f32.to_le_bytes();
        for (head, values, expected) in [
            (header("<f4", &[2, 1]), &four[..], "after 0 values"),
            (header("<f4", &[1 << 40, 1 << 40]), &four, "more values than"),
            (header("<f4", &[1 << 20, 1]), &four, "more values than"),
            (header("<f4", &[1, 0]), &four, "no columns"),
            (header("<f4", &[0, 1]), &four, "longer"),
            (header("<f4", &[1]), &four, "expected rows"),
            (header(">f4", &[1, 1]), &four, "found '>f4'"),
            (header("<f2", &[1, 1]), &four, "found '<f2'"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), &four, "header"),
            (b"PK".to_vec(), &four, "fill"),
        ] {
            let found = read_bytes(&with_header(head, values)).unwrap_err().to_string();
            assert!(found.contains(expected), "{found}");
        }
        let fortran = String::from_utf8(header("<f4", &[1, 1])[10..].to_vec()).unwrap();
        let fortran = fortran.replacen("False", "True ", 1);
        let head = [&header("<f4", &[1, 1])[..10], fortran.as_bytes()].concat();
        assert!(read_bytes(&with_header(head, &four)).unwrap_err().to_string().contains("C order"));
        assert!(read_bytes(b"no zip").unwrap_err().to_string().contains("not an npz"));
    }

    proptest! {
        #[test]
        fn damaged_files_are_refused_or_read_but_never_panic(
            at in prop::collection::vec((0usize..400, 0u8..), 1..8), cut in 0usize..400
        ) {
            let bytes = [header("<f4", &[2, 2]), vec![7; 16]].concat();
            let mut bytes = npz(&[("real.npy", &bytes)], CompressionMethod::Deflated);
            for (place, value) in at {
                let length = bytes.len();
                bytes[place % length] = value;
            }
            let keep = bytes.len() - if cut < 300 { 0 } else { cut % bytes.len() };
            let _ = read_bytes(&bytes[..keep]);
        }
    }
}
