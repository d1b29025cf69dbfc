//! The level of vector instructions that the kernels use: the highest level of this machine, capped by [`VARIABLE`].

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// The environment variable that caps the level: `auto`, or the name of a [`Level`]. It caps these kernels only. burn's
/// few remaining operations on the CPU, and image decoders, use the highest level of the machine.
pub const VARIABLE: &str = "DERMAGAN_CPU";

/// A set of vector instructions. Each level includes the lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// The instructions of every CPU of the architecture: SSE2 on x86-64, NEON on aarch64.
    Baseline,
    /// 256-bit vectors with fused multiply-add (Intel since Haswell, AMD since Zen).
    Avx2,
    /// 512-bit vectors: AVX-512 F, BW, DQ and VL (Intel since Skylake-X, AMD since Zen 4).
    Avx512,
    /// Products of bfloat16 pairs in 512-bit vectors (Intel since Cooper Lake, AMD since Zen 4).
    Avx512Bf16,
    /// Tiles of bfloat16 pairs (Intel's servers since Sapphire Rapids), on Linux.
    Amx,
}

impl Level {
    /// All levels, the lowest first.
    pub const ALL: [Self; 5] =
        [Self::Baseline, Self::Avx2, Self::Avx512, Self::Avx512Bf16, Self::Amx];

    /// The name of the level, as a value of [`VARIABLE`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Amx => "amx",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value of [`VARIABLE`] that cannot be used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelError {
    /// The value.
    pub value: String,
    /// Whether the value is the name of a level that this machine lacks.
    pub known: bool,
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why =
            if self.known { "this machine lacks that level" } else { "there is no such level" };
        let available: Vec<&str> = available().map(Level::name).collect();
        write!(
            f,
            "{VARIABLE}='{}': {why}. This machine has {}; auto uses the last",
            // Repeat only as much of the value as a person reads.
            self.value.chars().take(80).collect::<String>(),
            available.join(", ")
        )
    }
}

impl std::error::Error for LevelError {}

impl FromStr for Level {
    type Err = LevelError;

    /// The level of this name, if the machine has it. `auto` and the empty string mean the highest level.
    fn from_str(text: &str) -> Result<Self, LevelError> {
        if text.is_empty() || text.eq_ignore_ascii_case("auto") {
            return Ok(detected());
        }
        let named = Self::ALL.into_iter().find(|l| l.name().eq_ignore_ascii_case(text));
        match named {
            Some(level) if level <= detected() => Ok(level),
            _ => Err(LevelError { value: text.to_owned(), known: named.is_some() }),
        }
    }
}

/// The highest level that this machine has.
pub fn detected() -> Level {
    static DETECTED: OnceLock<Level> = OnceLock::new();
    *DETECTED.get_or_init(detect)
}

/// All levels that this machine has, the lowest first.
pub fn available() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| *level <= detected())
}

/// The level that [`VARIABLE`] requests. Every user interface checks it before the first computation, because the kernels
/// themselves cannot fail: they use [`detected`] if the value is invalid.
///
/// # Errors
/// If the value does not name a level, or names one that this machine lacks.
pub fn requested() -> Result<Level, LevelError> {
    match std::env::var_os(VARIABLE) {
        None => Ok(detected()),
        Some(value) => value.to_string_lossy().parse(),
    }
}

/// The level in use as a number, or [`UNSET`] before the first call of [`level`].
static IN_USE: AtomicU8 = AtomicU8::new(UNSET);
const UNSET: u8 = u8::MAX;

/// The level in use: that of [`requested`], except within [`at`].
#[inline]
pub fn level() -> Level {
    match IN_USE.load(Ordering::Relaxed) {
        0 => Level::Baseline,
        1 => Level::Avx2,
        2 => Level::Avx512,
        3 => Level::Avx512Bf16,
        4 => Level::Amx,
        _ => first_level(),
    }
}

#[cold]
fn first_level() -> Level {
    let level = requested().unwrap_or_else(|_| detected());
    // Another thread may have set it first.
    let _ = IN_USE.compare_exchange(UNSET, level as u8, Ordering::Relaxed, Ordering::Relaxed);
    level
}

/// Runs `work` at a level, for checks that compare levels. The whole process uses that level until `work` returns, so no
/// other thread may compute in the meantime. If the machine lacks the level, `work` runs at its highest level.
pub fn at<R>(wanted: Level, work: impl FnOnce() -> R) -> R {
    /// Restores the previous level, even if `work` panics.
    struct Restore(Level);
    impl Drop for Restore {
        fn drop(&mut self) {
            IN_USE.store(self.0 as u8, Ordering::Relaxed);
        }
    }
    let _restore = Restore(level());
    IN_USE.store(wanted.min(detected()) as u8, Ordering::Relaxed);
    work()
}

/// Whether 512-bit vectors are in use.
#[inline]
pub fn avx512() -> bool {
    cfg!(target_arch = "x86_64") && level() >= Level::Avx512
}

/// Whether 256-bit vectors with fused multiply-add are in use.
#[inline]
pub fn avx2() -> bool {
    cfg!(target_arch = "x86_64") && level() >= Level::Avx2
}

/// Whether products of bfloat16 pairs are in use. Without them bfloat16 is emulated, which is slower than float32.
#[inline]
pub fn bf16_products() -> bool {
    cfg!(target_arch = "x86_64") && level() >= Level::Avx512Bf16
}

/// Whether tiles of bfloat16 pairs are in use.
#[inline]
pub fn amx() -> bool {
    cfg!(all(target_arch = "x86_64", target_os = "linux")) && level() >= Level::Amx
}

/// Whether bfloat16 is faster than float32 at the level in use. It is faster with AMD's vectors (153 against 99 images per
/// second on Zen 4) and with Intel's tiles (204 against 113 on one of its servers). It is slower with Intel's vectors,
/// which take longer over such a product (101 against 113 on the same server), and always when it is emulated.
pub fn bf16_is_faster() -> bool {
    amx() || (bf16_products() && !intel())
}

/// Whether Intel made the processor.
fn intel() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let vendor = std::arch::x86_64::__cpuid(0);
        let name = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
        name.as_flattened() == b"GenuineIntel"
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Baseline
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    use std::arch::is_x86_feature_detected as has;
    let steps = [
        (Level::Avx2, has!("avx2") && has!("fma")),
        (
            Level::Avx512,
            has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl"),
        ),
        (Level::Avx512Bf16, has!("avx512bf16")),
        (Level::Amx, amx_is_permitted()),
    ];
    // Each level includes the lower ones.
    let found = steps.into_iter().take_while(|(_, available)| *available).last();
    found.map_or(Level::Baseline, |(level, _)| level)
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn amx_is_permitted() -> bool {
    false
}

/// Whether the processor has AMX tiles and the operating system lets this process use them. Rust's own detection of AMX
/// is not stable yet.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[allow(unsafe_code, reason = "a system call without pointers")]
fn amx_is_permitted() -> bool {
    use std::arch::x86_64::{__cpuid_count, __get_cpuid_max};
    const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    if __get_cpuid_max(0).0 < 7 || __cpuid_count(7, 0).edx & BF16_AND_TILES != BF16_AND_TILES {
        return false;
    }
    // SAFETY: the call requests a permission and accesses no memory of this process. Systems that do not support tiles
    // return an error.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_parsed_from_its_name_if_the_machine_has_it() {
        assert_eq!("auto".parse(), Ok(detected()));
        assert_eq!("".parse(), Ok(detected()));
        for level in Level::ALL {
            match level.name().to_uppercase().parse::<Level>() {
                Ok(found) => assert!(found == level && level <= detected()),
                Err(error) => {
                    assert!(error.known && level > detected());
                    assert!(error.to_string().contains("this machine lacks"), "{error}");
                }
            }
        }
        let error = "avx3".parse::<Level>().expect_err("no such level");
        assert!(!error.known && error.to_string().contains("This machine has baseline"), "{error}");
    }

    #[test]
    fn the_machine_has_the_level_in_use() {
        assert!(available().any(|available| available == level()));
        assert_eq!(Ok(level()), requested(), "the tests must run at a level that the machine has");
    }
}
