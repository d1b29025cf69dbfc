//! What this machine's vector units can do.

/// 512-bit vectors (Intel since Skylake-X, AMD since Zen 4).
#[inline]
pub fn avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && avx2();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// 256-bit vectors with fused multiply-add (Intel since Haswell, AMD since Zen).
#[inline]
pub fn avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Products of bfloat16 pairs summed in float32 (AVX-512 BF16: AMD since Zen 4, Intel since Cooper
/// Lake). Without them bfloat16 is emulated, which is correct and slow.
#[inline]
pub fn bf16_products() -> bool {
    #[cfg(target_arch = "x86_64")]
    return avx512() && std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether bfloat16 is faster than float32 here. On AMD's vectors it is (153 images a second for 99 on Zen 4)
/// and on Intel's tiles (204 for 113 on a server of theirs); on Intel's vectors, which take their time
/// over such a product, it is slower (101 for 113 on that one).
pub fn bf16_is_faster() -> bool {
    amx() || (bf16_products() && !intel())
}

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

/// The vector units that the kernels use, in words. Runs are the same bits on CPUs of one name.
pub fn name() -> &'static str {
    match () {
        () if amx() => "AVX-512, AMX",
        () if bf16_products() => "AVX-512 BF16",
        () if avx512() => "AVX-512",
        () if avx2() => "AVX2",
        () => std::env::consts::ARCH,
    }
}

/// Tiles of bfloat16 pairs (AMX: Intel's servers since Sapphire Rapids), on Linux, which lends a process
/// their registers when it asks.
#[inline]
pub fn amx() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        static LENT: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *LENT.get_or_init(|| bf16_products() && lend_tiles())
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    false
}

/// Whether the processor has the tiles and the system lets this process use them. Rust's own detection of
/// AMX is not stable yet.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[allow(unsafe_code, reason = "a system call without pointers")]
fn lend_tiles() -> bool {
    use std::arch::x86_64::{__cpuid_count, __get_cpuid_max};
    const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    if __get_cpuid_max(0).0 < 7 || __cpuid_count(7, 0).edx & BF16_AND_TILES != BF16_AND_TILES {
        return false;
    }
    // SAFETY: asks for a permission; nothing is read or written. Systems that know no tiles answer with
    // an error.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}
