//! NumPy's `.npz`: a zip of named arrays, which `numpy.load` opens.
//!
//! The format is described in `numpy.lib.format`. Written are float32 rows, whole numbers and
//! words; read are rows of float32 or float64.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use dermagan_base::atomic::Pending;
use dermagan_base::npy::read_header;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::EvalError;
use crate::features::Features;

/// Deflate shrinks by no more than this: an array that claims more of its file is a lie.
const MAX_RATIO: u64 = 1032;
/// At most so many numbers in all arrays together, 2 GiB of them, whatever the file's size.
const MAX_VALUES: u64 = 1 << 29;
/// Arrays of a file, and bytes that are read at a time.
const MAX_ARRAYS: usize = 1000;
const READ: usize = 1 << 16;

/// What can be written under a name.
#[derive(Clone, Copy, Debug)]
pub enum Array<'a> {
    /// Rows, as float32 of shape (count, dims).
    Rows(&'a Features),
    /// Whole numbers, as int64 of shape (count,).
    Numbers(&'a [i64]),
    /// Words, as fixed-width Unicode of shape (count,).
    Words(&'a [String]),
}

impl Array<'_> {
    /// The element type as numpy spells it, the shape, and the bytes.
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

/// Writes sets of features under their names, to be read with `numpy.load(path)[name]`. The file
/// appears whole or not at all.
///
/// # Errors
/// As [`write_arrays`].
pub fn write(path: &Path, arrays: &[(&str, &Features)]) -> Result<(), EvalError> {
    let arrays: Vec<_> = arrays.iter().map(|(name, rows)| (*name, Array::Rows(rows))).collect();
    write_arrays(path, &arrays)
}

/// [`write()`] for arrays of any kind.
///
/// # Errors
/// When the file cannot be written, or two arrays have the same name.
pub fn write_arrays(path: &Path, arrays: &[(&str, Array<'_>)]) -> Result<(), EvalError> {
    let mut pending = Pending::create(path).map_err(EvalError::io(path))?;
    pack(pending.file(), arrays).map_err(EvalError::io(path))?;
    pending.commit().map_err(EvalError::io(path))
}

fn pack(file: &mut File, arrays: &[(&str, Array<'_>)]) -> std::io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::new(file));
    for (name, array) in arrays {
        let (kind, shape, bytes) = array.encode();
        // Features do not compress; a reader may map them where they are stored.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() > u32::MAX as usize / 2);
        zip.start_file(format!("{name}.npy"), options)?;
        zip.write_all(&header(&kind, &shape))?;
        zip.write_all(&bytes)?;
    }
    zip.finish()?.flush()
}

/// Magic, version 1.0, and a Python dictionary, filled up so that the numbers start at a multiple
/// of 64 bytes.
fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut text =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
    // Ten bytes come before the dictionary, one after it.
    text.push_str(&" ".repeat((64 - (text.len() + 11) % 64) % 64));
    text.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    // Some 100 bytes: two numbers and a kind.
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out
}

/// Reads all floating-point arrays of a file, with their names, in the file's order. Arrays of
/// other kinds are passed over.
///
/// # Errors
/// When the file cannot be read or is no npz; when a floating-point array is not a two-dimensional
/// float32 or float64 in C order, little-endian; or is longer or shorter than it says.
pub fn read(path: &Path) -> Result<Vec<(String, Features)>, EvalError> {
    let bad = |what: String| EvalError::Input(format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(EvalError::io(path))?;
    let length = file.metadata().map_err(EvalError::io(path))?.len();
    let mut archive = ZipArchive::new(BufReader::new(file))
        .map_err(|e| bad(format!("not an npz of numpy: {e}")))?;
    if archive.len() > MAX_ARRAYS {
        return Err(bad(format!("{} arrays are too many", archive.len())));
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

/// One array of no more than `most` numbers, and its name; none if it is not of floats.
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
        return Err("expected C order: save it with numpy.ascontiguousarray".into());
    }
    let count = rows.checked_mul(dims).filter(|n| *n as u64 <= most && dims > 0);
    let count = count.ok_or_else(|| format!("a shape of {:?} cannot be", header.shape))?;
    let mut values = Vec::new();
    let mut bytes = vec![0; READ];
    while values.len() < count {
        let some = ((count - values.len()) * width).min(READ);
        let part = &mut bytes[..some];
        reader.read_exact(part).map_err(|e| format!("after {} numbers: {e}", values.len()))?;
        values.extend(part.chunks_exact(width).map(number));
    }
    // One byte more asks for the checksum to be looked at.
    match reader.read(&mut bytes[..1]).map_err(|e| e.to_string())? {
        0 => Ok(Some(Features { dims, values })),
        _ => Err(format!("longer than its shape of {:?}", header.shape)),
    }
}

/// A little-endian float of four or eight bytes.
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
    fn what_is_written_is_read_again_and_words_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("features.npz");
        let a = Features { dims: 3, values: vec![1.0, -2.5, f32::MIN_POSITIVE, 0.1, 7.0, -0.0] };
        let b = Features { dims: 1, values: vec![] };
        let words = ["å b".to_owned(), String::new()];
        let arrays = [
            ("real", Array::Rows(&a)),
            ("ids", Array::Words(&words)),
            ("labels", Array::Numbers(&[1, -2])),
            ("fake", Array::Rows(&b)),
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
    fn deflated_doubles_are_read_as_numpys_savez_compressed_leaves_them() {
        let values: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let bytes = [header("<f8", &[2, 1]), values].concat();
        let read = read_bytes(&npz(&[("x.npy", &bytes)], CompressionMethod::Deflated)).unwrap();
        assert_eq!(read, [("x".into(), Features { dims: 1, values: vec![1.5, -2.0] })]);
    }

    #[test]
    fn arrays_that_are_not_as_they_say_are_refused() {
        let four = 1f32.to_le_bytes();
        for (head, values, expected) in [
            (header("<f4", &[2, 1]), &four[..], "after 0 numbers"),
            (header("<f4", &[1 << 40, 1 << 40]), &four, "cannot be"),
            (header("<f4", &[1 << 20, 1]), &four, "cannot be"),
            (header("<f4", &[1, 0]), &four, "cannot be"),
            (header("<f4", &[0, 1]), &four, "longer"),
            (header("<f4", &[1]), &four, "expected rows"),
            (header(">f4", &[1, 1]), &four, "found '>f4'"),
            (header("<f2", &[1, 1]), &four, "found '<f2'"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), &four, "header of"),
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
