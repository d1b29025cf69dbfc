//! Makes candidates for places of a set until one is kept.

use dermagan_base::image::Image;
use dermagan_base::stop_requested;
use dermagan_eval::EvalError;
use dermagan_generate::{ImageGenerator, Shot};
use dermagan_model::ModelError;

use super::filter::{Filter, Tally};
use super::slots::{ATTEMPTS, seed};
use crate::error::TrustError;
use crate::images::classes::index_of;

/// Candidates that are made at a time.
const BATCH: usize = 64;

/// What became of a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filled {
    /// Its candidates.
    pub tally: Tally,
    /// The PNG file of the one that was kept; `None` if the place stays empty.
    pub png: Option<Vec<u8>>,
}

/// The places of a class that are to be filled.
pub(crate) struct Places<'a> {
    /// The index of the class in the real data.
    pub class: usize,
    /// The places.
    pub places: &'a [usize],
    /// The seed of the set.
    pub seed: u64,
}

/// Makes candidates for each place until one is kept. Passes every place to `give` when it is decided.
pub(crate) fn fill(
    of: &Places<'_>,
    generator: &ImageGenerator,
    filter: &Filter<'_>,
    give: &mut dyn FnMut(usize, Filled) -> Result<(), TrustError>,
    progress: &mut dyn FnMut(usize),
) -> Result<(), TrustError> {
    let index = index_of(generator, filter.code());
    let mut open: Vec<(usize, Tally)> =
        of.places.iter().map(|place| (*place, Tally::default())).collect();
    for attempt in 0..ATTEMPTS {
        let mut still = Vec::new();
        for some in open.chunks(BATCH) {
            if stop_requested() {
                return Err(EvalError::Stopped.into());
            }
            let shot = |(place, _): &(usize, Tally)| Shot {
                seed: seed(of.seed, of.class, *place, attempt),
                class: index,
            };
            let shots: Vec<Shot> = some.iter().map(shot).collect();
            let images = images(generator, &shots)?;
            let judged = filter.judge(&images)?;
            for ((((place, tally), shot), image), rejection) in
                some.iter().zip(&shots).zip(&images).zip(judged)
            {
                let mut tally = *tally;
                tally.count(rejection);
                match rejection {
                    None => {
                        let png = generator.png(*shot, 1.0, image, "a generated image".as_ref())?;
                        give(*place, Filled { tally, png: Some(png) })?;
                    }
                    Some(_) => still.push((*place, tally)),
                }
            }
            progress(of.places.len() - open.len() + some.len());
        }
        open = still;
        if open.is_empty() {
            break;
        }
    }
    open.into_iter().try_for_each(|(place, tally)| {
        give(place, Filled { tally: Tally { empty: 1, ..tally }, png: None })
    })
}

fn images(generator: &ImageGenerator, shots: &[Shot]) -> Result<Vec<Image>, TrustError> {
    let mut images = Vec::with_capacity(shots.len());
    generator.sampler().each(shots.iter().copied(), 1.0, BATCH, |_, image| {
        images.push(image);
        Ok::<(), ModelError>(())
    })?;
    Ok(images)
}
