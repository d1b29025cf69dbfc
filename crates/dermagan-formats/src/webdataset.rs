//! Shards of [WebDataset](https://github.com/webdataset/webdataset): tar files in which the files of one image are adjacent
//! and have one name, up to its first dot. The tars are USTAR, with a fixed time and owner, so that equal images give equal
//! bytes.

use std::fmt::Write;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use dermagan_base::atomic::Pending;
use tar::{Builder, Header};

use crate::card::{Files, card};
use crate::error::FormatError;
use crate::folder::{begin, end};
use crate::format::Format;
use crate::ours::{self, TAR_OWNER};
use crate::set::{Item, Set, json_text};
use crate::shards::{Place, Shards};
use crate::sink::Sink;

/// A tar that gets its name when it is complete.
struct Shard {
    pending: Pending,
    path: PathBuf,
    tar: Builder<BufWriter<File>>,
}

/// Writes shards.
struct WebDatasetSink {
    shards: Shards,
    shard: Option<Shard>,
    /// The card of a folder.
    card: Option<Pending>,
}

/// The writer of a folder of shards, or of one file if `out` ends with `.tar`.
pub(crate) fn sink(out: &Path, set: &Set, most: u64) -> Result<Box<dyn Sink>, FormatError> {
    if Format::WebDataset.is_file(out) {
        let shards = Shards::One(out.to_owned());
        return Ok(Box::new(WebDatasetSink { shards, shard: None, card: None }));
    }
    let name = |part: &str, number, _| format!("{part}-{number:06}.tar");
    let shards = Shards::Many { folder: out.to_owned(), most, name };
    let text = text(set);
    ours::check_folder(out, &text, &|path| shards.has(set, path))?;
    let card = Some(begin(out, &text)?);
    Ok(Box::new(WebDatasetSink { shards, shard: None, card }))
}

fn text(set: &Set) -> String {
    let pattern = |part: &str| format!("{part}-*.tar");
    let files = Files::new(Format::WebDataset, Some(&pattern));
    card(set, &Files { features: features(set), ..files })
}

/// The types of the columns. The library `datasets` would take them from the first five images, in which a value may be
/// missing that others have.
fn features(set: &Set) -> String {
    let mut yaml = String::new();
    for (name, kind) in [("__key__", "string"), ("__url__", "string"), ("png", "image")] {
        let _ = writeln!(yaml, "  - name: {name}\n    dtype: {kind}");
    }
    yaml += "  - name: json\n    struct:\n";
    for (name, kind) in &set.columns {
        let _ = writeln!(yaml, "    - name: {name}\n      dtype: {}", kind.dtype());
    }
    if !set.classes.is_empty() {
        yaml += "  - name: cls\n    dtype:\n      class_label:\n        names:\n";
        for (label, class) in set.classes.iter().enumerate() {
            let _ = writeln!(yaml, "          '{label}': {}", json_text(class));
        }
    }
    yaml
}

impl WebDatasetSink {
    fn finish_shard(&mut self) -> Result<(), FormatError> {
        let Some(Shard { pending, path, tar }) = self.shard.take() else { return Ok(()) };
        let written = tar.into_inner().and_then(|buffer| Ok(buffer.into_inner()?));
        written.and_then(|_| pending.commit()).map_err(FormatError::io(path))
    }
}

impl Sink for WebDatasetSink {
    fn put(&mut self, set: &Set, place: Place, item: &Item) -> Result<(), FormatError> {
        if let Some(path) = self.shards.begins(set, place) {
            self.finish_shard()?;
            let io = |error| FormatError::io(&path)(error);
            let mut pending = Pending::create(&path).map_err(io)?;
            let file = BufWriter::new(pending.file().try_clone().map_err(io)?);
            self.shard = Some(Shard { pending, path, tar: Builder::new(file) });
        }
        let Some(shard) = &mut self.shard else {
            return Err(FormatError::item(&item.name, "no file is open for it"));
        };
        let key = key(&item.name);
        let mut add = |ending: &str, bytes: &[u8]| {
            let header = header(&format!("{key}.{ending}"), bytes.len() as u64);
            let header = header.map_err(|error| {
                let problem = format!("the format webdataset cannot hold its name ({error})");
                FormatError::item(&item.name, problem)
            })?;
            shard.tar.append(&header, bytes).map_err(FormatError::io(&shard.path))
        };
        add("png", &item.png)?;
        add("json", set.json(item).as_bytes())?;
        match item.class {
            Some(class) => add("cls", class.to_string().as_bytes()),
            None => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>, set: &Set) -> Result<(), FormatError> {
        self.finish_shard()?;
        match (self.card, self.shards.folder()) {
            (Some(card), Some(folder)) => end(card, folder, &text(set)),
            _ => Ok(()),
        }
    }
}

/// The key of an image: its name, in which a dot, at which a key ends, is written as `%2E`.
fn key(name: &str) -> String {
    name.replace('%', "%25").replace('.', "%2E")
}

/// The header of a file in a tar.
///
/// # Errors
/// When the name is longer than 100 bytes.
fn header(name: &str, length: u64) -> std::io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_size(length);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_username(TAR_OWNER)?;
    header.set_groupname(TAR_OWNER)?;
    header.set_cksum();
    Ok(header)
}
