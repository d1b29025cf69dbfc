//! How much memory this process and its machine have.

/// Memory of this process, where the system says it in `/proc`.
pub fn resident_gigabytes() -> Option<f64> {
    gigabytes("/proc/self/status", "VmRSS:")
}

/// The most memory that this process has had, where the system says it in `/proc`.
pub fn peak_gigabytes() -> Option<f64> {
    gigabytes("/proc/self/status", "VmHWM:")
}

/// Memory of the machine, or of the container where that has less, where the system says it.
pub fn machine_gigabytes() -> Option<f64> {
    let machine = gigabytes("/proc/meminfo", "MemTotal:")?;
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|bytes| bytes.trim().parse::<f64>().ok());
    Some(container.map_or(machine, |bytes| machine.min(bytes / f64::from(1 << 30))))
}

fn gigabytes(file: &str, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(file).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / (1024.0 * 1024.0))
}
