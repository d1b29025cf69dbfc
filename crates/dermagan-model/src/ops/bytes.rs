//! Images that are uploaded as bytes, a quarter of the size of floats.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::tensor::upload;

/// Uploads images from their bytes: `batch` · `side` · `side` · 3 bytes, row by row, RGB. Returns
/// `[batch, 3, side, side]` in \[-1, 1\], on a device with or without autodiff. `side` must be even.
pub fn from_bytes(bytes: &[u8], batch: usize, side: usize, device: &Device) -> Tensor<4> {
    // Four bytes per word, because WGSL has no bytes.
    let words: Vec<i32> =
        bytes.as_chunks().0.iter().map(|word| i32::from_le_bytes(*word)).collect();
    let inner = device.clone().without_autodiff();
    let words = TensorData::new(words, [bytes.len() / 4]);
    let words: Tensor<1, Int> = upload(words, (&inner, DType::I32));
    let made = <Dispatch as Unpack>::unpack(words.into_dispatch(), batch, side);
    let images: Tensor<4> = Tensor::from_dispatch(made);
    if device.is_autodiff() { images.autodiff() } else { images }
}

/// Conversion of bytes to floats.
#[backend_extension(Flex, Cube: cfg(feature = "cube"))]
pub trait Unpack: Backend {
    /// Converts words of four bytes, the lowest byte first, to images as [`from_bytes`] returns them.
    fn unpack(words: IntTensor<Self>, batch: usize, side: usize) -> FloatTensor<Self>;
}

impl Unpack for Flex {
    fn unpack(words: IntTensor<Self>, batch: usize, side: usize) -> FloatTensor<Self> {
        let bytes = words.storage::<i32>().iter().flat_map(|word| word.to_le_bytes());
        let last: Vec<f32> = bytes.map(|byte| f32::from(byte) / 127.5 - 1.0).collect();
        let data = TensorData::new(last, [batch, side, side, 3]);
        burn_flex::FlexTensor::from_data(data).permute(&[0, 3, 1, 2])
    }
}
