//! One file per command. Each command is a call into the libraries.

use dermagan_model::{ComputeDevice, device};

use crate::args::DeviceArgs;
use crate::show::complain;

pub mod bench;
pub mod completions;
mod count;
pub mod data;
pub mod demo;
pub mod devices;
pub mod doctor;
pub mod encoder;
pub mod eval;
pub mod model;
mod processes;
pub mod sample;
pub mod shards;
pub mod stop;
mod table;
pub mod train;
pub mod trust;

/// Opens the requested device and prints its warning on standard error.
fn select(args: &DeviceArgs) -> anyhow::Result<ComputeDevice> {
    let device = device::select(&args.device)?;
    if let Some(warning) = &device.warning {
        complain!("warning: {warning}");
    }
    Ok(device)
}
