//! The checks of an audit itself: held-out photographs must not fail, and planted copies must.

use dermagan_base::image::Image;
use dermagan_base::rng::Keyed;
use rayon::prelude::*;

use crate::audit::report::Controls;
use crate::audit::verdict::{self, TOLERATED, Verdict};
use crate::copies::planted::planted;
use crate::copies::search::{Closest, CopySearch};
use crate::copies::thresholds::Thresholds;
use crate::error::TrustError;
use crate::membership::Attack;
use crate::membership::space::Space;
use crate::statistics::Rate;

/// The fewest copies that are planted. With few held-out images, 1 % of them are less than one.
const FEWEST_PLANTED: usize = 20;

/// The attack on held-out photographs may be above chance in one of twenty times this number of audits.
const TESTS: usize = 10;

/// Checks the audit. `closest` is what each held-out image is closest to, and `all` are the thresholds from that. `labelled`
/// says whether classes are told apart.
pub(crate) fn controls(
    space: &Space<'_>,
    search: &CopySearch,
    (closest, all): (&[Closest], &Thresholds),
    labelled: bool,
    seed: u64,
) -> Result<Controls, TrustError> {
    let reals = space.reals;
    let classes = reals.classes().len();
    let class_of = |image: u32| labelled.then(|| reals.class(image));
    // Lesions stay together, so that the halves are as different as two sets of patients.
    let lesions = reals.lesions(&reals.held);
    let order = Keyed::new(seed, "audit halves", 0).permutation(lesions.len());
    let chosen: std::collections::BTreeSet<usize> =
        order[..lesions.len() / 2].iter().map(|i| lesions[*i as usize]).collect();
    let half = |first: bool| -> Vec<usize> {
        let is = |i: &usize| chosen.contains(&reals.lesion[reals.held[*i] as usize]) == first;
        (0..reals.held.len()).filter(is).collect()
    };
    let (as_fakes, held) = (half(true), half(false));
    let of = |half: &[usize]| -> (Vec<Closest>, Vec<usize>, Vec<u32>) {
        let images: Vec<u32> = half.iter().map(|i| reals.held[*i]).collect();
        let class = images.iter().map(|image| reals.class(*image)).collect();
        (half.iter().map(|i| closest[*i]).collect(), class, images)
    };
    let (of_fakes, _, fake_images) = of(&as_fakes);
    let (of_held, held_class, held_images) = of(&held);
    let thresholds = Thresholds::new(&of_held, &held_class, classes);
    let copies = |closest: &[Closest], images: &[u32]| {
        let is = |(one, image): &(&Closest, &u32)| thresholds.is_copy(one, class_of(**image));
        closest.iter().zip(images).filter(is).count()
    };
    let found = Rate::new(copies(&of_fakes, &fake_images), of_fakes.len());
    let unseen = Rate::new(copies(&of_held, &held_images), of_held.len());
    let share = space.share(&space.rows(&fake_images), [&reals.train, &held_images], seed, 1000);
    let share = share.map(|draws| draws.summary());
    // Rarely above chance, however many audits there are: a void audit should mean something.
    let scores = space.scores(&space.rows(&fake_images), &reals.train, &held_images);
    let attack =
        scores.map(|scores| Attack::new(&scores.members, &scores.held_out, TESTS, seed, 1000));
    let failed = attack.as_ref().is_some_and(Attack::succeeds)
        || verdict::of_copies(&found, &unseen, 0) == Verdict::Fail
        || share.as_ref().is_some_and(|share| verdict::of_share(share) == Verdict::Fail);

    let number = ((TOLERATED * reals.held.len() as f64).round() as usize).max(FEWEST_PLANTED);
    let (images, classes) = copies_of_training_images(space, number, seed)?;
    let planted = search.closest(&images);
    let is_found =
        |(one, class): &(&Closest, &usize)| all.is_copy(one, labelled.then_some(**class));
    let planted_found = planted.iter().zip(&classes).filter(is_found).count();
    let innocent = closest.iter().zip(&reals.held);
    let innocent = innocent.filter(|(one, image)| all.is_copy(one, class_of(**image))).count();
    let mixed = Rate::new(innocent + planted_found, reals.held.len() + number);
    let unseen = Rate::new(innocent, reals.held.len());
    Ok(Controls {
        held_out_copies: found,
        held_out_share: share,
        held_out_attack: attack,
        held_out_passes: !failed,
        planted: number,
        planted_share: number as f64 / (reals.held.len() + number) as f64,
        planted_found,
        planted_fails: verdict::of_copies(&mixed, &unseen, 0) == Verdict::Fail,
    })
}

/// Planted copies of training images of different lesions, and their classes.
fn copies_of_training_images(
    space: &Space<'_>,
    number: usize,
    seed: u64,
) -> Result<(Vec<Image>, Vec<usize>), TrustError> {
    let reals = space.reals;
    let sources = reals.one_per_lesion(&reals.train);
    let order = Keyed::new(seed, "audit planted", u64::MAX).permutation(sources.len());
    let chosen: Vec<u32> = (0..number).map(|i| sources[order[i % order.len()] as usize]).collect();
    let copy =
        |(i, image): (usize, &u32)| planted(&reals.cache.image(*image as usize), seed, i as u64);
    let images: Result<Vec<Image>, TrustError> = chosen.par_iter().enumerate().map(copy).collect();
    Ok((images?, chosen.iter().map(|image| reals.class(*image)).collect()))
}
