//! The scores that a run's discriminator gives real images: the strongest witness of what the run learnt from.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use dermagan_base::SettingError;
use dermagan_base::orientation::Orientation;
use dermagan_data::Cache;
use dermagan_data::order::to_planes;
use dermagan_model::tensor::{to_vec, upload};
use dermagan_model::{ComputeDevice, Discriminator, Network, Precision};

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
    let side = cache.size();
    let images: Vec<usize> = (0..cache.len()).collect();
    let mut logits = Vec::with_capacity(images.len());
    for some in images.chunks(BATCH) {
        let mut planes = vec![0.0; some.len() * 3 * side * side];
        for (image, planes) in some.iter().zip(planes.chunks_exact_mut(3 * side * side)) {
            to_planes(cache.pixels(*image), side, Orientation::default(), planes);
        }
        let x: Tensor<4> = upload(TensorData::new(planes, [some.len(), 3, side, side]), &device);
        let class = (config.model.classes > 0).then(|| {
            let class = |image: &usize| classes[header.records[*image].class];
            let known = |image: &usize| class(image).unwrap_or(0);
            let rows = class_rows(some.iter().map(known), config.model.classes, 1.0, &device);
            let weight: Vec<f32> =
                some.iter().map(|image| if class(image).is_some() { 1.0 } else { 0.0 }).collect();
            let weight: Tensor<2> = upload(TensorData::new(weight, [some.len(), 1]), &device);
            rows * weight
        });
        let judged = discriminator.forward_train(x, class, 1, Precision::F32);
        logits.extend(to_vec(judged.logits).into_iter().map(f64::from));
    }
    Ok(logits)
}
