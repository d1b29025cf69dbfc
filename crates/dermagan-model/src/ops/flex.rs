//! Conversion of CPU tensors to channels-last slices and back.

use std::mem::MaybeUninit;

use burn::backend::DType;
use burn::tensor::{Bytes, Element, Shape};
use burn_flex::{FlexTensor, Layout};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};
use dermagan_kernels::Buffer;

/// A float type of both the kernels and the tensors.
pub trait Value: dermagan_kernels::Real + Element + bytemuck::Pod {}
impl Value for f32 {}
impl Value for f64 {}

/// Extents of a `[batch, channels, height, width]` tensor.
pub fn dims(x: &FlexTensor) -> [usize; 4] {
    let shape = x.layout().shape();
    [shape[0], shape[1], shape[2], shape[3]]
}

/// The strides of a channels-last image, in the order `[batch, channels, height, width]`.
fn strides([_, c, h, w]: [usize; 4]) -> Vec<isize> {
    [h * w * c, 1, w * c, c].iter().map(|s| s.cast_signed()).collect()
}

/// The same image, channels-last in memory. An axis of extent 1 may have any stride.
pub fn channels_last(x: FlexTensor) -> FlexTensor {
    let dims = dims(&x);
    let wanted = strides(dims);
    let is = x.layout().strides();
    if dims.iter().zip(is).zip(&wanted).all(|((n, is), wanted)| *n == 1 || is == wanted) {
        return x;
    }
    let [b, c, h, w] = dims;
    let permuted = x.permute(&[0, 2, 3, 1]).to_contiguous();
    let layout = Layout::new(Shape::from([b, c, h, w]), wanted, permuted.layout().start_offset());
    permuted.with_layout(layout)
}

/// The values of a tensor that [`channels_last`] returned.
pub fn values<T: Value>(x: &FlexTensor) -> &[T] {
    let start = x.layout().start_offset();
    &x.storage::<T>()[start..start + x.layout().num_elements()]
}

/// The values of a tensor in row-major order. They are copied if their order in memory differs.
pub fn in_order<T: Value>(x: &FlexTensor) -> std::borrow::Cow<'_, [T]> {
    match x.as_slice::<T>() {
        Some(values) => values.into(),
        None => values::<T>(&x.to_contiguous()).to_vec().into(),
    }
}

/// The memory of a tensor, which returns to the pool of the kernels when the tensor is dropped.
struct Recycled<T: Value>(Buffer<T>);

impl<T: Value> AllocationController for Recycled<T> {
    fn alloc_align(&self) -> usize {
        align_of::<T>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    #[allow(
        unsafe_code,
        reason = "the signature of the trait; the bytes are floats and always initialised"
    )]
    unsafe fn memory_mut(
        &mut self,
        _: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.0);
        // SAFETY: u8 and MaybeUninit<u8> have the same layout; callers write initialised bytes only.
        Ok(unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) })
    }

    #[allow(
        unsafe_code,
        reason = "a shared view of initialised bytes as possibly uninitialised ones"
    )]
    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let bytes: &[u8] = bytemuck::cast_slice(&self.0);
        // SAFETY: u8 and MaybeUninit<u8> have the same layout, and nothing is written.
        Ok(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) })
    }
}

#[allow(unsafe_code, reason = "the length is that of the buffer")]
fn recycled<T: Value>(values: Buffer<T>) -> Bytes {
    let len = size_of_val(&values[..]);
    // SAFETY: all values of a buffer are initialised, and `len` is their size in bytes.
    unsafe { Bytes::from_controller(Box::new(Recycled(values)), len) }
}

/// A tensor from channels-last values; `dims` are `[batch, channels, height, width]`.
pub fn image<T: Value>(values: Buffer<T>, dims: [usize; 4]) -> FlexTensor {
    let layout = Layout::new(Shape::from(dims), strides(dims), 0);
    FlexTensor::new(recycled(values), layout, T::dtype())
}

/// A tensor from values in row-major order.
pub fn plain<T: Value>(values: Buffer<T>, dims: &[usize]) -> FlexTensor {
    let layout = Layout::contiguous(Shape::from(dims.to_vec()));
    FlexTensor::new(recycled(values), layout, T::dtype())
}

/// A flat tensor from a vector.
pub fn row<T: Value>(values: Vec<T>) -> FlexTensor {
    let layout = Layout::contiguous(Shape::from([values.len()]));
    FlexTensor::new(Bytes::from_elems(values), layout, T::dtype())
}

/// Changes the values of an image, channels-last, in place. The values are copied first if another
/// tensor shares them.
pub fn change<T: Value>(x: FlexTensor, f: impl FnOnce(&mut [T])) -> FlexTensor {
    let mut x = channels_last(x);
    let range = x.layout().start_offset()..x.layout().start_offset() + x.layout().num_elements();
    f(&mut x.storage_mut::<T>()[range]);
    x
}

/// Evaluates `$body` with `$T` as the float type of the tensor.
macro_rules! by_type {
    ($x:expr, $T:ident => $body:expr) => {
        match burn::backend::TensorMetadata::dtype($x) {
            burn::backend::DType::F64 => {
                type $T = f64;
                $body
            }
            _ => {
                type $T = f32;
                $body
            }
        }
    };
}
pub(crate) use by_type;

/// The values rounded to float16, stored as float32. The CPU has no float16 products; this lets tests
/// show the effects of its range and precision.
pub fn rounded(x: FlexTensor) -> FlexTensor {
    let x = x.to_contiguous();
    let narrow = |v: &f32| half::f16::from_f32(*v).to_f32();
    let values: Vec<f32> = values::<f32>(&x).iter().map(narrow).collect();
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(x.layout().shape().clone()),
        DType::F32,
    )
}
