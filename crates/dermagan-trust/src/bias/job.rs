//! A report on bias as one call.

use std::path::Path;

use dermagan_base::SettingError;
use dermagan_base::image::Image;
use dermagan_data::{LeftOut, Reading, Record, Source};
use dermagan_eval::{
    EvalEvent, Extractor, Features, GeneratedImages, ImagenetEncoder, LesionEncoder, Sink,
};
use dermagan_model::ComputeDevice;
use rayon::prelude::*;
use serde::Serialize;

use super::amplification::{Amplification, Asked, amplification};
use super::composition::{Composition, of_classes, of_tables};
use super::recall::{GroupRecall, recalls};
use super::surround::{SurroundColour, surround_colour};
use crate::audit::real_features;
use crate::error::TrustError;
use crate::images::classes::place_of;
use crate::images::generated::in_batches;
use crate::images::groups::Question;
use crate::images::reals::{Reals, open_at};
use crate::membership::space::Space;
use crate::statistics::holm;

/// The chance that one of all shifts is called a difference where there is none.
const LEVEL: f64 = 0.05;
/// The fewest generated images of a class whose colour is compared.
const FEWEST: usize = 20;

/// The settings of a report on bias.
#[derive(Clone, Debug)]
pub struct BiasJob {
    /// The real images: a source as for [`Source::open`](dermagan_data::Source::open), or a prepared cache.
    pub real: String,
    /// How the source is read.
    pub reading: Reading,
    /// Number of images that a model makes, 100 to 100,000. Of a folder all images are looked at.
    pub number: usize,
    /// Seed of everything that is drawn.
    pub seed: u64,
}

/// Whom real and generated images show, and for whom a classifier works.
#[derive(Clone, Debug, Serialize)]
pub struct BiasReport {
    /// The real images.
    pub real: String,
    /// The generated images.
    pub fake: String,
    /// Number of generated images.
    pub images: usize,
    /// The shares of classes and of the groups of the tables.
    pub composition: Vec<Composition>,
    /// The colour around the lesion, of all images and by class.
    pub surround: Vec<SurroundColour>,
    /// What a classifier of images finds.
    pub amplification: Vec<Amplification>,
    /// The recall of the lesion encoder on held-out lesions, by group.
    pub recall: Vec<GroupRecall>,
    /// The generated images that could not be read.
    pub left_out: Vec<LeftOut>,
    /// What limits the meaning of the figures.
    pub notes: Vec<String>,
    /// The findings, a sentence each; empty if there are none.
    pub findings: Vec<String>,
}

/// What is kept of the generated images.
struct Fakes {
    class: Vec<Option<usize>>,
    angles: Vec<Option<f64>>,
    features: Vec<f32>,
    left_out: Vec<LeftOut>,
}

/// Reports whom the images show: classes, sex, age, site and confirmation, the colour around the lesion, and whether generated
/// images of a class show other people than real ones, as far as that can be measured. `path` is where the generated images
/// come from; a table there is read for their groups.
///
/// # Errors
/// [`TrustError::Setting`] if a setting is out of range or there are too few real images; the errors of reading.
pub fn bias(
    job: &BiasJob,
    fakes: &GeneratedImages,
    path: &Path,
    device: &ComputeDevice,
    sink: Sink<'_>,
) -> Result<BiasReport, TrustError> {
    if !(100..=100_000).contains(&job.number) {
        return Err(SettingError::value("number", job.number, "expected 100 to 100000").into());
    }
    let cache = open_at("real", &job.real, job.reading, fakes.side(), &mut |done, total| {
        sink(EvalEvent::Preparing { done, total });
    })?;
    let reals = Reals::new(cache)?;
    let (imagenet, lesion) = (ImagenetEncoder::shipped()?, LesionEncoder::shipped(&device.handle)?);
    let space = Space::new(&reals, real_features(&reals, &imagenet, &lesion, sink)?);
    let made = read(fakes, job.number, reals.classes(), &imagenet, sink)?;
    sink(EvalEvent::Comparing);
    let mut notes = Vec::new();
    let table = table_of(fakes, path, &mut notes);
    let composition = compositions(&reals, &made, &table);
    let surround = surrounds(&reals, &made);
    let amplification = amplifications(&space, &made, job.seed);
    let recall = recall(&reals, &lesion)?;
    let findings = findings(&composition, &surround, &amplification);
    Ok(BiasReport {
        real: format!("{} {}", reals.cache.header().name, reals.cache.header().fingerprint),
        fake: fakes.describe(),
        images: made.class.len(),
        composition,
        surround,
        amplification,
        recall,
        left_out: fakes.left_out().iter().chain(&made.left_out).cloned().collect(),
        notes: notes.into_iter().chain(notes_of(&table.0, &reals)).collect(),
        findings,
    })
}

/// Reads the generated images.
fn read(
    fakes: &GeneratedImages,
    number: usize,
    classes: &[String],
    imagenet: &ImagenetEncoder,
    sink: Sink<'_>,
) -> Result<Fakes, TrustError> {
    let wanted: Vec<usize> = (0..fakes.count().unwrap_or(number)).collect();
    let mut made =
        Fakes { class: Vec::new(), angles: Vec::new(), features: Vec::new(), left_out: Vec::new() };
    let class = |i: &usize| place_of(classes, fakes.class(*i)?);
    made.left_out = in_batches(fakes, &wanted, sink, |indices, images| {
        made.class.extend(indices.iter().map(class));
        made.angles.par_extend(images.par_iter().map(surround_colour));
        made.features.extend(imagenet.extract(images)?);
        Ok(())
    })?;
    match made.class.is_empty() {
        true => {
            Err(TrustError::Input(format!("{}: no generated image can be read", fakes.describe())))
        }
        false => Ok(made),
    }
}

/// The rows of the table of a folder or zip, with the codes of its classes; none if it has none.
fn table_of(
    fakes: &GeneratedImages,
    path: &Path,
    notes: &mut Vec<String>,
) -> (Vec<Record>, Vec<String>) {
    let GeneratedImages::Folder { .. } = fakes else { return Default::default() };
    let reading = Reading { keep_synthetic: true, keep_odd: true, ..Reading::default() };
    match Source::open_with(&path.to_string_lossy(), reading) {
        Ok(source) => (source.records, source.classes),
        Err(error) => {
            notes.push(format!("the table of the generated images was not used: {error}"));
            Default::default()
        }
    }
}

fn compositions(
    reals: &Reals,
    made: &Fakes,
    (table, classes): &(Vec<Record>, Vec<String>),
) -> Vec<Composition> {
    let codes = reals.classes();
    let of = |images: &[u32]| {
        images.iter().map(|image| Some(codes[reals.class(*image)].clone())).collect()
    };
    let fake = made.class.iter().map(|class| class.map(|class| codes[class].clone())).collect();
    let mut all = vec![of_classes([of(&reals.train), of(&reals.held), fake])];
    // People are counted by their lesions, not by their photographs.
    let records = |images: &[u32]| -> Vec<&Record> {
        let images = reals.one_per_lesion(images);
        images.iter().map(|image| &reals.cache.header().records[*image as usize]).collect()
    };
    let rows =
        table.iter().filter_map(|record| Some((place_of(codes, &classes[record.class])?, record)));
    let rows: Vec<(usize, &Record)> = rows.collect();
    all.extend(of_tables(&records(&reals.train), &records(&reals.held), &rows));
    all
}

fn surrounds(reals: &Reals, made: &Fakes) -> Vec<SurroundColour> {
    let angle = |image: &u32| surround_colour(&reals.cache.image(*image as usize));
    let of = |images: &[u32]| -> Vec<f64> { images.par_iter().filter_map(angle).collect() };
    let compared = |name: &str, class: Option<usize>| {
        let fake = made.class.iter().zip(&made.angles);
        let fake = fake.filter(|(of, _)| class.is_none_or(|class| **of == Some(class)));
        let fake: Vec<f64> = fake.filter_map(|(_, angle)| *angle).collect();
        let [train, held] =
            [&reals.train, &reals.held].map(|images| of(&reals.of_class(images, class)));
        let enough = fake.len() >= FEWEST && !train.is_empty() && !held.is_empty();
        enough.then(|| SurroundColour::new(name, &train, &held, &fake))
    };
    let classes =
        reals.classes().iter().enumerate().map(|(class, code)| compared(code, Some(class)));
    let found: Vec<SurroundColour> = classes.flatten().collect();
    // Over all classes the colour also differs if the shares of classes do.
    if found.is_empty() { compared("all", None).into_iter().collect() } else { found }
}

fn amplifications(space: &Space<'_>, made: &Fakes, seed: u64) -> Vec<Amplification> {
    let reals = space.reals;
    let dims = ImagenetEncoder::DIMS;
    let labelled: Vec<usize> = (0..made.class.len()).filter(|i| made.class[*i].is_some()).collect();
    let fake = Asked {
        features: Features { dims, values: made.features.clone() }.select(&labelled),
        class: labelled.iter().filter_map(|i| made.class[*i]).collect(),
        answer: Vec::new(),
    };
    let ask = |question: Question| {
        let asked = |images: &[u32]| {
            let known: Vec<(u32, bool)> = reals
                .one_per_lesion(images)
                .into_iter()
                .filter_map(|image| {
                    Some((image, question.of(&reals.cache.header().records[image as usize])?))
                })
                .collect();
            let images: Vec<u32> = known.iter().map(|(image, _)| *image).collect();
            Asked {
                features: Features { dims, values: space.rows(&images) },
                class: images.iter().map(|image| reals.class(*image)).collect(),
                answer: known.into_iter().map(|(_, answer)| answer).collect(),
            }
        };
        let (train, held) = (asked(&reals.train), asked(&reals.held));
        let both = |set: &Asked| set.answer.contains(&true) && set.answer.contains(&false);
        (both(&train) && both(&held))
            .then(|| amplification(question.name(), [&train, &held, &fake], reals.classes(), seed))
    };
    let mut found: Vec<Amplification> = Question::ALL.into_iter().filter_map(ask).collect();
    let p: Vec<f64> = found.iter().flat_map(|of| of.classes.iter().map(|shift| shift.p)).collect();
    let shifts = found.iter_mut().flat_map(|of| &mut of.classes);
    shifts.zip(holm(&p)).for_each(|(shift, p)| shift.differs = p < LEVEL);
    found
}

/// The recall of the lesion encoder on one photograph of each held-out lesion.
fn recall(reals: &Reals, encoder: &LesionEncoder) -> Result<Vec<GroupRecall>, TrustError> {
    let images = reals.one_per_lesion(&reals.held);
    let pixels: Vec<Image> =
        images.iter().map(|image| reals.cache.image(*image as usize)).collect();
    let known = &encoder.card().classes;
    let found = encoder.classify(&pixels)?;
    let lesions: Vec<(&Record, bool)> = images
        .iter()
        .zip(found)
        .map(|(image, class)| {
            let record = &reals.cache.header().records[*image as usize];
            (record, known[class].eq_ignore_ascii_case(&reals.classes()[record.class]))
        })
        // The encoder cannot recognise what it never learnt.
        .filter(|(record, _)| place_of(known, &reals.classes()[record.class]).is_some())
        .collect();
    Ok(recalls(reals.classes(), &lesions))
}

/// Everything that differs, a sentence each.
fn findings(
    composition: &[Composition],
    surround: &[SurroundColour],
    amplification: &[Amplification],
) -> Vec<String> {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let groups = composition.iter().flat_map(|of| of.groups.iter().map(move |group| (of, group)));
    let of_groups = groups.filter(|(_, group)| group.differs).map(|(of, group)| {
        let fake = group.fake.as_ref().map_or(0.0, |fake| fake.share());
        let with = if group.expected.is_some() { " of the same classes" } else { "" };
        format!(
            "{} {}: {} of the generated images, {} of training images{with}",
            of.attribute,
            group.group,
            percent(fake),
            percent(group.expected.unwrap_or(group.train.share()))
        )
    });
    let of_colour = surround.iter().filter(|of| of.differs).map(|of| {
        format!(
            "surround colour of {}: {:.1}° from the training images, where held-out images are {:.1}° from them",
            of.class, of.distance, of.distance_held_out
        )
    });
    let shifts =
        amplification.iter().flat_map(|of| of.classes.iter().map(move |shift| (of, shift)));
    let of_shifts = shifts.filter(|(_, shift)| shift.differs).map(|(of, shift)| {
        format!(
            "{}, {}: {} of the generated images, {} of held-out ones (difference {:+.2}, 95 % {:+.2} to {:+.2})",
            shift.class,
            of.question,
            percent(shift.fake),
            percent(shift.held_out),
            shift.difference,
            shift.low,
            shift.high
        )
    });
    of_groups.chain(of_colour).chain(of_shifts).collect()
}

/// What limits the meaning of the figures.
fn notes_of(table: &[Record], reals: &Reals) -> Vec<String> {
    let mut notes = Vec::new();
    if table.is_empty() {
        notes.push(
            "no table says whom the generated images show; only their classes and what a classifier sees are compared"
                .to_owned(),
        );
    }
    notes.push(
        "the surround colour is that of the image's border, which light and camera move; it is not skin tone, and says nothing \
         about dark skin: of 10,010 images of HAM10000, 34 are published with an angle of 28° or less"
            .to_owned(),
    );
    notes.push(
        "a classifier of photographs may see a group in a generated image for another reason than the person: read what it sees \
         beside the AUC by which `eval` tells generated images apart"
            .to_owned(),
    );
    let images: Vec<u32> = reals.train.iter().chain(&reals.held).copied().collect();
    let sexes = images
        .iter()
        .filter_map(|i| Question::Female.of(&reals.cache.header().records[*i as usize]));
    if sexes.count() == 0 {
        notes.push("the real images have no table of sex, age or site".to_owned());
    }
    notes
}
