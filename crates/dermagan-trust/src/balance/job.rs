//! A balanced set as one call.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dermagan_base::image::Image;
use dermagan_base::{SettingError, hex, producer, stop_requested};
use dermagan_data::{Reading, Record};
use dermagan_eval::{EvalEvent, ImagenetEncoder, LesionEncoder};
use dermagan_generate::{ImageGenerator, Shot};
use dermagan_model::{ComputeDevice, ModelError};
use dermagan_train::{file_names, prepared_png};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::croissant::croissant;
use super::filter::{Filter, Judges, Tally};
use super::passport::{Audit, Class, Contents, Passport};
use super::set::{SetFolder, ShardRecord};
use super::slots::{ATTEMPTS, Shard, seed};
use super::target::Target;
use crate::audit::{AuditReport, Verdict, closest_of, real_features};
use crate::copies::search::CopySearch;
use crate::copies::thresholds::Thresholds;
use crate::error::TrustError;
use crate::images::classes::{index_of, place_of};
use crate::images::reals::{Reals, open_at};
use crate::membership::space::Space;
use crate::retrain::check_conditioned;
use crate::table::{self, Row};

/// Candidates that are made at a time.
const BATCH: usize = 64;

/// The settings of a balanced set.
#[derive(Clone, Debug)]
pub struct BalanceJob {
    /// The real images: a source as for [`Source::open`](dermagan_data::Source::open), or a prepared cache.
    pub data: String,
    /// How the source is read.
    pub reading: Reading,
    /// How many images each class shall have.
    pub to: Target,
    /// Codes of the classes to fill; empty for all.
    pub only: Vec<String>,
    /// Whether a class may get more than twice its real images.
    pub force: bool,
    /// Whether images are made although the audit is void.
    pub unaudited: bool,
    /// The folder.
    pub out: PathBuf,
    /// The share of the images that this call makes.
    pub shard: Shard,
    /// The seed from which the seed of every image is drawn.
    pub seed: u64,
}

impl BalanceJob {
    /// Checks what can be checked without an audit, which takes time.
    ///
    /// # Errors
    /// When the generator is not conditioned on classes, or `out` is a file.
    pub fn check(&self, generator: &ImageGenerator) -> Result<(), SettingError> {
        check_conditioned(generator)?;
        match self.out.is_file() {
            true => {
                Err(SettingError::value("out", self.out.display(), "this is a file; name a folder"))
            }
            false => Ok(()),
        }
    }
}

/// The verdicts of an audit of the generator, as [`AuditReport`] or its JSON has them.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditVerdicts {
    /// The photographs that it was audited against; names them by their fingerprint.
    pub real: String,
    /// The images that were audited; names the generator by its SHA-256.
    pub fake: String,
    /// Whether the controls of the audit hold.
    pub valid: bool,
    /// The verdict on all images.
    pub all: Verdict,
    /// The verdict by class.
    pub classes: BTreeMap<String, Verdict>,
    /// The verdict in words.
    pub words: String,
}

impl AuditVerdicts {
    /// Reads the JSON of a report.
    ///
    /// # Errors
    /// If it is no report of an audit.
    pub fn of_json(text: &str) -> Result<Self, SettingError> {
        let bad = || SettingError::new("audit", "this is no report of `dermagan audit --json`");
        let report: serde_json::Value = serde_json::from_str(text).map_err(|_| bad())?;
        let verdict = |of: &serde_json::Value| match of["verdict"].as_str() {
            Some("pass") => Ok(Verdict::Pass),
            Some("no_verdict") => Ok(Verdict::NoVerdict),
            Some("fail") => Ok(Verdict::Fail),
            _ => Err(bad()),
        };
        let classes = report["classes"].as_array().ok_or_else(bad)?;
        let class = |of: &serde_json::Value| {
            Ok((of["class"].as_str().ok_or_else(bad)?.to_lowercase(), verdict(of)?))
        };
        let text = |key: &str| Ok(report[key].as_str().ok_or_else(bad)?.to_owned());
        let held = |key: &str| report["controls"][key].as_bool().ok_or_else(bad);
        Ok(Self {
            real: text("real")?,
            fake: text("fake")?,
            valid: held("held_out_passes")? && held("planted_fails")?,
            all: verdict(&report["all"])?,
            classes: classes.iter().map(class).collect::<Result<_, SettingError>>()?,
            words: text("words")?,
        })
    }

    /// The verdict on a class; that on all images if the audit did not see the class.
    fn of(&self, code: &str) -> Verdict {
        self.classes.get(&code.to_lowercase()).copied().unwrap_or(self.all)
    }
}

impl From<&AuditReport> for AuditVerdicts {
    fn from(report: &AuditReport) -> Self {
        let class = |class: &crate::ClassAudit| (class.class.to_lowercase(), class.verdict);
        Self {
            real: report.real.clone(),
            fake: report.fake.clone(),
            valid: report.controls.hold(),
            all: report.all.verdict,
            classes: report.classes.iter().map(class).collect(),
            words: report.words.clone(),
        }
    }
}

/// One class of a balanced set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassBalance {
    /// The code.
    pub class: String,
    /// Number of real training images.
    pub real: usize,
    /// Number of generated images that the class shall get.
    pub wanted: usize,
    /// The candidates of this call's share.
    pub candidates: Tally,
    /// What a user should know: a limit, a refusal.
    pub note: Option<String>,
}

/// What a call wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Balanced {
    /// The classes.
    pub classes: Vec<ClassBalance>,
    /// Whether the set is complete: the table and the passport are written.
    pub complete: bool,
}

/// The progress of a balanced set.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum BalanceEvent {
    /// The real images are being looked at.
    Real(EvalEvent),
    /// Images are being made.
    Made {
        /// Places filled, or left empty.
        done: usize,
        /// Places of this share.
        total: usize,
    },
}

/// The plan of one class.
struct Plan {
    class: usize,
    wanted: usize,
    note: Option<String>,
}

/// Writes the training images of `data` and as many generated ones as each class lacks. Candidates that are copies of training
/// images, or that do not look like their class, are rejected. A class whose audit failed gets none. The folder holds images
/// of the training side only.
///
/// # Errors
/// [`TrustError::Setting`] if a setting cannot be used, the model is not conditioned on classes, or `out` holds other files;
/// the errors of reading and of the generator.
pub fn balance(
    job: &BalanceJob,
    generator: &ImageGenerator,
    audit: &AuditVerdicts,
    device: &ComputeDevice,
    sink: &mut dyn FnMut(BalanceEvent),
) -> Result<Balanced, TrustError> {
    check(job, generator, audit)?;
    let size = generator.model().config.resolution;
    let cache = open_at("data", &job.data, job.reading, size, &mut |done, total| {
        sink(BalanceEvent::Real(EvalEvent::Preparing { done, total }));
    })?;
    let reals = Reals::new(cache)?;
    check_audit(job, &reals, audit)?;
    let plans = plans(job, &reals, generator, audit)?;
    let header = reals.cache.header();
    let folder = SetFolder {
        out: &job.out,
        set: digest(&format!(
            "{} {} {} {} {:?} {} {} {:?}",
            producer(),
            dermagan_model::cpu::level(),
            generator.model().hash,
            header.fingerprint,
            header.options,
            job.to,
            job.seed,
            plans.iter().map(|plan| (plan.class, plan.wanted)).collect::<Vec<_>>()
        )),
    };
    folder.begin()?;
    let (tallies, complete) = match folder.finished() {
        Some(tallies) => (tallies, true),
        None => {
            let record = match folder.earlier(job.shard) {
                Some(record) => record,
                None => make(job, &reals, &plans, generator, device, &folder, sink)?,
            };
            let all = folder.complete(job.shard, &record)?;
            if let Some(all) = &all {
                let table = folder.table(all)?;
                folder.croissant(&croissant(&reals, &generator.model().hash, &table))?;
                let contents = contents(job, &reals, &plans, generator, audit, all);
                folder.passport(&Passport::new(folder.set.clone(), contents))?;
            }
            // The call for another shard may have completed the set at this moment.
            let complete = all.is_some() || folder.finished().is_some();
            (record.tallies, complete)
        }
    };
    let class = |plan: &Plan| {
        let code = &reals.classes()[plan.class];
        ClassBalance {
            class: code.clone(),
            real: reals.of_class(&reals.train, Some(plan.class)).len(),
            wanted: plan.wanted,
            candidates: tallies.get(code).copied().unwrap_or_default(),
            note: plan.note.clone(),
        }
    };
    Ok(Balanced { classes: plans.iter().map(class).collect(), complete })
}

/// A name for everything that a set depends on.
fn digest(text: &str) -> String {
    hex(&Sha256::digest(text)[..16])
}

fn check(
    job: &BalanceJob,
    generator: &ImageGenerator,
    audit: &AuditVerdicts,
) -> Result<(), TrustError> {
    job.check(generator)?;
    if !audit.fake.contains(&generator.model().hash) {
        let problem =
            "this report is of other images; make one with `dermagan audit --fake MODEL --json`";
        return Err(SettingError::new("audit", problem).into());
    }
    Ok(())
}

/// Refuses an audit that says nothing of these images.
fn check_audit(job: &BalanceJob, reals: &Reals, audit: &AuditVerdicts) -> Result<(), SettingError> {
    if !audit.real.contains(&reals.cache.header().fingerprint) {
        let problem = "this report is of an audit against other photographs than `data`";
        return Err(SettingError::new("audit", problem));
    }
    match audit.valid || job.unaudited {
        true => Ok(()),
        false => Err(SettingError::new(
            "unaudited",
            format!("is needed, because the audit cannot tell copies: {}", audit.words),
        )),
    }
}

/// What each class gets.
fn plans(
    job: &BalanceJob,
    reals: &Reals,
    generator: &ImageGenerator,
    audit: &AuditVerdicts,
) -> Result<Vec<Plan>, TrustError> {
    let classes = reals.classes();
    let count = |class: usize| reals.of_class(&reals.train, Some(class)).len();
    let present: Vec<&str> = (0..classes.len())
        .filter(|class| count(*class) > 0)
        .map(|class| classes[class].as_str())
        .collect();
    if let Some(unknown) =
        job.only.iter().find(|code| !present.iter().any(|known| known.eq_ignore_ascii_case(code)))
    {
        let problem = format!("no class of the training side; it has {}", present.join(", "));
        return Err(SettingError::value("only", unknown, problem).into());
    }
    let largest = (0..classes.len()).map(count).max().unwrap_or(0);
    let plan = |class: usize| {
        let code = &classes[class];
        let asked = job.only.is_empty() || place_of(&job.only, code).is_some();
        let (wanted, limited) = job.to.missing(count(class), largest, job.force);
        let failed = audit.of(code) == Verdict::Fail;
        let (wanted, note) = match () {
            () if !asked || wanted == 0 => (0, None),
            () if failed => (0, Some("its audit failed, so no image of it is made".to_owned())),
            () if index_of(generator, code).is_none() => {
                (0, Some("the model does not know it".to_owned()))
            }
            () if limited => (wanted, Some("limited to twice its real images".to_owned())),
            () => (wanted, None),
        };
        Plan { class, wanted, note }
    };
    Ok((0..classes.len()).filter(|class| count(*class) > 0).map(plan).collect())
}

/// Makes this share of the set.
fn make(
    job: &BalanceJob,
    reals: &Reals,
    plans: &[Plan],
    generator: &ImageGenerator,
    device: &ComputeDevice,
    folder: &SetFolder<'_>,
    sink: &mut dyn FnMut(BalanceEvent),
) -> Result<ShardRecord, TrustError> {
    let mut record = ShardRecord { set: folder.set.clone(), ..ShardRecord::default() };
    let header = reals.cache.header();
    let names = file_names(&header.records);
    let prefix = prefix_of(&names);
    for (place, image) in reals.train.iter().enumerate().filter(|(place, _)| job.shard.has(*place))
    {
        let (image, of) = (*image as usize, &header.records[*image as usize]);
        folder.image(&names[image], &prepared_png(&reals.cache, image, &names[image])?)?;
        record.rows.push((place, row(&header.classes, of, &names[image])));
    }
    let mut first = reals.train.len();
    let total = plans.iter().map(|plan| places(job, plan).count()).sum();
    if total == 0 {
        return Ok(record);
    }
    let (imagenet, lesion) = (ImagenetEncoder::shipped()?, LesionEncoder::shipped(&device.handle)?);
    let search = CopySearch::new(&reals.cache, &reals.train, &reals.lesion);
    let features =
        real_features(reals, &imagenet, &lesion, &mut |event| sink(BalanceEvent::Real(event)))?;
    let space = Space::new(reals, features);
    let held = closest_of(reals, &search);
    let thresholds = Thresholds::of_held_out(reals, &held);
    let judges =
        Judges { search: &search, thresholds: &thresholds, imagenet: &imagenet, lesion: &lesion };
    let mut done = 0;
    for plan in plans {
        let code = &reals.classes()[plan.class];
        let mut tally = Tally::default();
        if places(job, plan).next().is_some() {
            let filter = Filter::new(plan.class, reals, &space, &judges)?;
            let mut give = |place: usize, shot: Shot, image: &Image| {
                let name = format!("{prefix}-{code}-{place:06}");
                let path = job.out.join("images").join(format!("{name}.png"));
                let png = generator.png(shot, 1.0, image, &path)?;
                folder.image(&name, &png)?;
                let lesion = generator.lesion_id(&name);
                let row = table::synthetic(lesion, name, code.clone());
                record.rows.push((first + place, row));
                Ok(())
            };
            let places: Vec<usize> = places(job, plan).collect();
            let mut progress =
                |filled: usize| sink(BalanceEvent::Made { done: done + filled, total });
            tally = fill(job, plan.class, &places, generator, &filter, &mut give, &mut progress)?;
            done += places.len();
        }
        record.tallies.insert(code.clone(), tally);
        first += plan.wanted;
    }
    Ok(record)
}

/// What the names of generated images begin with: no photograph's name begins so.
fn prefix_of(names: &[String]) -> String {
    let mut prefix = "synthetic".to_owned();
    while names.iter().any(|name| name.to_lowercase().starts_with(&prefix)) {
        prefix.push('x');
    }
    prefix
}

/// The places of a class in this share.
fn places(job: &BalanceJob, plan: &Plan) -> impl Iterator<Item = usize> + use<> {
    let shard = job.shard;
    (0..plan.wanted).filter(move |place| shard.has(*place))
}

/// Makes candidates for each place until one is kept.
fn fill(
    job: &BalanceJob,
    class: usize,
    places: &[usize],
    generator: &ImageGenerator,
    filter: &Filter<'_>,
    give: &mut dyn FnMut(usize, Shot, &Image) -> Result<(), TrustError>,
    progress: &mut dyn FnMut(usize),
) -> Result<Tally, TrustError> {
    let index = index_of(generator, filter.code());
    let mut tally = Tally::default();
    let mut open: Vec<usize> = places.to_vec();
    for attempt in 0..ATTEMPTS {
        let mut still = Vec::new();
        for some in open.chunks(BATCH) {
            if stop_requested() {
                return Err(dermagan_eval::EvalError::Stopped.into());
            }
            let shots: Vec<Shot> = some
                .iter()
                .map(|place| Shot { seed: seed(job.seed, class, *place, attempt), class: index })
                .collect();
            let mut images = Vec::with_capacity(shots.len());
            generator.sampler().each(shots.iter().copied(), 1.0, BATCH, |_, image| {
                images.push(image);
                Ok::<(), ModelError>(())
            })?;
            let judged = filter.judge(&images)?;
            for (((place, shot), image), rejection) in
                some.iter().zip(&shots).zip(&images).zip(judged)
            {
                tally.count(rejection);
                match rejection {
                    None => give(*place, *shot, image)?,
                    Some(_) => still.push(*place),
                }
            }
            progress(places.len() - open.len() + some.len());
        }
        open = still;
        if open.is_empty() {
            break;
        }
    }
    tally.empty = open.len();
    Ok(tally)
}

/// The row of a real image.
fn row(classes: &[String], record: &Record, name: &str) -> Row {
    [
        record.lesion_id.clone().unwrap_or_default(),
        name.to_owned(),
        classes[record.class].clone(),
        record.dx_type.to_string(),
        record.age.map_or_else(String::new, |age| format!("{age:.1}")),
        record.sex.to_string(),
        record.localization.clone(),
    ]
}

/// What the passport is made of.
fn contents<'a>(
    job: &BalanceJob,
    reals: &'a Reals,
    plans: &[Plan],
    generator: &'a ImageGenerator,
    audit: &AuditVerdicts,
    records: &[ShardRecord],
) -> Contents<'a> {
    let class = |plan: &Plan| {
        let code = reals.classes()[plan.class].clone();
        let mut candidates = Tally::default();
        records
            .iter()
            .filter_map(|record| record.tallies.get(&code))
            .for_each(|tally| candidates.add(tally));
        let verdict = audit.of(&code);
        let real = reals.of_class(&reals.train, Some(plan.class)).len();
        (
            code,
            Class {
                real,
                generated: candidates.kept,
                candidates,
                audit: verdict.word().to_owned(),
            },
        )
    };
    Contents {
        reals,
        generator,
        seed: job.seed,
        target: job.to.to_string(),
        classes: plans.iter().map(class).collect(),
        audit: Audit { data: audit.real.clone(), words: audit.words.clone() },
    }
}
