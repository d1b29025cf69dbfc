//! What a file is, by its first bytes.
//!
//! A user who names the wrong file, or a file that was not downloaded whole, should read what the file
//! is instead of what it is not.

use std::path::Path;

/// The size in bytes of a zip's local header without its name.
const LOCAL_HEADER: usize = 30;
/// The size in bytes of an entry of a zip's table of contents without its name.
const CENTRAL_HEADER: usize = 46;
/// The record that ends a zip: its size in bytes, and the longest comment behind it.
const ZIP_END: [usize; 2] = [22, 65_535];
/// The most entries of a zip whose names are read.
const MAX_ENTRIES: usize = 4096;
/// The number of bytes at the start of a pickle that are searched for the names of its classes.
const PICKLE_START: usize = 1 << 20;

/// The largest pickle in a zip that is read, in bytes. It lists the tensors, and has a few megabytes for the largest
/// networks; read, it takes up to forty times its size. A few kilobytes of a zip may unpack to it.
const MAX_PICKLE: u32 = 16 << 20;

/// What the bytes of a file of weights are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A safetensors file, whole or damaged.
    Safetensors,
    /// A file that `torch.save` wrote, whole or damaged.
    Torch,
    /// Something else. The text says what it is, and what to do if that is known.
    Other(String),
}

/// Says that a file is none of weights, and what it is instead.
pub(super) fn not_weights(what: &str) -> String {
    format!("expected a file of weights (.safetensors, or PyTorch's .pth), found {what}")
}

/// Names of files that start with these bytes.
const MAGIC: [(&[u8], &str); 20] = [
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras writes"),
    (b"\x93NUMPY", "a numpy array (.npy)"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself: fetch it with git lfs pull",
    ),
    (b"<!DOCTYPE", "an HTML page, not the file itself: the download failed, or needs a login"),
    (b"<!doctype", "an HTML page, not the file itself: the download failed, or needs a login"),
    (b"<html", "an HTML page, not the file itself: the download failed, or needs a login"),
    (b"<HTML", "an HTML page, not the file itself: the download failed, or needs a login"),
    (b"<?xml", "an XML text, such as the error message of a failed download"),
    (b"\x1f\x8b", "a file compressed with gzip: unpack it first"),
    (b"BZh", "a file compressed with bzip2: unpack it first"),
    (b"\xfd7zXZ\0", "a file compressed with xz: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"%PDF", "a PDF document"),
    (b"GGUF", "a GGUF file of a language model"),
    (b"{", "a JSON text"),
    (b"DERMAGAN", "a cache of prepared images, not a generator"),
];

impl Format {
    /// The format of a file with these bytes; `path` names it, and its ending helps where the bytes say little.
    pub(super) fn of(path: &Path, bytes: &[u8]) -> Self {
        let other = |what: &str| Self::Other(what.to_owned());
        if bytes.is_empty() {
            return other("an empty file");
        }
        // A safetensors file begins with eight bytes of length, which may have any value, and a brace.
        if bytes.get(8) == Some(&b'{') {
            return Self::Safetensors;
        }
        if bytes.starts_with(b"PK") {
            return zip(bytes);
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        let named =
            MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic) || text.starts_with(magic));
        if let Some((_, what)) = named {
            return other(what);
        }
        if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return other("a WebP image");
        }
        if bytes.get(4..8) == Some(b"TFL3") {
            return other("a TensorFlow Lite model");
        }
        if bytes.get(257..262) == Some(b"ustar") {
            return tar(bytes);
        }
        if let [0x80, 0..=5, ..] = bytes {
            return pickle(bytes);
        }
        // Protocol buffers have no magic bytes, but begin with the number of their version.
        match bytes {
            [0x08, 0x01, 0x12, ..] => return other("a TensorFlow SavedModel"),
            [0x08, 2..=30, 0x12 | 0x3a | 0x42, ..] => return other("an ONNX model"),
            _ => {}
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if name.contains(".data-0") || name.ends_with(".index") || name.ends_with(".pb") {
            return other("a file of TensorFlow");
        }
        if name.ends_with(".safetensors") {
            return Self::Safetensors;
        }
        let start: String = bytes.iter().take(8).map(|byte| format!("{byte:02x} ")).collect();
        Self::Other(format!("an unknown format, which begins with the bytes {}", start.trim_end()))
    }
}

/// What a zip is, by the names in its table of contents.
fn zip(bytes: &[u8]) -> Format {
    let other = |what: &str| Format::Other(what.to_owned());
    let Some(entries) = zip_entries(bytes) else { return Format::Torch };
    let large =
        entries.iter().find(|(name, size)| name.ends_with("data.pkl") && *size > MAX_PICKLE);
    if let Some((_, size)) = large {
        return Format::Other(format!(
            "a PyTorch file whose list of tensors has {size} bytes, where at most {MAX_PICKLE} are read"
        ));
    }
    let names: Vec<String> = entries.into_iter().map(|(name, _)| name).collect();
    let any = |test: &dyn Fn(&str) -> bool| names.iter().any(|name| test(name));
    if any(&|name| name.ends_with("data.pkl")) {
        return match any(&|name| name.ends_with("constants.pkl")) {
            true => other(
                "a TorchScript program (torch.jit.save); save its weights with Python:\n  \
                 import torch; g = torch.jit.load(\"FILE\", map_location=\"cpu\")\n  \
                 torch.save(g.state_dict(), \"generator.pth\")",
            ),
            false => Format::Torch,
        };
    }
    let ends = |ending: &'static str| any(&move |name| name.to_lowercase().ends_with(ending));
    if ends(".npy") {
        let arrays: Vec<&str> =
            names.iter().filter_map(|name| name.strip_suffix(".npy")).take(4).collect();
        let arrays: Vec<String> = arrays.iter().map(|name| quoted_name(name)).collect();
        return Format::Other(format!("an npz file of numpy arrays ({})", arrays.join(", ")));
    }
    if ends(".weights.h5") {
        return other("a Keras model");
    }
    if [".pth", ".pt", ".safetensors", ".ckpt", ".pkl"].into_iter().any(ends) {
        return other("a zip archive with files of weights: unpack it and name one of them");
    }
    if [".png", ".jpg", ".jpeg"].into_iter().any(ends) {
        return other("a zip archive of images");
    }
    other("a zip archive that torch.save did not write: it has no data.pkl")
}

/// The names in a zip's table of contents, and the sizes of the unpacked files in bytes; `None` if the table is missing or cannot be followed.
fn zip_entries(bytes: &[u8]) -> Option<Vec<(String, u32)>> {
    let end = &bytes[zip_end(bytes)?..];
    let count = usize::from(u16_at(end, 10)?);
    let mut at = u32_at(end, 16)? as usize;
    let mut entries = Vec::new();
    for _ in 0..count.min(MAX_ENTRIES) {
        let entry = bytes.get(at..)?;
        if !entry.starts_with(b"PK\x01\x02") {
            return None;
        }
        let lengths = [28, 30, 32].map(|offset| u16_at(entry, offset).map(usize::from));
        let [Some(name), Some(extra), Some(comment)] = lengths else { return None };
        let text = entry.get(CENTRAL_HEADER..CENTRAL_HEADER + name)?;
        entries.push((String::from_utf8_lossy(text).into_owned(), u32_at(entry, 24)?));
        at += CENTRAL_HEADER + name + extra + comment;
    }
    Some(entries)
}

/// Where the record begins that ends a zip; `None` if it is missing.
fn zip_end(bytes: &[u8]) -> Option<usize> {
    let [size, comment] = ZIP_END;
    let first = bytes.len().saturating_sub(size + comment);
    let places = bytes[first..].windows(4).enumerate().rev();
    // A record that is itself cut off is no end.
    let is_whole = |at: &usize| at + size <= bytes.len();
    let mut found = places.filter(|(_, window)| *window == b"PK\x05\x06").map(|(at, _)| first + at);
    found.find(is_whole)
}

/// Says that a zip is cut off, if it has no end.
pub(super) fn cut_zip(bytes: &[u8]) -> Option<String> {
    if zip_end(bytes).is_some() {
        return None;
    }
    // The sizes stand before the entries too, unless the program that wrote the zip left them out there.
    let mut at = 0usize;
    let mut least = None;
    while let Some(header) = bytes.get(at..).filter(|rest| rest.starts_with(b"PK\x03\x04")) {
        let numbers =
            (u16_at(header, 6), u32_at(header, 18), u16_at(header, 26), u16_at(header, 28));
        let (Some(flags), Some(size), Some(name), Some(extra)) = numbers else { break };
        if flags & 8 != 0 || size == u32::MAX {
            break;
        }
        at = at.saturating_add(LOCAL_HEADER + usize::from(name) + usize::from(extra));
        at = at.saturating_add(size as usize);
        if at > bytes.len() {
            least = Some(at);
        }
    }
    let expected = match least {
        Some(least) => format!("expected {least} and more"),
        None => "expected a zip's table of contents at its end".to_owned(),
    };
    Some(cut(bytes.len() as u64, &expected))
}

/// Says that a safetensors file is cut off, if it is shorter than its header states.
pub(super) fn cut_safetensors(bytes: &[u8]) -> Option<String> {
    let length = bytes.len() as u64;
    let Some(first) = bytes.first_chunk::<8>() else {
        return (!bytes.is_empty())
            .then(|| cut(length, "expected the 8 bytes of a safetensors header"));
    };
    let data = u64::from_le_bytes(*first).checked_add(8)?;
    if bytes.get(8) != Some(&b'{') {
        return None;
    }
    let Some(header) = usize::try_from(data).ok().and_then(|data| bytes.get(8..data)) else {
        // A length beyond any header is that of another format.
        let plausible = data < 1 << 30;
        return plausible.then(|| cut(length, &format!("expected {data} for the header alone")));
    };
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    let ends = header.values().filter_map(|tensor| tensor["data_offsets"][1].as_u64());
    let expected = ends.max()?.checked_add(data)?;
    (expected > length).then(|| cut(length, &format!("expected {expected}")))
}

fn cut(length: u64, expected: &str) -> String {
    format!("the file is cut off: it has {length} bytes, {expected}; download or copy it again")
}

/// What a tar archive is: PyTorch's form before 0.1.10, or another.
fn tar(bytes: &[u8]) -> Format {
    let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = name.strip_prefix(b"./").unwrap_or(name);
    match name {
        b"" | b"sys_info" | b"pickle" | b"storages" | b"tensors" => Format::Torch,
        _ => Format::Other("a tar archive: unpack it and name a file of it".to_owned()),
    }
}

/// What a pickle is, by the classes that it names. Nothing in it is executed.
fn pickle(bytes: &[u8]) -> Format {
    let start = &bytes[..bytes.len().min(PICKLE_START)];
    let has = |word: &str| start.windows(word.len()).any(|window| window == word.as_bytes());
    if has("torch_utils.persistence") || has("dnnlib.tflib") {
        return Format::Other(
            "a StyleGAN pickle, whose networks dermagan does not have; make images with StyleGAN's own \
             program, and measure them with dermagan eval --fake FOLDER"
                .to_owned(),
        );
    }
    Format::Torch
}

/// A name out of a file, short and printable.
fn quoted_name(name: &str) -> String {
    dermagan_base::name::start_of(name, super::version::SHOWN).into_owned()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|two| u16::from_le_bytes(*two))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(bytes: &[u8]) -> String {
        match Format::of(Path::new("file"), bytes) {
            Format::Other(what) => what,
            known => format!("{known:?}"),
        }
    }

    #[test]
    fn a_file_that_holds_no_weights_is_named_by_its_first_bytes() {
        for (bytes, expected) in [
            (&b""[..], "empty"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG image"),
            (b"\x89HDF\r\n\x1a\n\0\0\0\0", "an HDF5 file"),
            (b"\x08\x07\x12\x07pytorch\x1a\x051.12", "an ONNX model"),
            (b"\x08\x01\x12\xf3\xa1\x01\n\x05", "a TensorFlow SavedModel"),
            (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
            (b"\n <!DOCTYPE html><html>", "an HTML page"),
            (b"\xef\xbb\xbf<?xml version=\"1.0\"?>", "an XML text"),
            (b"\x93NUMPY\x01\0v\0", "a numpy array"),
            (b"\x1f\x8b\x08\0", "unpack it"),
            (b"{\"a\": 1}", "a JSON text"),
            (b"\x80\x02cdnnlib.tflib.network\nNetwork\n", "a StyleGAN pickle"),
            (b"\x80\x04\x95\x20\0\0\0\0\0\0\0torch_utils.persistence", "a StyleGAN pickle"),
            (b"\x01\x02\x03", "01 02 03"),
        ] {
            assert!(what(bytes).contains(expected), "{expected}: {}", what(bytes));
        }
        assert_eq!(what(b"\x80\x02}q\0."), "Torch");
        assert_eq!(what(b"\x80\x01\0\0\0\0\0\0{\"a\":"), "Safetensors");
    }

    /// A stored zip of empty entries, as Python's zipfile writes it.
    fn zip_of(names: &[&str]) -> Vec<u8> {
        let (mut zip, mut table) = (Vec::new(), Vec::new());
        for name in names {
            let at = zip.len() as u32;
            let length = (name.len() as u16).to_le_bytes();
            zip.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0!\0\0\0\0\0\x03\0\0\0\x03\0\0\0");
            zip.extend([&length[..], &[0, 0], name.as_bytes(), b"abc"].concat());
            table.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0!\0\0\0\0\0\x03\0\0\0\x03\0\0\0");
            table.extend([&length[..], &[0; 12], &at.to_le_bytes(), name.as_bytes()].concat());
        }
        let (count, at) = ((names.len() as u16).to_le_bytes(), (zip.len() as u32).to_le_bytes());
        let size = (table.len() as u32).to_le_bytes();
        zip.extend(table);
        zip.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &size, &at, &[0, 0]].concat());
        zip
    }

    #[test]
    fn a_zip_is_named_by_what_it_holds() {
        for (names, expected) in [
            (&["mu.npy", "sigma.npy"][..], "an npz file of numpy arrays (mu, sigma)"),
            (&["config.json", "model.weights.h5"], "a Keras model"),
            (&["g/generator.pth"], "name one of them"),
            (&["a.png"], "a zip archive of images"),
            (&["g/data.pkl", "g/constants.pkl", "g/code/a.py"], "TorchScript"),
            (&["readme.txt"], "no data.pkl"),
            (&["g/data.pkl", "g/data/0"], "Torch"),
        ] {
            assert!(what(&zip_of(names)).contains(expected), "{expected}");
        }
    }

    #[test]
    fn a_pickle_that_unpacks_to_much_more_than_any_list_of_tensors_is_refused() {
        let mut zip = zip_of(&["g/data.pkl"]);
        let at = zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap() + 24;
        zip[at..at + 4].copy_from_slice(&(MAX_PICKLE + 1).to_le_bytes());
        assert!(what(&zip).contains("16777217 bytes"), "{}", what(&zip));
    }

    #[test]
    fn a_file_that_is_cut_off_has_its_bytes_and_the_expected_ones_in_the_error() {
        let zip = zip_of(&["g/data.pkl", "g/data/0"]);
        assert_eq!(cut_zip(&zip), None);
        assert_eq!(what(&zip[..50]), "Torch");
        // The second entry is 30 bytes of header, 8 of name and 3 of data behind the 43 of the first.
        assert!(cut_zip(&zip[..80]).unwrap().contains("it has 80 bytes, expected 84 and more"));
        assert!(cut_zip(&zip[..zip.len() - 8]).unwrap().contains("table of contents"));
        let header = br#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let whole = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat();
        assert_eq!(cut_safetensors(&whole), None);
        let expected = format!("it has {} bytes, expected {}", whole.len() - 1, whole.len());
        assert!(cut_safetensors(&whole[..whole.len() - 1]).unwrap().contains(&expected));
        assert!(cut_safetensors(&whole[..20]).unwrap().contains("the header alone"));
        assert_eq!(cut_safetensors(b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"), None);
    }
}
