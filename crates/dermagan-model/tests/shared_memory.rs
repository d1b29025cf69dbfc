//! Kernels with shared memory compute correctly on the device under test. With cubecl-spirv 0.11.3 as published they do
//! not, if the driver lacks an extension (`scripts/wrong-kernels`). This is a separate test program, because it may use
//! a device that other tests must not share.
#![cfg(feature = "cube")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test panics at the first error")]

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Cube, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};
use dermagan_model::tensor::{from_slice, to_vec};
use dermagan_model::{Choice, device};

/// The number of units of the single cube.
const UNITS: usize = 32;

#[backend_extension(Flex, Cube)]
trait Reverse: Backend {
    /// Reverses the values through shared memory.
    fn reverse(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Reverse for Flex {
    fn reverse(x: FloatTensor<Self>) -> FloatTensor<Self> {
        x
    }
}

#[cube(launch)]
fn reverse_kernel(x: LinearView<'_, f32>, mut out: LinearViewMut<'_, f32>) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    shared[UNIT_POS as usize] = x.read(ABSOLUTE_POS);
    sync_cube();
    out.write(ABSOLUTE_POS, shared[UNITS - 1 - UNIT_POS as usize]);
}

impl Reverse for Cube {
    fn reverse(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (client, out) = (x.client.clone(), x.copy());
        let (x, view) = (x.into_linear_view(), out.clone().into_linear_view());
        let dim = CubeDim::new_1d(UNITS as u32);
        reverse_kernel::launch(&client, CubeCount::new_single(), dim, x, view);
        out
    }
}

#[test]
fn numbers_pass_through_shared_memory_unchanged() {
    let Ok(name) = std::env::var("DERMAGAN_TEST_DEVICE") else {
        println!("DERMAGAN_TEST_DEVICE is not set: no GPU code was tested");
        return;
    };
    let selected = device::select(&name.parse::<Choice>().unwrap()).unwrap();
    if selected.is_cpu {
        return;
    }
    let values: Vec<f32> = (0..UNITS).map(|i| i as f32).collect();
    let x = from_slice(&values, &selected.handle);
    let found = to_vec(Tensor::from_dispatch(<Dispatch as Reverse>::reverse(x.into_dispatch())));
    let reversed: Vec<f32> = values.into_iter().rev().collect();
    assert_eq!(found, reversed, "on {}", selected.name);
}
