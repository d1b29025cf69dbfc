//! Compiles a function once for each vector unit and picks one at run time.

/// Compiles the body of a function for the baseline, for AVX2 and for AVX-512. A call runs the form of the level in use.
/// So one binary serves every x86-64 machine. On other architectures only the baseline exists (NEON on aarch64).
///
/// Generic parameters stand in brackets before the arguments: `fn name[T: Real](x: &mut [T]) { … }`.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident [$($generic:tt)*] ($($arg:ident : $kind:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code, reason = "calls functions with target features that are checked at run time")]
        #[allow(clippy::too_many_arguments, reason = "a loop takes what its formula needs")]
        $vis fn $name<$($generic)*>($($arg: $kind),*) {
            #[inline(always)]
            fn inner<$($generic)*>($($arg: $kind),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                /// The form for AVX-512.
                ///
                /// # Safety
                /// The machine has AVX-512 F, BW, DQ and VL, AVX2 and FMA.
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512<$($generic)*>($($arg: $kind),*) {
                    inner($($arg),*)
                }
                /// The form for AVX2.
                ///
                /// # Safety
                /// The machine has AVX2 and FMA.
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$($generic)*>($($arg: $kind),*) {
                    inner($($arg),*)
                }
                if $crate::cpu::avx512() {
                    // SAFETY: the machine has these features.
                    return unsafe { avx512($($arg),*) };
                }
                if $crate::cpu::avx2() {
                    // SAFETY: the machine has these features.
                    return unsafe { avx2($($arg),*) };
                }
            }
            inner($($arg),*)
        }
    };
}

pub(crate) use vectorised;
