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
