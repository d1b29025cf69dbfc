//! The verdict of a trial in a sentence.

use super::arms::Arm;
use super::compare::{Answer, Difference};

/// Percentage points.
fn points(share: f64) -> String {
    format!("{:+.1}", 100.0 * share)
}

/// The verdict on generated images at the ratios of the folds, by their difference from the arm `base`. `permuted` is the answer of
/// the arm whose labels were permuted.
pub(crate) fn words(
    ratios: &[f64],
    base: &Arm,
    found: &Difference,
    permuted: Option<Answer>,
    margin: f64,
) -> String {
    if permuted == Some(Answer::Benefit) {
        return "void: generated images with permuted labels seem to help, which they cannot; there is a mistake in the trial or \
                too few images"
            .to_owned();
    }
    let mut different = ratios.to_vec();
    different.sort_by(f64::total_cmp);
    different.dedup();
    let ratio = different.iter().map(f64::to_string).collect::<Vec<_>>().join(" or ");
    let figures = format!(
        "by {} points (95 % {} to {}) over \"{base}\", with generated images at {ratio} x gap",
        points(found.difference),
        points(found.interval[0]),
        points(found.interval[1])
    );
    match found.answer {
        Answer::Benefit => format!("benefit: balanced accuracy rises {figures}"),
        Answer::Harm => format!("harm: balanced accuracy changes {figures}"),
        Answer::NoBenefit => {
            format!(
                "no benefit worth {:.1} points: balanced accuracy changes {figures}",
                100.0 * margin
            )
        }
        Answer::Inconclusive => {
            let needed = found
                .lesions_needed
                .map_or_else(String::new, |n| format!("; about {n} held-out lesions would tell"));
            format!("inconclusive: balanced accuracy changes {figures}{needed}")
        }
    }
}
