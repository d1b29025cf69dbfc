//! Options of the commands of `dermagan-trust`.

mod audit;
mod balance;
mod bias;
mod report;
mod trial;

pub use audit::AuditArgs;
pub use balance::BalanceArgs;
pub use bias::BiasArgs;
pub use report::ReportArgs;
pub use trial::TrialArgs;
