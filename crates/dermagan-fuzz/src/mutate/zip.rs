//! Zips: one of the files, its name or its place is changed, and the zip is written again.

use std::io::{Cursor, Read, Write};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::part::{Plain, Random, changed};

/// The most bytes of one file, and the most files, of a zip that is taken apart.
const MOST: u64 = 1 << 20;
const FILES: usize = 64;
/// Most readers decide by the beginning of a file: numpy's header, the names of a table's columns.
const HEAD: usize = 160;

/// A file: its name, its bytes, and whether they are compressed.
pub(super) type Packed = (String, Vec<u8>, bool);

/// The files of a zip; `None` if it cannot be read or is large.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<Packed>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    if archive.len() > FILES {
        return None;
    }
    let mut files = Vec::new();
    for i in 0..archive.len() {
        let file = archive.by_index(i).ok()?;
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        let deflated = file.compression() != CompressionMethod::Stored;
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes).ok()?;
        files.push((name, bytes, deflated));
    }
    Some(files)
}

/// A zip of these files.
pub(super) fn pack(files: Vec<Packed>) -> Option<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, deflated) in files {
        let method = if deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let options = SimpleFileOptions::default().compression_method(method);
        // Two files of one name cannot be written: the second is left out.
        if writer.start_file(name, options).is_ok() {
            writer.write_all(&bytes).ok()?;
        }
    }
    Some(writer.finish().ok()?.into_inner())
}

pub(super) fn mutate(bytes: &[u8], random: &mut Random, plain: Plain<'_>) -> Option<Vec<u8>> {
    let mut files = unpack(bytes)?;
    let one = random.below(files.len());
    let other = random.below(files.len());
    let count = files.len();
    let file = files.get_mut(one)?;
    match random.below(12) {
        0 => file.0 = String::from_utf8_lossy(&changed(file.0.as_bytes(), plain)).into_owned(),
        1 => file.2 = !file.2,
        2 => {
            let copy = (format!("{}{}", random.below(10), file.0), file.1.clone(), file.2);
            files.push(copy);
        }
        3 if count > 1 => {
            files.remove(one);
        }
        4 => {
            let bytes = files[other].1.clone();
            files[one].1 = bytes;
        }
        5 => {
            let name = format!("{}/{}", files[other].0, files[one].0);
            files[one].0 = name;
        }
        6..9 if file.1.len() > HEAD => {
            let tail = file.1.split_off(HEAD);
            file.1 = changed(&file.1, plain);
            file.1.extend(tail);
        }
        _ => file.1 = changed(&file.1, plain),
    }
    pack(files)
}
