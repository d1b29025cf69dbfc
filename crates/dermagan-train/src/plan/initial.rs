//! The networks that a new run starts from: those of another run, of a model file, or of the generator that comes with the
//! program.

use std::path::Path;

use dermagan_base::SettingError;
use dermagan_generate::shipped_model;
use dermagan_model::weights::{Array, Weights};
use dermagan_model::{Backbone, Card, ModelConfig, ModelFile};

use crate::error::TrainError;
use crate::plan::request::TrainRequest;
use crate::recipe::config::InitialConfig;
use crate::recipe::preset::Preset;
use crate::store::checkpoint::{Checkpoint, is_checkpoint};
use crate::store::resolve_model::{SHIPPED, resolve_model};
use crate::store::rundir::{self, LATEST, is_named};

/// Thousands of images for which a generator does not move if it comes without a discriminator: a new discriminator's first
/// gradients would undo what it has learnt.
const FROZEN_KIMG: f64 = 10.0;
/// The same in passes over the training images, if that is less: with 200 images, a discriminator that learnt alone for 10
/// kimg had won after 1 kimg.
const FROZEN_PASSES: f64 = 5.0;
/// The tensor with a row per class.
const EMBEDDING: &str = "embed";

/// Trained networks.
#[derive(Clone, Debug)]
pub struct Initial {
    /// Where they come from.
    pub origin: InitialConfig,
    model: ModelConfig,
    /// Codes of the classes in the order of the embeddings; empty if they are unknown.
    classes: Vec<String>,
    generator: Weights,
    /// The averaged generator; `None` if only that is known, as `generator`.
    average: Option<Weights>,
    discriminator: Option<Weights>,
}

/// What a network takes from a trained one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The new network's tensors that are taken.
    pub taken: Vec<String>,
    /// Its tensors that start anew, because the trained network has none of this name and shape.
    pub fresh: Vec<String>,
    /// The trained network's tensors that are not used.
    pub unused: Vec<String>,
}

/// What a run takes from trained networks.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// Where the networks come from.
    pub origin: InitialConfig,
    /// What the generator takes.
    pub generator: Taken,
    /// What the discriminator takes; `None` if there is none to take from.
    pub discriminator: Option<Taken>,
    /// Classes whose embedding is taken.
    pub known_classes: Vec<String>,
    /// Classes that start with a new embedding.
    pub new_classes: Vec<String>,
    /// Thousands of images for which the generator does not move.
    pub frozen_kimg: f64,
}

impl Initial {
    /// Opens networks by a name as in [`TrainRequest::init`]. `outdir` is the folder in which `latest` is looked for.
    ///
    /// # Errors
    /// When there are no such networks, or their file is damaged.
    pub fn open(name: &str, outdir: &Path) -> Result<Self, TrainError> {
        let path = Path::new(name);
        if is_named(path, SHIPPED) {
            return Ok(Self::of_model("dermagan's own generator", shipped_model()?));
        }
        let file = match path.is_dir() {
            _ if is_named(path, LATEST) => rundir::resolve(name, outdir)?,
            // A checkpoint has the discriminator too.
            true => rundir::newest_checkpoint(path).map_or_else(|| resolve_model(path), Ok)?,
            false => resolve_model(path)?,
        };
        let shown = file.display().to_string();
        match is_checkpoint(&file) {
            true => Ok(Self::of_checkpoint(shown, Checkpoint::open(&file)?)),
            false => Ok(Self::of_model(&shown, ModelFile::open(&file)?)),
        }
    }

    fn of_model(name: &str, file: ModelFile) -> Self {
        let card = file.card;
        let text = |of: fn(&Card) -> &String| {
            card.as_ref().map_or_else(|| Card::UNKNOWN.to_owned(), |card| of(card).clone())
        };
        Self {
            origin: InitialConfig {
                model: name.to_owned(),
                sha256: file.hash,
                data: text(|card| &card.data),
                licence: text(|card| &card.licence),
            },
            model: file.config,
            classes: card.map(|card| card.classes).unwrap_or_default(),
            generator: file.weights,
            average: None,
            discriminator: None,
        }
    }

    fn of_checkpoint(name: String, mut checkpoint: Checkpoint) -> Self {
        let [generator, average, discriminator] =
            ["G", "G_ema", "D"].map(|network| checkpoint.take(network));
        let config = checkpoint.meta.config;
        let origin = InitialConfig {
            model: name,
            sha256: checkpoint.meta.sha256,
            data: config.source.name,
            licence: config.source.licence,
        };
        Self {
            origin,
            model: config.model,
            classes: config.source.classes,
            generator,
            average: Some(average),
            discriminator: Some(discriminator),
        }
    }

    /// Whether the generator is a residual one that is conditioned on classes.
    pub fn is_conditioned(&self) -> bool {
        self.model.backbone == Backbone::Residual && self.model.classes > 0
    }

    /// Gives a preset the networks of this model where the request does not say otherwise, and full conditioning on classes
    /// from the first step if the model is conditioned on them.
    ///
    /// # Errors
    /// When the preset's networks are of another kind, or the model's configuration is not valid.
    pub fn adopt(&self, preset: &mut Preset, request: &TrainRequest) -> Result<(), TrainError> {
        self.model.validate()?;
        let (model, ours) = (&self.model, &mut preset.model);
        if model.backbone != ours.backbone {
            let name = |backbone| match backbone {
                Backbone::Dcgan => "dcgan",
                Backbone::Residual => "residual",
            };
            let problem = format!(
                "its networks are of the kind {}, those of this `preset` are {}; choose a preset of the same kind",
                name(model.backbone),
                name(ours.backbone)
            );
            return Err(SettingError::value("init", &self.origin.model, problem).into());
        }
        let is_free = |key: &str, flag: bool| !flag && !request.sets(key);
        if is_free("model.z_dim", false) {
            ours.z_dim = model.z_dim;
        }
        if is_free("model.noise", false) {
            ours.noise = model.noise;
        }
        if is_free("model.resolution", request.size.is_some()) {
            ours.resolution = model.resolution;
        }
        // The layers of a side have the same width at any resolution if half the resolution has this many channels.
        let side = request.size.unwrap_or(ours.resolution).max(1);
        let width = |width: usize| (width * model.resolution / side).max(1);
        if is_free("model.g_width", request.width.is_some()) {
            ours.g_width = width(model.g_width);
        }
        if self.discriminator.is_some() && is_free("model.d_width", request.width.is_some()) {
            ours.d_width = width(model.d_width);
        }
        let starts = ["condition.from_kimg", "condition.to_kimg"];
        if model.classes > 0 && !starts.iter().any(|key| request.sets(key)) {
            (preset.condition.from_kimg, preset.condition.to_kimg) = (0.0, 0.0);
        }
        Ok(())
    }

    /// Thousands of images for which the generator should not move, for a run on `images` training images of
    /// `resolution` pixels. At another resolution the generator has new layers, which must learn with the discriminator.
    pub fn frozen_kimg(&self, resolution: usize, images: usize) -> f64 {
        match self.discriminator.is_some() || resolution != self.model.resolution {
            true => 0.0,
            false => FROZEN_KIMG.min(FROZEN_PASSES * images as f64 / 1000.0),
        }
    }

    /// What the networks of a run take: a generator and a discriminator with the weights `fresh`, for the classes `classes`.
    ///
    /// # Errors
    /// When the generator takes nothing.
    pub fn transfer(
        &self,
        fresh: [&Weights; 2],
        classes: &[String],
        frozen_kimg: f64,
    ) -> Result<Transfer, TrainError> {
        let rows = self.rows(classes);
        let (_, generator) = merged(fresh[0], &self.generator, &rows);
        if generator.taken.iter().all(|name| name == EMBEDDING) {
            let problem =
                "no tensor of its generator has the name and the shape of one of this run's";
            return Err(SettingError::value("init", &self.origin.model, problem).into());
        }
        let of_d = |weights: &Weights| merged(fresh[1], weights, &rows).1;
        let has_classes = fresh[0].contains_key(EMBEDDING);
        let split = |known: bool| -> Vec<String> {
            let of = classes.iter().zip(&rows).filter(|(_, row)| row.is_some() == known);
            of.filter(|_| has_classes).map(|(code, _)| code.clone()).collect()
        };
        Ok(Transfer {
            origin: self.origin.clone(),
            generator,
            discriminator: self.discriminator.as_ref().map(of_d),
            known_classes: split(true),
            new_classes: split(false),
            frozen_kimg,
        })
    }

    /// The weights of a run's generator, of its average and of its discriminator, which have the weights `fresh` otherwise.
    pub fn weights(&self, fresh: [&Weights; 2], classes: &[String]) -> [Weights; 3] {
        let rows = self.rows(classes);
        let of = |fresh: &Weights, from: &Weights| merged(fresh, from, &rows).0;
        let average = self.average.as_ref().unwrap_or(&self.generator);
        let discriminator = self.discriminator.as_ref();
        [
            of(fresh[0], &self.generator),
            of(fresh[0], average),
            discriminator.map_or_else(|| fresh[1].clone(), |from| of(fresh[1], from)),
        ]
    }

    /// For each class of a run, the row of its embedding.
    fn rows(&self, classes: &[String]) -> Vec<Option<usize>> {
        let row = |code: &String| self.classes.iter().position(|c| c.eq_ignore_ascii_case(code));
        classes.iter().map(row).collect()
    }
}

/// The weights `fresh` with those of `from` in place of tensors of the same name and shape. In the embeddings of classes,
/// row `i` is row `rows[i]` of `from`.
fn merged(fresh: &Weights, from: &Weights, rows: &[Option<usize>]) -> (Weights, Taken) {
    let mut weights = fresh.clone();
    let mut found = Taken::default();
    for (name, array) in &mut weights {
        let taken = match from.get(name) {
            Some(other) if name == EMBEDDING => take_rows(array, other, rows),
            Some(other) if other.shape == array.shape => {
                array.clone_from(other);
                true
            }
            _ => false,
        };
        if taken { &mut found.taken } else { &mut found.fresh }.push(name.clone());
    }
    found.unused = from.keys().filter(|name| !found.taken.contains(name)).cloned().collect();
    (weights, found)
}

/// Takes rows of `[rows, length]` from another array. Returns whether any was taken.
fn take_rows(array: &mut Array, from: &Array, rows: &[Option<usize>]) -> bool {
    let ([_, length], [known, other]) = (&array.shape[..], &from.shape[..]) else { return false };
    let mut any = false;
    for (row, source) in array.values.chunks_exact_mut((*length).max(1)).zip(rows) {
        if let Some(source) = source.filter(|source| source < known && other == length) {
            row.copy_from_slice(&from.values[source * length..][..*length]);
            any = true;
        }
    }
    any
}

impl Transfer {
    /// The transfer in a sentence, without its full stop.
    pub fn words(&self) -> String {
        let origin = &self.origin;
        let count = |taken: &Taken| {
            format!("{} of {} tensors", taken.taken.len(), taken.taken.len() + taken.fresh.len())
        };
        let mut words = format!(
            "starts from {} (SHA-256 {}): the generator takes {}",
            origin.model,
            &origin.sha256[..origin.sha256.len().min(12)],
            count(&self.generator)
        );
        let listed = |words: &mut String, what: &str, names: &[String]| {
            if !names.is_empty() {
                *words += &format!("; {what}: {}", names.join(", "));
            }
        };
        listed(&mut words, "new in the generator", &self.generator.fresh);
        listed(&mut words, "not used", &self.generator.unused);
        listed(&mut words, "known classes", &self.known_classes);
        listed(&mut words, "new classes", &self.new_classes);
        match &self.discriminator {
            Some(taken) => {
                words += &format!("; the discriminator takes {}", count(taken));
                listed(&mut words, "new in the discriminator", &taken.fresh);
            }
            None => words += "; it has no discriminator, so that one is new",
        }
        if self.frozen_kimg > 0.0 {
            words += &format!("; the generator does not move for {} kimg", self.frozen_kimg);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize], first: f32) -> Array {
        let values = (0..shape.iter().product::<usize>()).map(|i| first + i as f32);
        Array { shape: shape.to_vec(), values: values.collect() }
    }

    fn weights(list: &[(&str, &[usize], f32)]) -> Weights {
        list.iter().map(|(name, shape, first)| ((*name).to_owned(), array(shape, *first))).collect()
    }

    #[test]
    fn tensors_are_taken_by_name_and_shape_and_embeddings_by_class() {
        let fresh = weights(&[("a", &[2, 2], 0.0), ("b", &[3], 0.0), ("embed", &[3, 2], 0.0)]);
        let from = weights(&[("a", &[2, 2], 9.0), ("b", &[4], 9.0), ("embed", &[2, 2], 90.0)]);
        let (found, taken) = merged(&fresh, &from, &[Some(1), None, Some(0)]);
        assert_eq!((&found["a"], &found["b"]), (&from["a"], &fresh["b"]));
        assert_eq!(found["embed"].values, [92.0, 93.0, 2.0, 3.0, 90.0, 91.0]);
        assert_eq!(
            (taken.taken, taken.fresh),
            (vec!["a".into(), "embed".into()], vec!["b".into()])
        );
        assert_eq!(taken.unused, ["b"]);
    }

    #[test]
    fn embeddings_of_another_length_or_of_unknown_classes_are_new() {
        let fresh = weights(&[("embed", &[2, 2], 0.0)]);
        for (from, rows) in [(&[2, 3], [Some(0), Some(1)]), (&[2, 2], [None, None])] {
            let (found, taken) = merged(&fresh, &weights(&[("embed", from, 9.0)]), &rows);
            assert_eq!((found, taken.fresh), (fresh.clone(), vec!["embed".to_owned()]));
        }
    }
}
