//! One file of a source, and what its name says about it.

use std::path::PathBuf;

/// Where the bytes of an entry are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A file of the file system.
    File(PathBuf),
    /// Entry `index` of the archive with number `archive` in the tree.
    Zip { archive: usize, index: usize },
}

/// One file of a tree.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Path inside the source, with `/`.
    pub path: String,
    /// Declared size in bytes, decompressed.
    pub size: u64,
    /// Changes when the content does: the CRC-32 in a zip, the modification time in a folder.
    pub stamp: u64,
    /// Where the bytes are.
    pub(super) place: Place,
}

impl Entry {
    /// The CRC-32 of a file in a zip.
    pub fn crc(&self) -> Option<u64> {
        matches!(self.place, Place::Zip { .. }).then_some(self.stamp)
    }

    /// The file's name without its folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The name without its last extension.
    pub fn stem(&self) -> &str {
        self.name().rsplit_once('.').map_or(self.name(), |(stem, _)| stem)
    }

    /// The name of the folder that holds the file; `None` at the top of the source.
    pub fn folder(&self) -> Option<&str> {
        self.path.rsplit('/').nth(1)
    }

    /// The extension in lower case, empty if there is none.
    pub fn extension(&self) -> String {
        extension(self.name())
    }

    /// Whether a change of this file changes the source. Caches, unfinished files, models and notes do not count.
    pub fn is_content(&self) -> bool {
        !matches!(self.extension().as_str(), "dermagan" | "partial" | "safetensors" | "md")
    }

    /// Whether the extension is that of a format that is never an image.
    pub fn is_other_format(&self) -> bool {
        const OTHER: [&str; 26] = [
            "csv",
            "tab",
            "tsv",
            "txt",
            "json",
            "md",
            "html",
            "pdf",
            "xml",
            "zip",
            "npz",
            "partial",
            "dermagan",
            "safetensors",
            "bak",
            "crdownload",
            "download",
            "part",
            "tmp",
            "swp",
            "tar",
            "gz",
            "tgz",
            "bz2",
            "rar",
            "7z",
        ];
        self.name().ends_with('~') || OTHER.contains(&self.extension().as_str())
    }
}

/// Whether a name has the extension of an image format that the decoder does not read: those of telephones, of
/// cameras, of hospitals and of drawing programs.
pub(super) fn is_unread_image_name(name: &str) -> bool {
    const UNREAD: [&str; 16] = [
        "heic", "heif", "avif", "jp2", "j2k", "jxl", "dcm", "dicom", "dng", "cr2", "cr3", "nef",
        "arw", "raw", "psd", "svg",
    ];
    UNREAD.contains(&extension(name).as_str())
}

/// Whether a name has the extension of a file of data or of a model.
pub(super) fn is_data_name(name: &str) -> bool {
    const DATA: [&str; 26] = [
        "mat",
        "pkl",
        "pickle",
        "joblib",
        "npy",
        "npz",
        "pt",
        "pth",
        "ckpt",
        "onnx",
        "keras",
        "tflite",
        "pb",
        "safetensors",
        "bin",
        "rds",
        "rdata",
        "tfrecord",
        "tfrecords",
        "lmdb",
        "mdb",
        "db",
        "sqlite",
        "mp4",
        "avi",
        "mov",
    ];
    DATA.contains(&extension(name).as_str())
}

/// Whether a name has the extension of an image format that the decoder reads.
pub(crate) fn is_image_name(name: &str) -> bool {
    is_jpeg_name(name)
        || matches!(extension(name).as_str(), "png" | "bmp" | "webp" | "tif" | "tiff" | "gif")
}

/// Whether a name has an extension of JPEG.
pub(crate) fn is_jpeg_name(name: &str) -> bool {
    matches!(extension(name).as_str(), "jpg" | "jpeg" | "jpe" | "jfif")
}

/// Whether a name is one that file systems, archivers and file managers add for themselves.
pub(super) fn is_hidden(name: &str) -> bool {
    const SYSTEM: [&str; 10] = [
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "lost+found",
        "system volume information",
        "__pycache__",
    ];
    name.starts_with('.') || SYSTEM.contains(&name.to_lowercase().as_str())
}

/// The last extension of a name in lower case, empty if there is none.
fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default()
}
