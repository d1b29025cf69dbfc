//! The verdict of a trial in a sentence.

use super::compare::{Answer, Difference};

/// Percentage points.
fn points(share: f64) -> String {
    format!("{:+.1}", 100.0 * share)
}

/// The verdict on generated images at a ratio, by their difference from rebalanced photographs. `permuted` is the answer of
/// the arm whose labels were permuted.
pub(crate) fn words(
    ratio: f64,
    found: &Difference,
    permuted: Option<Answer>,
    margin: f64,
) -> String {
    if permuted == Some(Answer::Benefit) {
        return "void: generated images with permuted labels seem to help, which they cannot; there is a mistake in the trial or \
                too few images"
            .to_owned();
    }
    let figures = format!(
        "{} points of balanced accuracy over rebalanced photographs (95 % {} to {}) at {ratio} x gap",
        points(found.difference),
        points(found.interval[0]),
        points(found.interval[1])
    );
    match found.answer {
        Answer::Benefit => format!("benefit: generated images bring {figures}"),
        Answer::Harm => format!("harm: generated images bring {figures}"),
        Answer::NoBenefit => format!(
            "no benefit worth {:.1} points: generated images bring {figures}",
            100.0 * margin
        ),
        Answer::Inconclusive => {
            let needed = found
                .lesions_needed
                .map_or_else(String::new, |n| format!("; some {n} held-out lesions would tell"));
            format!("inconclusive: generated images bring {figures}{needed}")
        }
    }
}
