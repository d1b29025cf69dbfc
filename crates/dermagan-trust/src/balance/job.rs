//! A balanced set as one call.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dermagan_base::{SettingError, hex, producer};
use dermagan_data::{Reading, Record};
use dermagan_eval::{EvalEvent, ImagenetEncoder, LesionEncoder};
use dermagan_generate::ImageGenerator;
use dermagan_model::ComputeDevice;
use dermagan_shards::{Job, Joined, Shard, ShardDone, ShardRequest, pack, unpack};
use dermagan_train::{file_names, prepared_png};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::candidates::{Filled, Places, fill};
use super::croissant::croissant;
use super::filter::{Filter, Judges, Tally};
use super::passport::{Audit, Class, Contents, Passport};
use super::set::SetFolder;
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
    /// The candidates.
    pub candidates: Tally,
    /// What a user should know: a limit, a refusal.
    pub note: Option<String>,
}

/// What a call wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Balanced {
    /// The classes.
    pub classes: Vec<ClassBalance>,
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
        /// Places to fill.
        total: usize,
    },
}

/// The plan of one class.
struct Plan {
    class: usize,
    wanted: usize,
    note: Option<String>,
}

/// The photographs and what each class gets.
struct Opened {
    reals: Reals,
    plans: Vec<Plan>,
}

impl Opened {
    fn new(
        job: &BalanceJob,
        generator: &ImageGenerator,
        audit: &AuditVerdicts,
        sink: &mut dyn FnMut(BalanceEvent),
    ) -> Result<Self, TrustError> {
        check(job, generator, audit)?;
        let size = generator.model().config.resolution;
        let cache = open_at("data", &job.data, job.reading, size, &mut |done, total| {
            sink(BalanceEvent::Real(EvalEvent::Preparing { done, total }));
        })?;
        let reals = Reals::new(cache)?;
        check_audit(job, &reals, audit)?;
        let plans = plans(job, &reals, generator, audit)?;
        Ok(Self { reals, plans })
    }

    /// The words for everything that the images of a set depend on, apart from the machine.
    fn settings(&self, job: &BalanceJob, generator: &ImageGenerator) -> String {
        let header = self.reals.cache.header();
        format!(
            "{} {} {:?} {} {} {:?}",
            generator.model().hash,
            header.fingerprint,
            header.options,
            job.to,
            job.seed,
            self.plans.iter().map(|plan| (plan.class, plan.wanted)).collect::<Vec<_>>()
        )
    }

    /// The number of generated images that all classes shall get.
    fn wanted(&self) -> usize {
        self.plans.iter().map(|plan| plan.wanted).sum()
    }

    /// The class and the name of each generated image. The position in the list is the number of the item.
    fn names(&self) -> Vec<(&str, String)> {
        let prefix = prefix_of(&file_names(&self.reals.cache.header().records));
        let of_plan = |plan: &Plan| {
            let (code, prefix) = (self.reals.classes()[plan.class].as_str(), prefix.clone());
            (0..plan.wanted).map(move |place| (code, format!("{prefix}-{code}-{place:06}")))
        };
        self.plans.iter().flat_map(of_plan).collect()
    }
}

/// Writes the training images of `data` and as many generated ones as each class lacks. Candidates that are copies of training
/// images, or that do not look like their class, are rejected. A class whose audit failed gets none. The folder holds images
/// of the training side only. With `joined` the generated images are those of shards ([`balance_shard`]), and the set is the
/// same, byte for byte.
///
/// # Errors
/// [`TrustError::Setting`] if a setting cannot be used, the model is not conditioned on classes, or `out` holds other files;
/// the errors of reading and of the generator; [`TrustError::Shard`] if the shards are of another set.
pub fn balance(
    job: &BalanceJob,
    generator: &ImageGenerator,
    audit: &AuditVerdicts,
    device: &ComputeDevice,
    joined: Option<&Joined>,
    sink: &mut dyn FnMut(BalanceEvent),
) -> Result<Balanced, TrustError> {
    let opened = Opened::new(job, generator, audit, sink)?;
    let settings = opened.settings(job, generator);
    let here = device.computed_on();
    let computed_on = joined.map_or(here.as_str(), Joined::computed_on);
    if let Some(joined) = joined {
        joined.check(&Job::new("balance", &settings, computed_on))?;
    }
    let folder = SetFolder {
        out: &job.out,
        set: digest(&format!("{} {computed_on} {settings}", producer())),
    };
    folder.begin()?;
    let tallies = match folder.finished() {
        Some(tallies) => tallies,
        None => {
            let names = opened.names();
            // The candidates of each place; one of them is kept, or the place stays empty.
            let mut decided = vec![Tally::default(); names.len()];
            let mut keep = |item: usize, filled: Filled| {
                if let Some(png) = &filled.png {
                    folder.image(&names[item].1, png)?;
                }
                decided[item] = filled.tally;
                Ok(())
            };
            match joined {
                Some(joined) => (0..names.len())
                    .try_for_each(|item| keep(item, of_shard(joined, item as u64)?))?,
                None => fill_places(job, &opened, None, generator, device, sink, &mut keep)?,
            }
            write(&opened, generator, &folder, names.into_iter().zip(decided), |tallies| {
                contents(job, &opened, generator, audit, tallies)
            })?
        }
    };
    let class = |plan: &Plan| {
        let code = &opened.reals.classes()[plan.class];
        ClassBalance {
            class: code.clone(),
            real: opened.reals.of_class(&opened.reals.train, Some(plan.class)).len(),
            wanted: plan.wanted,
            candidates: tallies.get(code).copied().unwrap_or_default(),
            note: plan.note.clone(),
        }
    };
    Ok(Balanced { classes: opened.plans.iter().map(class).collect() })
}

/// Makes the generated images of one shard of a set, and keeps them in a folder of shards. Each image to make is an item.
///
/// # Errors
/// As [`balance`], and if the folder holds shards of another set.
pub fn balance_shard(
    job: &BalanceJob,
    generator: &ImageGenerator,
    audit: &AuditVerdicts,
    device: &ComputeDevice,
    request: &ShardRequest,
    sink: &mut dyn FnMut(BalanceEvent),
) -> Result<ShardDone, TrustError> {
    let opened = Opened::new(job, generator, audit, sink)?;
    let of_set = Job::new("balance", &opened.settings(job, generator), &device.computed_on());
    let has = |item: &usize| request.shard.has(*item as u64);
    let items = (0..opened.wanted()).filter(has).count() as u64;
    let Some(mut writer) = request.begin(&of_set)? else {
        return Ok(ShardDone { items, was_there: true });
    };
    let shard = Some(request.shard);
    fill_places(job, &opened, shard, generator, device, sink, &mut |item, filled| {
        let item_bytes = pack(&filled.tally, &filled.png.unwrap_or_default())?;
        Ok(writer.put(item as u64, &item_bytes)?)
    })?;
    writer.finish()?;
    Ok(ShardDone { items, was_there: false })
}

/// A place, as a shard has it.
fn of_shard(joined: &Joined, item: u64) -> Result<Filled, TrustError> {
    let bytes = joined.require(item)?;
    let (tally, png): (Tally, _) = unpack(&bytes).ok_or_else(|| joined.damaged(item))?;
    Ok(Filled { tally, png: (!png.is_empty()).then(|| png.to_vec()) })
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

/// Fills the places of a shard, or all. Passes each to `give` with its number when it is decided.
fn fill_places(
    job: &BalanceJob,
    opened: &Opened,
    shard: Option<Shard>,
    generator: &ImageGenerator,
    device: &ComputeDevice,
    sink: &mut dyn FnMut(BalanceEvent),
    give: &mut dyn FnMut(usize, Filled) -> Result<(), TrustError>,
) -> Result<(), TrustError> {
    let Opened { reals, plans } = opened;
    let of_shard = |item: usize| shard.is_none_or(|shard| shard.has(item as u64));
    let total = (0..opened.wanted()).filter(|item| of_shard(*item)).count();
    if total == 0 {
        return Ok(());
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
    let (mut first, mut done) = (0, 0);
    for plan in plans {
        let places: Vec<usize> = (0..plan.wanted).filter(|place| of_shard(first + place)).collect();
        if !places.is_empty() {
            let filter = Filter::new(plan.class, reals, &space, &judges)?;
            let of = Places { class: plan.class, places: &places, seed: job.seed };
            let mut progress =
                |filled: usize| sink(BalanceEvent::Made { done: done + filled, total });
            let mut give = |place: usize, filled| give(first + place, filled);
            fill(&of, generator, &filter, &mut give, &mut progress)?;
            done += places.len();
        }
        first += plan.wanted;
    }
    Ok(())
}

/// Completes the set, whose generated images are written: the training images, the table, the metadata and the passport.
/// Returns the candidates of each class.
fn write<'a>(
    opened: &Opened,
    generator: &ImageGenerator,
    folder: &SetFolder<'_>,
    decided: impl Iterator<Item = ((&'a str, String), Tally)>,
    contents: impl FnOnce(&BTreeMap<String, Tally>) -> Contents<'a>,
) -> Result<BTreeMap<String, Tally>, TrustError> {
    let reals = &opened.reals;
    let header = reals.cache.header();
    let names = file_names(&header.records);
    let mut rows = Vec::new();
    for image in reals.train.iter().map(|image| *image as usize) {
        folder.image(&names[image], &prepared_png(&reals.cache, image, &names[image])?)?;
        rows.push(row(&header.classes, &header.records[image], &names[image]));
    }
    let code = |plan: &Plan| reals.classes()[plan.class].clone();
    let mut tallies: BTreeMap<String, Tally> =
        opened.plans.iter().map(|plan| (code(plan), Tally::default())).collect();
    for ((code, name), tally) in decided {
        tallies.entry(code.to_owned()).or_default().add(&tally);
        if tally.kept > 0 {
            rows.push(table::synthetic(generator.lesion_id(&name), name, code.to_owned()));
        }
    }
    let table = folder.table(&rows)?;
    folder.croissant(&croissant(reals, &generator.model().hash, &table))?;
    folder.passport(&Passport::new(folder.set.clone(), contents(&tallies)))?;
    Ok(tallies)
}

/// What the names of generated images begin with: no photograph's name begins so.
fn prefix_of(names: &[String]) -> String {
    let mut prefix = "synthetic".to_owned();
    while names.iter().any(|name| name.to_lowercase().starts_with(&prefix)) {
        prefix.push('x');
    }
    prefix
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
    opened: &'a Opened,
    generator: &'a ImageGenerator,
    audit: &AuditVerdicts,
    tallies: &BTreeMap<String, Tally>,
) -> Contents<'a> {
    let reals = &opened.reals;
    let class = |plan: &Plan| {
        let code = reals.classes()[plan.class].clone();
        let candidates = tallies.get(&code).copied().unwrap_or_default();
        let audit = audit.of(&code).word().to_owned();
        let real = reals.of_class(&reals.train, Some(plan.class)).len();
        (code, Class { real, generated: candidates.kept, candidates, audit })
    };
    Contents {
        reals,
        generator,
        seed: job.seed,
        target: job.to.to_string(),
        classes: opened.plans.iter().map(class).collect(),
        audit: Audit { data: audit.real.clone(), words: audit.words.clone() },
    }
}
