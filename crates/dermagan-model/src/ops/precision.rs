//! The number format in which convolutions are computed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number format of the convolutions' operands.
///
/// Weights, optimiser, normalisation, statistics and the CPU's sums are float32 in all of them. On
/// the CPU, the layers between one pixel and 4 × 4 pixels are float32 too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32.
    #[default]
    F32,
    /// bfloat16, for CPUs: the range of float32 with 8 bits of precision. On a CPU without bfloat16
    /// products (AVX-512 BF16 or AMX) it is emulated and slower than float32.
    Bf16,
    /// float16, for GPUs that compute in it: 11 bits of precision, but a small range, so the loss is
    /// scaled before its gradients are computed (Micikevicius et al. 2018).
    F16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}
