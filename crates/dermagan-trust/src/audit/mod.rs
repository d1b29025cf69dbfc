//! The audit: may these images leave the building?

mod classes;
mod control;
mod fakes;
mod job;
mod keep;
mod pairs;
mod report;
mod twins;
mod verdict;
mod words;

pub use job::{Audit, AuditJob, Learnt, ScoresOf, audit};
pub(crate) use job::{closest_of, real_features};
pub use keep::write_without;
pub use pairs::{Pair, sheet};
pub use report::{AuditReport, ClassAudit, Controls};
pub use twins::{TwinEvent, TwinReport, TwinsJob, twins};
pub use verdict::Verdict;
