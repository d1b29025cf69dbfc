//! Generated images as a set in a format of other programs.

use std::path::PathBuf;

use dermagan_base::{citation_of, plain_markdown, producer};
use dermagan_formats::{Format, IMAGES_PER_FILE, Item, Kind, Part, Set, SetWriter, Value, columns};
use dermagan_model::Card;
use dermagan_shards::Joined;

use super::passport;
use crate::error::GenerateError;
use crate::generator::ImageGenerator;
use crate::sampler::Shot;
use crate::selection::Selection;
use crate::set::earlier::SYNTHETIC;
use crate::set::files::{FilesRequest, Written};

/// The columns of the provenance, which follow those of HAM10000.
const PROVENANCE: [(&str, Kind); 8] = [
    ("synthetic", Kind::Flag),
    ("seed", Kind::Integer),
    ("truncation", Kind::Number),
    ("orientation", Kind::Text),
    ("model", Kind::Text),
    ("training_data", Kind::Text),
    ("training_data_licence", Kind::Text),
    ("producer", Kind::Text),
];

/// A set of images to write.
#[derive(Clone, Debug, PartialEq)]
pub struct SetRequest {
    /// The images.
    pub images: Selection,
    /// The file or folder. [`Format::Zip`] and [`Format::StyleGan`] are a `.zip`; [`Format::WebDataset`] and
    /// [`Format::Parquet`] are a folder, or one file if the name ends with `.tar` or `.parquet`.
    pub out: PathBuf,
    /// The format.
    pub format: Format,
    /// Largest number of images in each file of a folder in WebDataset or Parquet, 1 to 10,000,000.
    pub images_per_file: u64,
}

impl SetRequest {
    /// A set with the usual number of images in a file.
    pub fn new(images: Selection, out: impl Into<PathBuf>, format: Format) -> Self {
        Self { images, out: out.into(), format, images_per_file: IMAGES_PER_FILE }
    }
}

impl ImageGenerator {
    /// Writes a set of images. The PNG of an image has the same bytes in every format, those of
    /// [`ImageGenerator::write_files`], which writes [`Format::Folder`]. The metadata says that the image is synthetic, and
    /// names model, seed, class and the licence of the training data. The passport of the set is beside it, in
    /// `OUT.passport.json`. Memory is that of a batch of images and of a batch of
    /// rows. `progress` receives the number of images done.
    ///
    /// # Errors
    /// When a setting is out of range, `out` does not fit the format or holds files of others or of another set, or a file
    /// cannot be written. Nothing is written before `out` was looked at.
    pub fn write_set(
        &self,
        request: &SetRequest,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Written, GenerateError> {
        self.write_set_of(request, None, progress)
    }

    /// As [`ImageGenerator::write_set`], with the images of shards ([`ImageGenerator::write_shard`]) of the same selection. The
    /// set is the same, byte for byte.
    ///
    /// # Errors
    /// As [`ImageGenerator::write_set`], and if the shards are of another job.
    pub fn write_joined(
        &self,
        request: &SetRequest,
        joined: &Joined,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Written, GenerateError> {
        joined.check(&self.job(&self.resolved(&request.images)?.0))?;
        self.write_set_of(request, Some(joined), progress)
    }

    fn write_set_of(
        &self,
        request: &SetRequest,
        joined: Option<&Joined>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Written, GenerateError> {
        let SetRequest { images, out, format, images_per_file } = request;
        if *format == Format::Folder {
            let request = FilesRequest { images: images.clone(), out: out.clone() };
            return self.write_files_of(&request, joined, progress);
        }
        let (selection, indices) = self.resolved(images)?;
        let count = selection.count(selection.classes.len());
        let set = self.set_of(&selection, count);
        let passport = passport::beside(out);
        passport::check(&passport)?;
        let labels = set.classes.clone();
        let mut writer = SetWriter::create(*format, out, set, *images_per_file)?;
        let mut done = 0;
        let shots = selection.shots(&indices).zip(0..);
        self.each_png(shots, &selection, joined, |shot, png| {
            let name = self.name_of(shot, &selection);
            let class = self.class_of(shot);
            let class = class.and_then(|code| labels.iter().position(|label| label == code));
            let values = self.values_of(shot, &name, selection.truncation);
            writer.put(&Item { name, png, class, values })?;
            done += 1;
            progress(done);
            Ok(())
        })?;
        writer.finish()?;
        self.passport(&selection, &indices).write(&passport)?;
        Ok(Written { images: count, kept: 0 })
    }

    /// What the images of a selection have in common.
    fn set_of(&self, selection: &Selection, count: u64) -> Set {
        let model = self.model();
        let card = model.card.as_ref();
        let known = |text: Option<&String>| text.map_or(Card::UNKNOWN, String::as_str).to_owned();
        let data = known(card.map(|card| &card.data));
        // A generator that is not conditioned on classes does not know the class of its images.
        let labelled = self.class_of(Shot::from(0)).is_some();
        let classes = card.filter(|_| labelled).map(|card| card.classes.clone());
        let of_classes = match selection.classes.is_empty() {
            true => String::new(),
            false => format!(
                ", each once per class of {}",
                plain_markdown(&selection.classes.join(", "))
            ),
        };
        Set {
            title: match data.as_str() {
                Card::UNKNOWN => "Synthetic images of a generator of another program".to_owned(),
                data => format!("Synthetic images of skin lesions, learnt from {data}"),
            },
            licence: known(card.map(|card| &card.licence)),
            synthetic: true,
            about: vec![
                "**SYNTHETIC images made by a generative model.** They show no person's skin, are not photographs and are \
                 not for diagnosis. The licence of the training data binds them."
                    .to_owned()
                    + &citation_of(&data).map_or_else(String::new, |words| format!(" {words}")),
                format!(
                    "Generator: SHA-256 {}, trained on {}. Seeds {}{of_classes}, truncation {}. Written by {}.",
                    model.hash,
                    plain_markdown(&data),
                    selection.ranges().join(", "),
                    selection.truncation,
                    producer()
                ),
            ],
            classes: classes.unwrap_or_default(),
            parts: vec![Part { name: "train".to_owned(), images: count }],
            side: model.config.resolution,
            columns: columns(&PROVENANCE),
        }
    }

    /// The metadata of an image, in the order of [`Set::columns`].
    fn values_of(&self, shot: Shot, name: &str, truncation: f64) -> Vec<Value> {
        let model = self.model();
        let card = model.card.as_ref();
        let text = |text: &str| Value::Text(text.to_owned());
        vec![
            text(&self.lesion_id(name)),
            text(name),
            Value::text(self.class_of(shot)),
            text(SYNTHETIC),
            Value::Missing,
            Value::Missing,
            Value::Missing,
            Value::Flag(true),
            Value::Integer(shot.seed),
            Value::Number(truncation),
            text(&self.sampler().orientation_of(shot.seed).to_string()),
            text(&model.hash),
            Value::text(card.map(|card| card.data.as_str())),
            Value::text(card.map(|card| card.licence.as_str())),
            Value::Text(producer()),
        ]
    }
}
