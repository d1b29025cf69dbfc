//! The passport of a balanced set: what is in it, where it comes from, and what it must not be used for.

use dermagan_base::producer;
use dermagan_data::split;
use dermagan_generate::{
    GeneratorFacts, ImageGenerator, KNOWN_GAPS, PASSPORT_VERSION, USES_TO_AVOID,
};
use serde::Serialize;
use std::collections::BTreeMap;

use super::filter::Tally;
use crate::images::groups::Attribute;
use crate::images::reals::Reals;

/// The passport. It has no time of writing, so that equal sets have equal passports.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Passport {
    schema_version: u32,
    /// Names everything that the set depends on.
    set: String,
    /// Whether generated images are in the set.
    synthetic: bool,
    not_for_diagnosis: bool,
    tool: String,
    generator: GeneratorFacts,
    training_data: TrainingData,
    /// The seed, from which every image's seed is drawn.
    seed: u64,
    truncation: f64,
    /// How many images each class shall have.
    target: String,
    resolution: usize,
    classes: BTreeMap<String, Class>,
    audit: Audit,
    composition_of_the_source: BTreeMap<&'static str, BTreeMap<String, usize>>,
    known_gaps: [&'static str; 2],
    licence: String,
    uses_to_avoid: [&'static str; 4],
}

#[derive(Clone, Debug, Serialize)]
struct TrainingData {
    name: String,
    fingerprint: String,
    licence: String,
    split: String,
    images: usize,
    left_out: usize,
}

/// One class of the set.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Class {
    pub real: usize,
    pub generated: usize,
    pub candidates: Tally,
    pub audit: String,
}

/// The audit of the generator.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Audit {
    /// The photographs that it was audited against.
    pub data: String,
    pub words: String,
}

/// What a passport is made of.
pub(crate) struct Contents<'a> {
    pub reals: &'a Reals,
    pub generator: &'a ImageGenerator,
    pub seed: u64,
    pub target: String,
    pub classes: BTreeMap<String, Class>,
    pub audit: Audit,
}

impl Passport {
    pub fn new(set: String, of: Contents<'_>) -> Self {
        let header = of.reals.cache.header();
        let records = || of.reals.train.iter().map(|i| &header.records[*i as usize]);
        let count = |attribute: Attribute| {
            let mut counts = BTreeMap::new();
            for record in records() {
                let group = attribute.of(record).unwrap_or_else(|| "unknown".to_owned());
                *counts.entry(group).or_default() += 1;
            }
            counts
        };
        let composition = BTreeMap::from([
            ("sex", count(Attribute::Sex)),
            ("age", count(Attribute::Age)),
            ("site", count(Attribute::Site)),
            ("confirmed_by", count(Attribute::ConfirmedBy)),
        ]);
        let generated = of.classes.values().any(|class| class.generated > 0);
        Self {
            schema_version: PASSPORT_VERSION,
            set,
            synthetic: generated,
            not_for_diagnosis: true,
            tool: producer(),
            generator: GeneratorFacts::of(of.generator.model()),
            training_data: TrainingData {
                name: header.name.clone(),
                fingerprint: header.fingerprint.clone(),
                licence: dermagan_data::licence(header.kind),
                split: split::name(header, split::VERSION),
                images: of.reals.train.len(),
                left_out: header.report.images_left_out(),
            },
            seed: of.seed,
            truncation: 1.0,
            target: of.target,
            resolution: of.reals.cache.size(),
            classes: of.classes,
            audit: of.audit,
            composition_of_the_source: composition,
            known_gaps: KNOWN_GAPS,
            licence: dermagan_data::licence(header.kind),
            uses_to_avoid: USES_TO_AVOID,
        }
    }
}
