//! The report of an evaluation.

use serde::Serialize;

use crate::handmade::Off;
use crate::mmd::Discrepancy;
use crate::report::counts::ImageCounts;
use crate::{Comparison, Verdict};

/// How the class of an image is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// By the labels of the images.
    Labels,
    /// The generated images have no labels. The class of real and generated images alike is the one that the lesion
    /// encoder predicts.
    Encoder,
}

/// The figures of one class.
#[derive(Clone, Debug, Serialize)]
pub struct ClassReport {
    /// The code of the class.
    pub class: String,
    /// How the class of an image is known.
    pub basis: Basis,
    /// The figures.
    pub comparison: Comparison,
    /// The verdict as a sentence.
    pub words: String,
    /// The figures from both halves of the real images together; `None` if there are too few images or no labels.
    pub of_all: Option<BothHalves>,
    /// The shares of generated and of real images of the class that the lesion encoder assigns to it, 0 to 1; `None`
    /// without labels.
    pub recognised: Option<[f64; 2]>,
}

impl ClassReport {
    /// The verdict of all figures, with KID from one half of the real images and from both.
    pub fn verdict(&self) -> Verdict {
        self.comparison.verdict(self.of_all.map(|of_all| of_all.kid))
    }
}

/// The figures from both halves of a class's real images together, at most twice the number requested, against the
/// selected generated images of the class: the number of real ones or 512, whichever is larger, but at most the number
/// requested. There is no yardstick, but the figures of real images are zero on average. For classes of about a hundred
/// images, these are the more certain figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BothHalves {
    /// As [`kid_by_lesion`](crate::kid_by_lesion) computes it.
    pub kid: Discrepancy,
    /// The maximum mean discrepancy with a Gaussian kernel of [`FeatureReport::width`]. The kernel is bounded, so unusual
    /// images of a class cannot dominate, and the figures of different classes can be compared. `None` if there is no
    /// width.
    pub mmd: Option<Discrepancy>,
    /// Number of real images.
    pub real: usize,
    /// Number of generated images.
    pub fake: usize,
}

/// The figures by the features of one extractor.
#[derive(Clone, Debug, Serialize)]
pub struct FeatureReport {
    /// The extractor: `lesion`, `imagenet`, `inception` or `handmade`.
    pub name: String,
    /// The extractor with its version and weights.
    pub id: String,
    /// Features per image.
    pub dims: usize,
    /// Width of the Gaussian kernel of all classes: the median distance between images of the reference. `None` if these
    /// images are all equal, or without figures by class.
    pub width: Option<f64>,
    /// The figures of all classes together.
    pub overall: Comparison,
    /// The figures by class.
    pub classes: Vec<ClassReport>,
    /// The verdict on all classes together as a sentence.
    pub words: String,
}

/// The report of an evaluation.
#[derive(Clone, Debug, Serialize)]
pub struct EvalReport {
    /// Program and version.
    pub producer: String,
    /// The generated images: a folder, or a model with its hash.
    pub fake: String,
    /// The name of the real data.
    pub real: String,
    /// The fingerprint of the real data.
    pub fingerprint: String,
    /// The side of the split, or `all`.
    pub split: String,
    /// The encoder that predicts classes.
    pub encoder: String,
    /// Seed of the choice of real images.
    pub seed: u64,
    /// Number of images in each set of the overall figures.
    pub n: usize,
    /// The generated images: how many, which were left out, and what they are as images.
    pub images: ImageCounts,
    /// The figures by each extractor.
    pub features: Vec<FeatureReport>,
    /// The hand-made features in which generated images differ more than real images do among themselves, the largest
    /// difference first.
    pub off: Vec<Off>,
    /// What limits the meaning of the figures.
    pub notes: Vec<String>,
    /// The verdict on all classes together as a sentence, by the features that find the larger difference.
    pub words: String,
}

impl EvalReport {
    /// The figures by the features that find the larger difference: those with the worse verdict, or if the verdicts are
    /// equal, those by which a classifier tells more pairs apart. `None` without features.
    pub fn deciding(&self) -> Option<&FeatureReport> {
        let auc = |report: &FeatureReport| report.overall.auc.map_or(0.5, |auc| auc.fake);
        self.features.iter().rev().max_by(|a, b| {
            let verdicts = a.overall.verdict(None).cmp(&b.overall.verdict(None));
            verdicts.then(auc(a).total_cmp(&auc(b)))
        })
    }

    /// The figures by the features of the extractor `name`.
    pub fn by(&self, name: &str) -> Option<&FeatureReport> {
        self.features.iter().find(|report| report.name == name)
    }
}
