//! What an audit found. No figure belongs to a single image: distances of single images help an attacker.

use dermagan_data::LeftOut;
use serde::Serialize;

use crate::audit::verdict::Verdict;
use crate::membership::attack::Attack;
use crate::membership::authenticity::Authenticity;
use crate::membership::share::TargetShare;
use crate::statistics::Rate;

/// The result for the images of one class, or for all images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassAudit {
    /// The code of the class; `all` for all images.
    pub class: String,
    /// Number of generated images.
    pub images: usize,
    /// Lesions that the generator learnt from.
    pub train_lesions: usize,
    /// Held-out lesions.
    pub held_out_lesions: usize,
    /// Generated images that equal a training image in an orientation, pixel by pixel.
    pub identical: usize,
    /// Generated images that are closer to one training image than held-out photographs are, but for few.
    pub copies: Rate,
    /// The same of held-out photographs.
    pub copies_held_out: Rate,
    /// Whether `copies` and `identical` pass.
    pub copies_verdict: Verdict,
    /// Whether generated images prefer training images; `None` with too few lesions or images.
    pub target_share: Option<TargetShare>,
    /// Whether `target_share` passes.
    pub target_share_verdict: Verdict,
    /// The attack that knows the generated images and other photographs; `None` with too few lesions or images.
    pub membership: Option<Attack>,
    /// Whether `membership` passes.
    pub membership_verdict: Verdict,
    /// The attack that has the discriminator; `None` unless one was given.
    pub discriminator: Option<Attack>,
    /// Whether `discriminator` passes; `None` unless one was given.
    pub discriminator_verdict: Option<Verdict>,
    /// The worst of the verdicts.
    pub verdict: Verdict,
    /// What would be needed for a verdict; `None` if there is one.
    pub needed: Option<String>,
}

impl ClassAudit {
    /// Takes the verdicts back, because the audit cannot be trusted. That images equal a training image stays certain.
    pub(crate) fn void(&mut self) {
        if self.identical == 0 {
            self.copies_verdict = Verdict::NoVerdict;
        }
        self.target_share_verdict = Verdict::NoVerdict;
        self.membership_verdict = Verdict::NoVerdict;
        self.discriminator_verdict = self.discriminator_verdict.map(|_| Verdict::NoVerdict);
        self.verdict = Verdict::worst([self.copies_verdict, self.target_share_verdict]);
        self.needed = None;
    }

    /// The tests that fail.
    pub(crate) fn failed(&self) -> Vec<&'static str> {
        let tests = [
            (Some(self.copies_verdict), "copies"),
            (Some(self.target_share_verdict), "target share"),
            (Some(self.membership_verdict), "attack"),
            (self.discriminator_verdict, "attack with the discriminator"),
        ];
        tests
            .into_iter()
            .filter(|(verdict, _)| *verdict == Some(Verdict::Fail))
            .map(|(_, name)| name)
            .collect()
    }
}

/// The checks of the audit itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Controls {
    /// Held-out photographs in the place of generated images: their copies, against the other half of them.
    pub held_out_copies: Rate,
    /// Their target share.
    pub held_out_share: Option<TargetShare>,
    /// The attack by them on the training side, against the other half.
    pub held_out_attack: Option<Attack>,
    /// Whether they pass or give no verdict, as they must.
    pub held_out_passes: bool,
    /// Planted copies of training images.
    pub planted: usize,
    /// Their share of the set that they are planted in.
    pub planted_share: f64,
    /// The planted copies that were found.
    pub planted_found: usize,
    /// Whether a set of held-out photographs with these copies in it fails, as it must.
    pub planted_fails: bool,
}

impl Controls {
    /// Whether the audit can be trusted.
    pub fn hold(&self) -> bool {
        self.held_out_passes && self.planted_fails
    }
}

/// The result of an audit.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
    /// The real images.
    pub real: String,
    /// The generated images.
    pub fake: String,
    /// Side of the images in pixels.
    pub side: usize,
    /// Number of training images.
    pub train: usize,
    /// Number of held-out images.
    pub held_out: usize,
    /// The results by class; empty if the generated images have no labels.
    pub classes: Vec<ClassAudit>,
    /// The result for all images.
    pub all: ClassAudit,
    /// Two published figures beside those of held-out photographs.
    pub authenticity: Authenticity,
    /// The checks of the audit itself.
    pub controls: Controls,
    /// The generated images that could not be read.
    pub left_out: Vec<LeftOut>,
    /// What limits the meaning of the figures.
    pub notes: Vec<String>,
    /// The worst of the verdicts; *no verdict* if the controls do not hold.
    pub verdict: Verdict,
    /// The verdict in words.
    pub words: String,
}

impl AuditReport {
    /// The verdict of a class by its code, in any case; `None` if the audit has no such class.
    pub fn verdict_of(&self, code: &str) -> Option<Verdict> {
        let found = self.classes.iter().find(|class| class.class.eq_ignore_ascii_case(code))?;
        Some(found.verdict)
    }
}
