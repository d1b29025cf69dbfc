//! The memory of this process and of its machine.

/// Memory that this process uses, in gigabytes (2³⁰ bytes). `None` if the system does not state it in `/proc`.
pub fn resident_gigabytes() -> Option<f64> {
    gigabytes("/proc/self/status", "VmRSS:")
}

/// Largest memory that this process has used, in gigabytes (2³⁰ bytes). `None` if the system does not state it in
/// `/proc`.
pub fn peak_gigabytes() -> Option<f64> {
    gigabytes("/proc/self/status", "VmHWM:")
}

/// Memory of the machine, or of its container if that has less, in gigabytes (2³⁰ bytes). `None` if the system does not
/// state it in `/proc`.
pub fn machine_gigabytes() -> Option<f64> {
    let machine = gigabytes("/proc/meminfo", "MemTotal:")?;
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|bytes| bytes.trim().parse::<f64>().ok());
    Some(container.map_or(machine, |bytes| machine.min(bytes / f64::from(1 << 30))))
}

/// A field of a file in `/proc`, which is in kB, in gigabytes.
fn gigabytes(file: &str, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(file).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / (1024.0 * 1024.0))
}
