//! How near the generated images of each class come to training images:
//!
//! ```sh
//! cargo run --release -p dermagan-trust --example distances -- ham10000-200x150.zip generator.safetensors df,vasc
//! ```
//!
//! For each of the classes, and each of the two networks: the median distance to the nearest training image of the class, of generated
//! images, of held-out photographs, and of training images to those of other lesions.

#![allow(clippy::print_stdout, reason = "an example")]

use std::collections::BTreeMap;
use std::path::Path;

use dermagan_base::image::Image;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, Filter, Fit, Options, open_or_prepare};
use dermagan_eval::{Extractor, Features, ImagenetEncoder, LesionEncoder, prdc};
use dermagan_generate::{ImageGenerator, Selection};
use dermagan_model::ComputeDevice;

/// Generated images of each class.
const IMAGES: u64 = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(source), Some(model)) = (arguments.next(), arguments.next()) else {
        return Err("expected a source, a model, and classes such as df,vasc".into());
    };
    let wanted = arguments.next().unwrap_or_else(|| "df,vasc".to_owned());
    let device = ComputeDevice::cpu();
    let generator = match model.as_str() {
        "shipped" => ImageGenerator::shipped(device.clone())?,
        path => ImageGenerator::open(Path::new(path), device.clone())?,
    };
    let size = generator.model().config.resolution as u32;
    let options = Options { size, fit: Fit::Crop, filter: Filter::Lanczos };
    let cache = open_or_prepare(&source, options, &mut |_, _| ())?;
    let (lesion, imagenet) = (LesionEncoder::shipped(&device.handle)?, ImagenetEncoder::shipped()?);
    println!("class  network   generated  held out  training among themselves");
    for code in wanted.split(',').map(str::to_owned) {
        let made = generator
            .images(&Selection { classes: vec![code.clone()], ..Selection::first(IMAGES) })?;
        for extractor in [&lesion as &dyn Extractor, &imagenet] {
            let [train, held] = [true, false].map(|train| of_class(&cache, &code, train));
            let features = |images: &[Image]| -> Result<Features, dermagan_eval::EvalError> {
                Ok(Features { dims: extractor.dims(), values: extractor.extract(images)? })
            };
            let pixels =
                |images: &[usize]| images.iter().map(|i| cache.image(*i)).collect::<Vec<_>>();
            let of_train = features(&pixels(&train))?;
            let to_train = |of: &Features| -> Result<f64, dermagan_eval::EvalError> {
                Ok(median(
                    prdc::nearest(of, &of_train)?
                        .into_iter()
                        .map(|(_, distance)| distance)
                        .collect(),
                ))
            };
            println!(
                "{code:<6} {:<9} {:>9.2} {:>9.2} {:>9.2}",
                extractor.name(),
                to_train(&features(&made)?)?,
                to_train(&features(&pixels(&held))?)?,
                among_themselves(&cache, &train, &of_train)?
            );
        }
    }
    Ok(())
}

/// The images of a class on the training side, or on the others.
fn of_class(cache: &Cache, code: &str, train: bool) -> Vec<usize> {
    let header = cache.header();
    let sides = split::of_header(header);
    let is = |i: &usize| {
        header.classes[header.records[*i].class] == code && (sides[*i] == Side::Train) == train
    };
    (0..cache.len()).filter(is).collect()
}

/// The median distance of training images to the nearest of another lesion.
fn among_themselves(
    cache: &Cache,
    train: &[usize],
    features: &Features,
) -> Result<f64, dermagan_eval::EvalError> {
    let groups = split::groups(&cache.header().records, &cache.header().hashes);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, image) in train.iter().enumerate() {
        members.entry(groups[*image]).or_default().push(row);
    }
    let mut distances = Vec::new();
    for rows in members.values() {
        let others: Vec<usize> = (0..train.len()).filter(|row| !rows.contains(row)).collect();
        let found = prdc::nearest(&features.select(rows), &features.select(&others))?;
        distances.extend(found.into_iter().map(|(_, distance)| distance));
    }
    Ok(median(distances))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
