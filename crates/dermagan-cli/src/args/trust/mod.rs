//! Options of the commands of `dermagan-trust`.

mod audit;
mod balance;
mod bias;
mod report;
#[cfg(feature = "c2pa")]
mod sign;
mod trial;

pub use audit::AuditArgs;
pub use balance::BalanceArgs;
pub use bias::BiasArgs;
pub use report::ReportArgs;
#[cfg(feature = "c2pa")]
pub use sign::SignArgs;
pub use trial::TrialArgs;
