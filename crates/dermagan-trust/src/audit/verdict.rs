//! What an audit decides: per test, per class, and in all.

use serde::Serialize;

use crate::membership::attack::Attack;
use crate::membership::share::TargetShare;
use crate::statistics::{Rate, trials_that_exclude};

/// The largest share of copies that a set may have and pass: the share that must be excluded.
pub(crate) const TOLERATED: f64 = 0.01;
/// The target share above which images are nearer to training images than chance explains.
const LARGEST_SHARE: f64 = 0.55;
/// The half-width of the interval of an attack's AUC above which the attack says nothing.
const WIDEST: f64 = 0.1;

/// The fewest lesions on each side with which an attack can pass: 1.96 standard errors of 1/√(12 n) are below [`WIDEST`].
const ENOUGH_FOR_ATTACK: usize = 32;

/// The answer to a question of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No sign of copies, in a test that would have seen them.
    Pass,
    /// Too few images or lesions to tell.
    NoVerdict,
    /// Copies, or an attack that succeeds.
    Fail,
}

impl Verdict {
    /// The worst of some verdicts: a failure outweighs *no verdict*, which outweighs a pass.
    pub fn worst(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max().unwrap_or(Self::NoVerdict)
    }

    /// The word in a report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NoVerdict => "no verdict",
            Self::Fail => "FAIL",
        }
    }
}

/// The verdict on copies: `found` of the generated images are below a threshold that `unseen` of the held-out images are
/// below. `identical` images are equal to a training image, pixel by pixel.
pub(crate) fn of_copies(found: &Rate, unseen: &Rate, identical: usize) -> Verdict {
    match () {
        () if identical > 0 || found.low > unseen.high => Verdict::Fail,
        () if found.high <= unseen.high + TOLERATED => Verdict::Pass,
        () => Verdict::NoVerdict,
    }
}

/// The verdict on the target share.
pub(crate) fn of_share(share: &TargetShare) -> Verdict {
    match () {
        () if share.low > LARGEST_SHARE => Verdict::Fail,
        () if share.high < LARGEST_SHARE => Verdict::Pass,
        () => Verdict::NoVerdict,
    }
}

/// The verdict on an attack.
pub(crate) fn of_attack(attack: &Attack) -> Verdict {
    match () {
        () if attack.succeeds() => Verdict::Fail,
        () if attack.members.min(attack.held_out) >= ENOUGH_FOR_ATTACK
            && (attack.high - attack.low) / 2.0 <= WIDEST =>
        {
            Verdict::Pass
        }
        () => Verdict::NoVerdict,
    }
}

/// Held-out lesions with which the interval of a share or an area is some ±0.05 wide: its standard error is near
/// 1/√(12 n).
pub(crate) const ENOUGH_LESIONS: usize = 130;

/// The generated images that the test for copies needs beside these held-out ones if it finds none.
pub(crate) fn images_needed(unseen: &Rate) -> usize {
    trials_that_exclude((unseen.high + TOLERATED).min(0.999))
}

/// The held-out lesions that a target share and an attack need: the width of an interval falls with the root of their
/// number. `None` if more lesions would not help, because the share itself is near the limit.
pub(crate) fn lesions_needed(share: &TargetShare, attack: &Attack) -> Option<usize> {
    let for_share = {
        let distance = LARGEST_SHARE - share.share;
        let half = (share.high - share.low) / 2.0;
        (distance > 0.01).then(|| share.lesions as f64 * (half / distance).powi(2))
    }?;
    let half = (attack.high - attack.low) / 2.0;
    let for_attack = attack.held_out as f64 * (half / WIDEST).powi(2);
    // More than there are: these gave no verdict.
    Some((for_share.max(for_attack).ceil() as usize).max(attack.held_out + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_all_and_nothing_is_no_verdict() {
        use Verdict::{Fail, NoVerdict, Pass};
        assert_eq!(Verdict::worst([Pass, NoVerdict, Fail]), Fail);
        assert_eq!(Verdict::worst([Pass, NoVerdict]), NoVerdict);
        assert_eq!(Verdict::worst([Pass, Pass]), Pass);
        assert_eq!(Verdict::worst([]), NoVerdict);
    }

    #[test]
    fn copies_fail_few_images_say_nothing_and_many_without_a_copy_pass() {
        let unseen = Rate::new(2, 2000);
        let of = |events, trials| of_copies(&Rate::new(events, trials), &unseen, 0);
        assert_eq!(of(20, 1500), Verdict::Fail);
        assert_eq!(of(0, 50), Verdict::NoVerdict);
        assert_eq!(of(1, 1000), Verdict::Pass);
        assert_eq!(of_copies(&Rate::new(0, 5000), &unseen, 1), Verdict::Fail);
        let needed = images_needed(&unseen);
        assert_eq!((of(0, needed), of(0, needed - 1)), (Verdict::Pass, Verdict::NoVerdict));
    }

    #[test]
    fn a_share_passes_below_the_limit_only() {
        let share = |low, high| TargetShare {
            share: (low + high) / 2.0,
            low,
            high,
            lesions: 100,
            images: 100,
        };
        assert_eq!(of_share(&share(0.56, 0.7)), Verdict::Fail);
        assert_eq!(of_share(&share(0.45, 0.54)), Verdict::Pass);
        assert_eq!(of_share(&share(0.4, 0.6)), Verdict::NoVerdict);
    }
}
