//! Checks that a device computes correct gradients. A loss curve does not show a wrong gradient, so gradients are
//! compared with the CPU's, with a second computation, and with their usual norms.

pub mod compare;
pub mod guard;
pub mod repetition;
