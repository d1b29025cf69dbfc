//! One page about a generator or a set of images: what an ethics board asks for.
//!
//! The page is a single HTML file without scripts and without requests. Its sections follow the seven Cs of the scorecard for
//! synthetic medical data (Zamzmi et al. 2024, arXiv:2406.11143). `job` measures, `pictures` draws, `chart` plots, and the
//! other files write a section each.

mod chart;
mod facts;
mod job;
mod medigan;
mod page;
mod pictures;
mod tables;

pub use job::{PageEvent, PageJob, page};
