//! Answers questions that people who want to use generated images have to answer: are they copies of patients, do they
//! help a classifier, and whom do they leave out?
//!
//! The first front door is [`audit()`](fn@audit). It compares generated images with those that the generator learnt from and with
//! held-out ones, and returns an [`Audit`] with a [`Verdict`] per class. Every audit checks itself: held-out photographs
//! must pass, and planted copies must be found; otherwise it is void.
//!
//! - `statistics` has intervals, ranks and clusters.
//! - `images` has the real images with their lesions, and products of rows.
//! - `copies` finds copies of training images; `membership` asks whether generated images are nearer to training images than
//!   to held-out ones, and attacks the generator.
//! - `audit` puts them together.
//! - `balance` fills classes with generated images that pass: [`balance()`](fn@balance).
//! - `bias` says whom the images show: [`bias()`](fn@bias).
//! - `trial` asks whether generated images help a classifier: [`trial()`](fn@trial).
//! - `report` writes one page about all of this: [`page()`](fn@page).
//!
//! Nothing in this crate prints.

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod audit;
mod balance;
mod bias;
mod claim;
mod copies;
#[cfg(feature = "c2pa")]
mod credentials;
mod error;
mod images;
mod json;
mod membership;
#[cfg(test)]
mod parity;
mod report;
mod retrain;
mod statistics;
mod table;
mod trial;

pub use audit::{
    Audit, AuditJob, AuditReport, ClassAudit, Controls, Learnt, Pair, ScoresOf, TwinEvent,
    TwinReport, TwinsJob, Verdict, audit, audit_joined, audit_shard, sheet, twins, write_without,
};
pub use balance::{
    AuditVerdicts, BalanceEvent, BalanceJob, Balanced, ClassBalance, Tally, Target, balance,
    balance_shard,
};
pub use bias::{
    Amplification, BiasJob, BiasReport, ClassShift, Composition, GroupRecall, GroupShare,
    SurroundColour, bias, surround_colour,
};
#[cfg(feature = "c2pa")]
pub use credentials::{SignJob, Signed, sign};
pub use error::TrustError;
pub use membership::{Attack, Authenticity, TargetShare};
pub use report::{PageEvent, PageJob, page};
pub use statistics::Rate;
pub use trial::{
    Answer, Arm, ArmReport, Difference, Generators, Scores, TrialEvent, TrialJob, TrialReport,
    trial,
};
