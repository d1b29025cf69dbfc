//! Matrix products C = A·B and C += A·B of float32, float64 or pairs of bfloat16.
//!
//! The callers write each operand in the order in which [`gemm`] reads it. `operand` defines the elements,
//! `layout` says where they lie in memory, and `tile` and `amx` multiply them with the vector units and the
//! matrix unit of the machine.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
mod dispatch;
mod gemm;
mod layout;
mod multiply;
mod operand;
mod tile;
mod transpose;

pub use self::gemm::{gemm, pack};
pub use self::layout::{Extents, Into, Left, Out, PANEL, Right, padded, panels};
pub(crate) use self::operand::Tanh;
pub use self::operand::{Lane, Pair, Real};
pub(crate) use self::transpose::SQUARE;
