//! The audit: may these images leave the building?

mod classes;
mod control;
mod fakes;
mod item;
mod job;
mod keep;
mod pairs;
mod report;
mod share;
mod twins;
mod verdict;
mod words;

pub use job::{Audit, AuditJob, Learnt, ScoresOf, audit, audit_joined};
pub(crate) use job::{closest_of, real_features};
pub use keep::write_without;
pub use pairs::{Pair, sheet};
pub use report::{AuditReport, ClassAudit, Controls};
pub use share::audit_shard;
pub use twins::{TwinEvent, TwinReport, TwinsJob, twins};
pub use verdict::Verdict;
