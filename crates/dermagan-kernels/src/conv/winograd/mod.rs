//! Stride-2 convolutions with 4 × 4 filters by minimal filtering.
//!
//! A stride-2 filter of 4 taps is two filters of 2 taps: one on the even rows and one on the odd rows. Two
//! neighbouring outputs of a 2-tap filter g on d0, d1, d2 need three products instead of four (Winograd 1980; Lavin and
//! Gray 2016 call it F(2, 2)):
//!
//! ```text
//! m0 = (d0 - d1)·g0    m1 = d1·(g0 + g1)    m2 = (d1 - d2)·g1
//! y0 = m0 + m1         y1 = m1 - m2
//! ```
//!
//! In two dimensions 9 products do the work of 16. The data is never multiplied by constants: only sums of two enter,
//! so float32 loses about one bit. Each of the nine is one matrix product over tiles × (phase, channel) × channel.
//!
//! A *phase* is one of the four images of even or odd rows and columns, a *tile* is 2 × 2 pixels of the small image, and
//! a *node* is one of the nine products.

mod filter;
mod image;
mod nodes;
mod operations;

pub use self::operations::{UpFilter, down, filter_gradient, serves, up};
