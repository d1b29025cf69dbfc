//! How much memory this process has.

/// Memory of this process, where the system says it in `/proc`.
pub fn resident_gigabytes() -> Option<f64> {
    memory("VmRSS:")
}

/// The most memory that this process has had, where the system says it in `/proc`.
pub fn peak_gigabytes() -> Option<f64> {
    memory("VmHWM:")
}

fn memory(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / (1024.0 * 1024.0))
}
