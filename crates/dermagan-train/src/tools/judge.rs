//! The scores that a run's discriminator gives real images: the strongest witness of what the run learnt from.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::SettingError;
use dermagan_base::orientation::Orientation;
use dermagan_data::Cache;
use dermagan_data::order::to_planes;
use dermagan_model::tensor::{to_vec, upload};
use dermagan_model::{ComputeDevice, Discriminator, ModelConfig, Network, Precision};

use crate::error::TrainError;
use crate::step::batch::class_rows;
use crate::store::checkpoint::{self, Checkpoint};
use crate::store::rundir;

/// Images per batch.
const BATCH: usize = 64;

/// The logit that the discriminator of a checkpoint, or of a run's newest checkpoint, gives each image of `cache`, with the
/// image's own class. Of a projected discriminator it is the judge of images that answers. Images of a class that the run
/// did not train on get the logit of no class.
///
/// # Errors
/// [`SettingError`] if there is no checkpoint, or its run has images of another side; [`TrainError::Checkpoint`] if it is
/// damaged.
pub fn discriminator_logits(path: &Path, cache: &Cache) -> Result<Vec<f64>, TrainError> {
    let refuse = |problem: &str| SettingError::value("discriminator", path.display(), problem);
    let file: PathBuf = match rundir::is_run(path) {
        true => {
            let newest = checkpoint::list(path).into_iter().next();
            newest.map(|(file, _)| file).ok_or_else(|| refuse("this run has no checkpoint"))?
        }
        false if path.is_file() && checkpoint::is_checkpoint(path) => path.to_owned(),
        false => {
            return Err(refuse(
                "expected a checkpoint or a run; models are published without their discriminator",
            )
            .into());
        }
    };
    let mut checkpoint = Checkpoint::open(&file)?;
    let config = checkpoint.meta.config.clone();
    config.validate()?;
    if config.model.resolution != cache.size() {
        let problem = format!(
            "its run has images of {} pixels, and the images of this audit have {}",
            config.model.resolution,
            cache.size()
        );
        return Err(refuse(&problem).into());
    }
    let device = ComputeDevice::cpu().handle;
    let bad = |what: String| TrainError::Checkpoint {
        path: file.clone(),
        what,
        next: "Name another checkpoint, or the run's folder.".into(),
    };
    let discriminator = Discriminator::new(&config.model, &device)
        .with_weights(&checkpoint.take("D"))
        .map_err(bad)?
        .no_grad();
    let header = cache.header();
    let classes: Vec<Option<usize>> = header
        .classes
        .iter()
        .map(|code| config.source.classes.iter().position(|known| known == code))
        .collect();
    // A run that turned its images has seen each in all orientations.
    let orientations = match config.augment.turns {
        true => Orientation::all().to_vec(),
        false => vec![Orientation::default()],
    };
    let judge = Judge {
        discriminator: &discriminator,
        cache,
        classes: &classes,
        model: config.model,
        device: &device,
    };
    let images: Vec<usize> = (0..cache.len()).collect();
    let mut logits = Vec::with_capacity(images.len());
    for some in images.chunks(BATCH) {
        let mut sums = vec![0.0; some.len()];
        for orientation in &orientations {
            let found = judge.logits(some, *orientation);
            sums.iter_mut().zip(found).for_each(|(sum, logit)| *sum += f64::from(logit));
        }
        logits.extend(sums.into_iter().map(|sum| sum / orientations.len() as f64));
    }
    Ok(logits)
}

/// A discriminator and the images that it judges.
struct Judge<'a> {
    discriminator: &'a Discriminator,
    cache: &'a Cache,
    /// For each class of the cache, that of the run.
    classes: &'a [Option<usize>],
    model: ModelConfig,
    device: &'a Device,
}

impl Judge<'_> {
    /// The logits of some images in one orientation. A DCGAN normalises over these images, so that its logits also depend on
    /// the other images of the batch.
    fn logits(&self, images: &[usize], orientation: Orientation) -> Vec<f32> {
        let side = self.cache.size();
        let mut planes = vec![0.0; images.len() * 3 * side * side];
        for (image, planes) in images.iter().zip(planes.chunks_exact_mut(3 * side * side)) {
            to_planes(self.cache.pixels(*image), side, orientation, planes);
        }
        let x: Tensor<4> =
            upload(TensorData::new(planes, [images.len(), 3, side, side]), self.device);
        let class = (self.model.classes > 0).then(|| {
            let class = |image: &usize| self.classes[self.cache.header().records[*image].class];
            let known = images.iter().map(|image| class(image).unwrap_or(0));
            let rows = class_rows(known, self.model.classes, 1.0, self.device);
            let weight = |image: &usize| if class(image).is_some() { 1.0 } else { 0.0 };
            let weight: Vec<f32> = images.iter().map(weight).collect();
            let weight: Tensor<2> = upload(TensorData::new(weight, [images.len(), 1]), self.device);
            rows * weight
        });
        to_vec(self.discriminator.forward_train(x, class, 1, Precision::F32).logits)
    }
}
