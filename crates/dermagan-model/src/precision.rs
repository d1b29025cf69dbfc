//! In which numbers the convolutions are computed.

use std::fmt;
use std::str::FromStr;

use burn::tensor::FloatDType;
use serde::{Deserialize, Serialize};

use crate::device::Selected;
use crate::error::ModelError;

/// Number format of the convolutions' operands. Weights, optimiser, normalisation, statistics and the
/// CPU's sums are float32 in all of them; the layers between one pixel and 4 × 4 are so on the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32.
    #[default]
    F32,
    /// bfloat16: float32's range with 8 bits of precision. On CPUs; where they have no products of it (AVX-512
    /// BF16 or AMX), it is emulated and slower than float32.
    Bf16,
    /// float16: 11 bits, but a small range, so gradients are computed of a scaled loss
    /// (Micikevicius et al. 2018). On GPUs that compute in it.
    F16,
}

/// What the user asked for. As text: `auto`, `f32`, `bf16` or `f16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PrecisionChoice {
    /// The fastest that the device computes in.
    Auto,
    /// This one, or an error.
    Exactly(Precision),
}

impl Precision {
    const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::F16];

    /// Whether `device` computes in it, and if not, what to do.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(self, device: &Selected) -> Result<(), ModelError> {
        let why = match (self, device.is_cpu) {
            (Self::F32, _) => return Ok(()),
            (Self::Bf16, true) => return Ok(()),
            (Self::Bf16, false) => "bf16 is for the CPU; a GPU has f16",
            (Self::F16, true) => "f16 is for GPUs; a CPU has bf16",
            (Self::F16, false) if device.device.supports_dtype(FloatDType::F16) => return Ok(()),
            (Self::F16, false) => "this GPU or its driver does not compute in float16",
        };
        Err(ModelError::Device(format!(
            "--precision {self} on {}: {why}. Use --precision f32, or auto for the fastest there is",
            device.name
        )))
    }

    /// What the user should know about computing in it on `device`.
    pub fn caution(self, device: &Selected) -> Option<String> {
        let emulated =
            self == Self::Bf16 && device.is_cpu && !dermagan_kernels::cpu::bf16_products();
        emulated.then(|| {
            let name = &device.name;
            format!("{name} has no bfloat16 products: bfloat16 is emulated and slower than float32")
        })
    }
}

impl PrecisionChoice {
    /// The precision to use on `device`.
    ///
    /// # Errors
    /// When the one asked for is not there.
    pub fn resolve(self, device: &Selected) -> Result<Precision, ModelError> {
        match self {
            Self::Exactly(precision) => precision.check(device).map(|()| precision),
            Self::Auto => {
                let fast = match device.is_cpu {
                    true if dermagan_kernels::cpu::bf16_is_faster() => Precision::Bf16,
                    true => Precision::F32,
                    false => Precision::F16,
                };
                Ok(fast.check(device).map_or(Precision::F32, |()| fast))
            }
        }
    }
}

impl Default for PrecisionChoice {
    fn default() -> Self {
        Self::Exactly(Precision::F32)
    }
}

impl TryFrom<String> for PrecisionChoice {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<PrecisionChoice> for String {
    fn from(choice: PrecisionChoice) -> Self {
        match choice {
            PrecisionChoice::Auto => "auto".to_owned(),
            PrecisionChoice::Exactly(precision) => precision.to_string(),
        }
    }
}

impl FromStr for PrecisionChoice {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let text = text.to_ascii_lowercase();
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let known = Precision::ALL.into_iter().find(|p| p.to_string() == text);
        known.map(Self::Exactly).ok_or_else(|| {
            let what = format!("no precision is called '{text}': expected auto, f32, bf16 or f16");
            ModelError::Device(what)
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_that_the_device_lacks_is_refused_with_what_to_type_instead() {
        let cpu = Selected::cpu();
        let error = Precision::F16.check(&cpu).unwrap_err().to_string();
        assert!(error.contains("--precision f32") && error.contains("bf16"), "{error}");
        assert_eq!(PrecisionChoice::Exactly(Precision::F32).resolve(&cpu).unwrap(), Precision::F32);
        let auto = PrecisionChoice::Auto.resolve(&cpu).unwrap();
        assert_eq!(auto == Precision::Bf16, dermagan_kernels::cpu::bf16_is_faster());
        assert!(Precision::Bf16.check(&cpu).is_ok());
        let emulated = !dermagan_kernels::cpu::bf16_products();
        assert_eq!(Precision::Bf16.caution(&cpu).is_some(), emulated);
        assert!(Precision::F32.caution(&cpu).is_none());
        assert!("tf32".parse::<PrecisionChoice>().unwrap_err().to_string().contains("bf16"));
    }
}
