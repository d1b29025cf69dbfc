//! The choice of a number format that a device supports.

use std::str::FromStr;

use burn::tensor::FloatDType;
use serde::{Deserialize, Serialize};

use super::compute_device::ComputeDevice;
use crate::error::ModelError;
use crate::ops::Precision;

/// The requested number format. As text: `auto`, `f32`, `bf16` or `f16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PrecisionChoice {
    /// The fastest format that the device supports.
    Auto,
    /// This format, or an error.
    Exactly(Precision),
}

impl Precision {
    const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::F16];

    /// Checks that `device` computes in this format.
    ///
    /// # Errors
    /// When it does not; the message says which format to use instead.
    pub fn check(self, device: &ComputeDevice) -> Result<(), ModelError> {
        let why = match (self, device.is_cpu) {
            (Self::F32, _) => return Ok(()),
            (Self::Bf16, true) => return Ok(()),
            (Self::Bf16, false) => "bf16 is for the CPU; a GPU has f16",
            (Self::F16, true) => "f16 is for GPUs; a CPU has bf16",
            (Self::F16, false) if device.handle.supports_dtype(FloatDType::F16) => return Ok(()),
            (Self::F16, false) => "this GPU or its driver does not compute in float16",
        };
        Err(ModelError::Device(format!(
            "`precision` = {self} on {}: {why}. Use `precision` = f32, or auto for the fastest format",
            device.name
        )))
    }

    /// A caution for the user of this format on `device`: bfloat16 that is emulated.
    pub fn caution(self, device: &ComputeDevice) -> Option<String> {
        let emulated =
            self == Self::Bf16 && device.is_cpu && !dermagan_kernels::cpu::bf16_products();
        emulated.then(|| {
            let name = &device.name;
            format!("{name} has no bfloat16 products: bfloat16 is emulated and slower than float32")
        })
    }
}

impl PrecisionChoice {
    /// The format to use on `device`.
    ///
    /// # Errors
    /// When `device` does not support the requested format.
    pub fn resolve(self, device: &ComputeDevice) -> Result<Precision, ModelError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_that_the_device_lacks_is_refused_with_an_alternative() {
        let cpu = ComputeDevice::cpu();
        let error = Precision::F16.check(&cpu).unwrap_err().to_string();
        assert!(error.contains("`precision` = f32") && error.contains("bf16"), "{error}");
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
