//! What a file is, by its content: names often say something else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zip::ZipArchive;

use crate::error::DataError;
use crate::shared_file::SharedFile;
use crate::signature;
use crate::source::entry::is_image_name;

/// The kind of a file that may hold generated images or a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A dermagan cache.
    Cache,
    /// A zip with image files.
    ImageZip,
    /// A zip of NumPy arrays.
    Npz,
    /// A single NumPy array.
    Npy,
    /// A zip that PyTorch wrote.
    TorchZip,
    /// A zip of anything else, or one that is cut.
    OtherZip,
    /// A single image.
    Image,
    /// Anything else.
    Other,
}

impl FileKind {
    /// The kind of a file.
    ///
    /// # Errors
    /// [`DataError::Io`] if the file cannot be read.
    pub fn of(path: &Path) -> Result<Self, DataError> {
        let mut head = [0u8; 64];
        let mut file = File::open(path).map_err(DataError::io(path))?;
        let mut read = 0;
        loop {
            match file.read(&mut head[read..]).map_err(DataError::io(path))? {
                0 => break,
                more => read += more,
            }
        }
        let head = &head[..read];
        Ok(match head {
            _ if head.starts_with(&signature::CACHE) => Self::Cache,
            [b'\x93', b'N', b'U', b'M', b'P', b'Y', ..] => Self::Npy,
            // A safetensors file begins with eight bytes of length, which may have any value, and a brace.
            [b'P', b'K', rest @ ..] if rest.get(6) != Some(&b'{') => {
                SharedFile::new(file).map_or(Self::OtherZip, of_zip)
            }
            _ if image::guess_format(head).is_ok() && head.get(8) != Some(&b'{') => Self::Image,
            _ => Self::Other,
        })
    }
}

/// The kind of a zip, by the names of its entries.
fn of_zip(file: SharedFile) -> FileKind {
    let Ok(archive) = ZipArchive::new(file) else { return FileKind::OtherZip };
    let names: Vec<String> = archive
        .file_names()
        .flatten()
        .map(|name| name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned())
        .collect();
    let any = |is: &dyn Fn(&str) -> bool| names.iter().any(|name| is(name));
    if any(&|name| name == "data.pkl") {
        FileKind::TorchZip
    } else if any(&|name| is_image_name(name)) {
        FileKind::ImageZip
    } else if any(&|name| name.ends_with(".npy")) {
        FileKind::Npz
    } else {
        FileKind::OtherZip
    }
}
