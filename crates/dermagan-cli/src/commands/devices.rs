//! `dermagan devices`.

use dermagan_model::{Choice, ComputeDevice, cpu, device};

use crate::show::say;

/// Lists the devices and the CPU's levels; returns the exit code.
pub fn run() -> anyhow::Result<u8> {
    say!("cpu        {}", ComputeDevice::cpu().name);
    let levels: Vec<&str> = cpu::available().map(cpu::Level::name).collect();
    say!(
        "           level {} is in use, of {}; {} caps it",
        cpu::level(),
        levels.join(", "),
        cpu::VARIABLE
    );
    for adapter in device::adapters() {
        let note = if adapter.software { "  [software, slower than cpu]" } else { "" };
        say!("{:<10} {}{note}", adapter.choice.to_string(), adapter.name);
    }
    let auto = device::select(&Choice::Auto)?;
    say!("\nauto is {}", auto.name);
    if !cfg!(any(feature = "gpu", feature = "cuda")) {
        say!("this program has no GPU support");
    }
    Ok(0)
}
