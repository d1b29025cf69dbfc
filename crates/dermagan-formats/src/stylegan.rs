//! The zip of StyleGAN2-ADA and StyleGAN3: images `00000/img00000000.png` and so on without compression, and
//! `dataset.json` with a label for each file. Images are square, RGB, and their side is a power of two.

use std::fmt::Write;
use std::path::Path;

use dermagan_base::SettingError;

use crate::card::{CARD, Files, card};
use crate::error::FormatError;
use crate::format::Format;
use crate::set::{Item, Set, json_text};
use crate::shards::Place;
use crate::sink::Sink;
use crate::zip_file::ZipFile;

/// Writes a zip of StyleGAN.
pub(crate) struct StyleGanSink {
    zip: ZipFile,
    /// The entries of `labels` so far.
    labels: String,
}

impl StyleGanSink {
    pub(crate) fn create(out: &Path, set: &Set) -> Result<Self, FormatError> {
        if !set.side.is_power_of_two() {
            let problem = "the format stylegan takes powers of two only, such as 64 or 128";
            return Err(SettingError::value("size", set.side, problem).into());
        }
        Ok(Self { zip: ZipFile::create(out)?, labels: String::new() })
    }
}

impl Sink for StyleGanSink {
    fn put(&mut self, set: &Set, place: Place, item: &Item) -> Result<(), FormatError> {
        let number = format!("{:08}", place.in_set);
        let name = format!("{}/img{number}.png", &number[..5]);
        match item.class {
            Some(class) => {
                let comma = if self.labels.is_empty() { "" } else { ", " };
                let _ = write!(self.labels, "{comma}[{}, {class}]", json_text(&name));
            }
            None if set.classes.is_empty() => {}
            None => return Err(FormatError::item(&item.name, "StyleGAN needs a label for it")),
        }
        self.zip.add(&name, &item.png)
    }

    fn finish(mut self: Box<Self>, set: &Set) -> Result<(), FormatError> {
        let labels = match set.classes.is_empty() {
            true => "null".to_owned(),
            false => format!("[{}]", self.labels),
        };
        self.zip.add("dataset.json", format!("{{\"labels\": {labels}}}").as_bytes())?;
        self.zip.add(CARD, card(set, &Files::new(Format::StyleGan, None)).as_bytes())?;
        self.zip.finish()
    }
}
