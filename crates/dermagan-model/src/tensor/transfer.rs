//! Transfers between host and device. They are counted, because the number of transfers per step
//! limits the speed of a GPU.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::kind::Basic;
use burn::tensor::{Device, Tensor, TensorCreationOptions, TensorData};

static UPLOADS: AtomicU64 = AtomicU64::new(0);
static BYTES_UP: AtomicU64 = AtomicU64::new(0);
static READS: AtomicU64 = AtomicU64::new(0);
static BYTES_DOWN: AtomicU64 = AtomicU64::new(0);

/// Transfers of this process between the host and all devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Number of tensors made from values of the host.
    pub uploads: u64,
    /// Their size in bytes.
    pub bytes_up: u64,
    /// Number of tensors read back. Each read makes the host wait until the device has computed
    /// the tensor.
    pub reads: u64,
    /// Their size in bytes.
    pub bytes_down: u64,
}

impl Transfers {
    /// All transfers since the process started.
    pub fn so_far() -> Self {
        let [uploads, bytes_up, reads, bytes_down] =
            [&UPLOADS, &BYTES_UP, &READS, &BYTES_DOWN].map(|n| n.load(Ordering::Relaxed));
        Self { uploads, bytes_up, reads, bytes_down }
    }

    /// The transfers after `before`, which was counted earlier.
    pub fn since(self, before: Self) -> Self {
        Self {
            uploads: self.uploads - before.uploads,
            bytes_up: self.bytes_up - before.bytes_up,
            reads: self.reads - before.reads,
            bytes_down: self.bytes_down - before.bytes_down,
        }
    }
}

/// Copies values of the host to a device; `to` is the device, with or without a number format.
pub fn upload<const D: usize, K: Basic>(
    data: TensorData,
    to: impl Into<TensorCreationOptions>,
) -> Tensor<D, K> {
    let tensor = Tensor::from_data(data, to);
    UPLOADS.fetch_add(1, Ordering::Relaxed);
    BYTES_UP.fetch_add(bytes(&tensor), Ordering::Relaxed);
    tensor
}

/// Copies a tensor's values to the host. Waits until the device has computed them.
pub fn read<const D: usize, K: Basic>(tensor: Tensor<D, K>) -> TensorData {
    READS.fetch_add(1, Ordering::Relaxed);
    BYTES_DOWN.fetch_add(bytes(&tensor), Ordering::Relaxed);
    tensor.into_data()
}

/// Copies `values` to a device as a flat tensor of 32-bit floats.
pub fn from_slice(values: &[f32], device: &Device) -> Tensor<1> {
    upload(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// Copies a flat tensor to the host as 32-bit floats.
///
/// # Panics
/// Never: every tensor of this crate holds floats, which convert to 32 bits.
pub fn to_vec(tensor: Tensor<1>) -> Vec<f32> {
    #[expect(clippy::expect_used, reason = "the dtype is fixed when the tensor is made")]
    read(tensor).convert::<f32>().try_to_vec::<f32>().expect("a float tensor")
}

/// A constant on the device of `other` and in its number format.
pub(crate) fn constant<const D: usize, const E: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    other: &Tensor<E>,
) -> Tensor<D> {
    upload(TensorData::new(values, shape), (&other.device(), other.dtype()))
}

fn bytes<const D: usize, K: Basic>(tensor: &Tensor<D, K>) -> u64 {
    (tensor.shape().num_elements() * tensor.dtype().size()) as u64
}
