//! Reads the weights of the network from a file that `scripts/convert_imagenet_encoder.py` made.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::architecture::{ConvSpec, Layers, architecture};

/// A convolution with its weights. Batch normalisation was folded in by the script.
#[derive(Clone, Debug)]
pub(super) struct Weighted {
    pub spec: ConvSpec,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// The network with the tensors of a file.
///
/// # Errors
/// When it is no safetensors file, or a tensor is missing or has another shape or type; the message names it.
pub(super) fn network(bytes: &[u8]) -> Result<Layers<Weighted>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    architecture().try_map(|spec| {
        let channels = &spec.shape[..1];
        let bias = floats(&tensor(&file, &spec, "bias", channels, Dtype::F32)?);
        let each = spec.shape[1..].iter().product::<usize>();
        let weight = if each > 1 && spec.shape[2] == 1 {
            // Integers of 16 bits, with a scale per output channel.
            let scales = floats(&tensor(&file, &spec, "scale", channels, Dtype::F32)?);
            let integers = tensor(&file, &spec, "weight", &spec.shape, Dtype::I16)?;
            let integers =
                integers.data().as_chunks().0.iter().map(|b| f32::from(i16::from_le_bytes(*b)));
            integers.enumerate().map(|(i, integer)| integer * scales[i / each]).collect()
        } else {
            floats(&tensor(&file, &spec, "weight", &spec.shape, Dtype::F32)?)
        };
        Ok(Weighted { spec, weight, bias })
    })
}

/// The tensor `which` of a layer, with the shape and the type that it must have.
fn tensor<'a>(
    file: &SafeTensors<'a>,
    spec: &ConvSpec,
    which: &str,
    shape: &[usize],
    dtype: Dtype,
) -> Result<TensorView<'a>, String> {
    let name = format!("{}.{which}", spec.name);
    let view = file.tensor(&name).map_err(|e| e.to_string())?;
    if view.shape() != shape || view.dtype() != dtype {
        return Err(format!(
            "tensor '{name}' has shape {:?} and type {:?}, expected {shape:?} and {dtype:?}",
            view.shape(),
            view.dtype()
        ));
    }
    Ok(view)
}

/// The values of a tensor of type F32.
fn floats(view: &TensorView<'_>) -> Vec<f32> {
    view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
