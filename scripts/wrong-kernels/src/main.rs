//! Why some of burn's kernels were wrong on some Vulkan drivers: 32 units reverse 32 numbers through shared memory.
//!
//!     cd scripts/wrong-kernels && VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json cargo run
//!
//! With cubecl 0.11.3 as published, on a driver without VK_KHR_workgroup_memory_explicit_layout:
//!
//!     wrong: [31, 31, 31, …]        on SwiftShader (Chromium 156)
//!     a segmentation fault          on Mesa's lavapipe 22.3.6
//!
//! cubecl-spirv's `lower_shared_implicit` (src/ops/memory.rs) swaps the type of a shared array with that of the pointer
//! to it, so that the shader declares a pointer to a pointer; spirv-val rejects it. Every kernel with shared memory is
//! affected: all of cubek's matrix products but `gemm` and `naive`, and burn's convolutions by products. With the two names
//! swapped back (crates/cubecl-spirv) it prints `right` on both.

use cubecl::Device;
use cubecl::device::{WgpuBackend, WgpuDevice, WgpuDeviceKind};
use cubecl::prelude::*;

const UNITS: usize = 32;

#[cube(launch)]
fn reverse(out: &mut [u32]) {
    let mut shared = Shared::<[u32]>::new_slice(UNITS);
    shared[UNIT_POS as usize] = UNIT_POS;
    sync_cube();
    out[UNIT_POS as usize] = shared[UNITS - 1 - UNIT_POS as usize];
}

fn main() {
    let device = WgpuDevice::new(WgpuDeviceKind::Cpu).on(WgpuBackend::Vulkan);
    let client = Device::Wgpu(device).client();
    println!("{} on {}", client.name(), client.properties().identity.name);
    let out = client.create_from_slice(bytemuck::cast_slice(&[777u32; UNITS]));
    // SAFETY: the buffer holds `UNITS` numbers.
    let argument = unsafe { BufferArg::from_raw_parts(out.clone(), UNITS) };
    reverse::launch(&client, CubeCount::new_single(), CubeDim::new_1d(UNITS as u32), argument);
    let bytes = client.read_one(out).expect("the device answers");
    let found: &[u32] = bytemuck::cast_slice(&bytes);
    let expected: Vec<u32> = (0..UNITS as u32).rev().collect();
    match found == expected {
        true => println!("right"),
        false => println!("wrong: {found:?}"),
    }
}
