//! The results by class, and those of all images.

use crate::audit::fakes::{Fakes, Group};
use crate::audit::report::ClassAudit;
use crate::audit::verdict::{self, Verdict};
use crate::copies::search::Closest;
use crate::copies::thresholds::Thresholds;
use crate::membership::attack::Attack;
use crate::membership::share::ShareDraws;
use crate::membership::space::{self, Scores, Space};
use crate::statistics::Rate;
use dermagan_eval::ImagenetEncoder;

/// Everything that the results are made of.
pub(crate) struct Material<'a> {
    pub space: &'a Space<'a>,
    pub fakes: &'a Fakes,
    /// What each held-out image is closest to.
    pub held: &'a [Closest],
    pub thresholds: &'a Thresholds,
    /// The score that the discriminator gives each image of the cache.
    pub discriminator: Option<&'a [f64]>,
    pub seed: u64,
}

/// The pieces of one class's result that the result of all images is made of.
struct Pieces {
    counts: Counts,
    share: Option<ShareDraws>,
    scores: Option<Scores>,
    by_discriminator: Option<Scores>,
}

/// Numbers of images and lesions.
#[derive(Clone, Copy, Default)]
struct Counts {
    images: usize,
    copies: usize,
    identical: usize,
    held: usize,
    held_copies: usize,
    train_lesions: usize,
    held_lesions: usize,
}

/// The results by class, empty without labels, and that of all images.
pub(crate) fn results(of: &Material<'_>) -> (Vec<ClassAudit>, ClassAudit) {
    let classes = (0..of.space.reals.classes().len()).map(Group::Class);
    let groups = classes.chain([Group::Unlabelled]).map(|group| (group, of.fakes.of(group)));
    let groups: Vec<(Group, Vec<usize>)> =
        groups.filter(|(_, places)| !places.is_empty()).collect();
    if !of.fakes.labelled() {
        let places: Vec<usize> = (0..of.fakes.images.len()).collect();
        let pieces = of.pieces(Group::Unlabelled, &places, 0);
        return (Vec::new(), of.result("all".into(), &pieces, None, 1, 0));
    }
    let tests = groups.len() + 1;
    let pieces: Vec<Pieces> = groups
        .iter()
        .zip(1..)
        .map(|((group, places), index)| of.pieces(*group, places, index))
        .collect();
    let mut unseen = Counts::joined(&pieces);
    // Each photograph once, whatever groups it is compared with.
    let of_all = of.counts(None, &[]);
    (unseen.held, unseen.held_copies) = (of_all.held, of_all.held_copies);
    (unseen.train_lesions, unseen.held_lesions) = (of_all.train_lesions, of_all.held_lesions);
    let all = Rate::new(unseen.held_copies, unseen.held);
    let results = groups.iter().zip(&pieces).zip(1..).map(|(((group, _), pieces), index)| {
        let code = match group {
            Group::Class(class) => of.space.reals.classes()[*class].clone(),
            Group::Unlabelled => "no class".to_owned(),
        };
        of.result(code, pieces, Some(all), tests, index)
    });
    let results: Vec<ClassAudit> = results.collect();
    let shares: Vec<ShareDraws> = pieces.iter().filter_map(|one| one.share.clone()).collect();
    let joined = |of: &dyn Fn(&Pieces) -> Option<&Scores>| {
        let scores = Scores::joined(pieces.iter().filter_map(of));
        (!scores.members.is_empty()).then_some(scores)
    };
    let together = Pieces {
        counts: unseen,
        share: (!shares.is_empty()).then(|| ShareDraws::joined(&shares)),
        scores: joined(&|one| one.scores.as_ref()),
        by_discriminator: joined(&|one| one.by_discriminator.as_ref()),
    };
    let all = of.result("all".into(), &together, None, tests, 0);
    (results, all)
}

impl Counts {
    fn joined(pieces: &[Pieces]) -> Self {
        pieces.iter().fold(Self::default(), |sum, one| Self {
            images: sum.images + one.counts.images,
            copies: sum.copies + one.counts.copies,
            identical: sum.identical + one.counts.identical,
            held: sum.held + one.counts.held,
            held_copies: sum.held_copies + one.counts.held_copies,
            train_lesions: sum.train_lesions + one.counts.train_lesions,
            held_lesions: sum.held_lesions + one.counts.held_lesions,
        })
    }
}

impl Material<'_> {
    /// The numbers of a class, or of all classes, with the generated images at `places`.
    fn counts(&self, class: Option<usize>, places: &[usize]) -> Counts {
        let reals = self.space.reals;
        let found = || places.iter().map(|i| &self.fakes.closest[*i]);
        let is_copy = |closest: &&Closest| self.thresholds.is_copy(closest, class);
        // A photograph is judged by the threshold of the group, or of its own class.
        let unseen = reals.held.iter().zip(self.held);
        let unseen =
            unseen.filter(|(image, _)| class.is_none_or(|class| reals.class(**image) == class));
        let own = |image: u32| self.fakes.labelled().then(|| reals.class(image));
        let held_copies = unseen
            .filter(|(image, closest)| self.thresholds.is_copy(closest, class.or(own(**image))))
            .count();
        let [train, held] = [&reals.train, &reals.held].map(|images| reals.of_class(images, class));
        Counts {
            images: places.len(),
            copies: found().filter(is_copy).count(),
            identical: found().filter(|closest| closest.identical).count(),
            held: held.len(),
            held_copies,
            train_lesions: reals.lesions(&train).len(),
            held_lesions: reals.lesions(&held).len(),
        }
    }

    /// The pieces of a group, whose images are at `places`.
    fn pieces(&self, group: Group, places: &[usize], index: u64) -> Pieces {
        let (reals, class) = (self.space.reals, group.class());
        let train = reals.of_class(&reals.train, class);
        let held = reals.of_class(&reals.held, class);
        let counts = self.counts(class, places);
        let dims = ImagenetEncoder::DIMS;
        let rows: Vec<f32> = places
            .iter()
            .flat_map(|i| self.fakes.features[i * dims..(i + 1) * dims].iter().copied())
            .collect();
        let by_discriminator = self.discriminator.map(|scores| {
            let of = |images: &[u32]| -> Vec<f64> {
                reals.one_per_lesion(images).iter().map(|image| scores[*image as usize]).collect()
            };
            Scores { members: of(&train), held_out: of(&held) }
        });
        Pieces {
            counts,
            share: self.space.share(&rows, [&train, &held], self.seed, index),
            scores: self.space.scores(&rows, &train, &held),
            by_discriminator: by_discriminator
                .filter(|scores| scores.members.len().min(scores.held_out.len()) >= space::FEWEST),
        }
    }

    /// The result of a class. With few held-out images of its own it is compared with the copies among all of them, `all`.
    fn result(
        &self,
        class: String,
        pieces: &Pieces,
        all: Option<Rate>,
        tests: usize,
        index: u64,
    ) -> ClassAudit {
        let Counts { images, copies, identical, held, held_copies, .. } = pieces.counts;
        let found = Rate::new(copies, images);
        let own = Rate::new(held_copies, held);
        let unseen = all.filter(|all| all.high < own.high).unwrap_or(own);
        let attack = |scores: &Option<Scores>, index| {
            let Scores { members, held_out } = scores.as_ref()?;
            Some(Attack::new(members, held_out, tests, self.seed, index))
        };
        let share = pieces.share.as_ref().map(ShareDraws::summary);
        let membership = attack(&pieces.scores, 2 * index);
        let discriminator = attack(&pieces.by_discriminator, 2 * index + 1);
        let none = Verdict::NoVerdict;
        let copies_verdict = verdict::of_copies(&found, &unseen, identical);
        let target_share_verdict = share.as_ref().map_or(none, verdict::of_share);
        let membership_verdict = membership.as_ref().map_or(none, verdict::of_attack);
        let discriminator_verdict =
            self.discriminator.map(|_| discriminator.as_ref().map_or(none, verdict::of_attack));
        let verdicts = [copies_verdict, target_share_verdict, membership_verdict];
        let verdict = Verdict::worst(verdicts.into_iter().chain(discriminator_verdict));
        let images_needed = (copies_verdict == none).then(|| verdict::images_needed(&unseen));
        let lesions_needed = [target_share_verdict, membership_verdict].contains(&none)
            || discriminator_verdict == Some(none);
        let lesions_needed = lesions_needed.then(|| {
            let lesions = share.as_ref().zip(membership.as_ref());
            match lesions {
                Some((share, attack)) => verdict::lesions_needed(share, attack),
                None => Some(verdict::ENOUGH_LESIONS),
            }
        });
        ClassAudit {
            class,
            images,
            train_lesions: pieces.counts.train_lesions,
            held_out_lesions: pieces.counts.held_lesions,
            identical,
            copies: found,
            copies_held_out: unseen,
            copies_verdict,
            target_share: share,
            target_share_verdict,
            membership,
            membership_verdict,
            discriminator,
            discriminator_verdict,
            verdict,
            needed: (verdict == none).then(|| needed(images_needed, lesions_needed)),
        }
    }
}

/// What a verdict would take, in words.
fn needed(images: Option<usize>, lesions: Option<Option<usize>>) -> String {
    let images = images.map(|n| format!("at least {n} generated images"));
    let lesions = lesions.map(|n| match n {
        Some(n) => format!("about {n} held-out lesions"),
        None => "many more held-out lesions: the target share is close to 0.55".to_owned(),
    });
    images.into_iter().chain(lesions).collect::<Vec<_>>().join(", ")
}
