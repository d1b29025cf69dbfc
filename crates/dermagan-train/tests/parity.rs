//! Compares training steps on the CPU with PyTorch's.

mod common;

use burn::tensor::Device;
use common::{differences, worst};

#[test]
fn three_steps_on_the_cpu_agree_with_pytorchs_within_one_in_ten_thousand() {
    let found = differences(&Device::flex());
    let (name, off) = worst(&found);
    assert!(off < 1e-4, "{name} is off by {off:.2e}");
}
