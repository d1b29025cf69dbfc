//! The device that the user requests.

use std::fmt;
use std::str::FromStr;

use crate::error::ModelError;

/// The requested device. As text: `auto`, `cpu`, `gpu`, `gpu:1`, `cuda:0` or `software`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first CUDA card, else the first real GPU, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// GPU number n, counted from 0 among the real GPUs.
    Gpu(usize),
    /// NVIDIA card number n through CUDA, counted from 0. Needs a program built with the feature
    /// `cuda`.
    Cuda(usize),
    /// A software rasteriser behind the interface of a GPU. It is for tests and slower than the CPU.
    Software,
}

impl FromStr for Choice {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let number = |text: &str| text.parse().ok();
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu(0)),
            "cuda" => Ok(Self::Cuda(0)),
            "software" => Ok(Self::Software),
            other => {
                let gpu = other.strip_prefix("gpu:").and_then(number).map(Self::Gpu);
                let cuda = other.strip_prefix("cuda:").and_then(number).map(Self::Cuda);
                gpu.or(cuda).ok_or_else(|| {
                    let expected = "auto, cpu, gpu, gpu:1 (the second GPU), cuda:0 or software";
                    ModelError::Device(format!("no device is called '{text}': expected {expected}"))
                })
            }
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(n) => write!(f, "gpu:{n}"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Software => f.write_str("software"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_names_in_the_help_are_understood() {
        assert_eq!("gpu:1".parse::<Choice>().unwrap(), Choice::Gpu(1));
        assert_eq!("gpu".parse::<Choice>().unwrap(), Choice::Gpu(0));
        assert_eq!("cuda:1".parse::<Choice>().unwrap(), Choice::Cuda(1));
        assert!("rocm".parse::<Choice>().unwrap_err().to_string().contains("gpu:1"));
    }
}
