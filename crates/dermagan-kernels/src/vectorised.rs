//! Compiles a function once more for each vector unit and picks at run time.

/// Makes `fn name(…)` out of `fn name(…)`: the body is compiled for the baseline, for AVX2 and for
/// AVX-512, and the best that this machine has is called. One binary serves every x86-64 machine;
/// elsewhere the baseline (NEON on aarch64) is already wide.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident [$($generic:tt)*] ($($arg:ident : $kind:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code, reason = "a function with target features; checked at run time")]
        #[allow(clippy::too_many_arguments, reason = "the body's own choice")]
        $vis fn $name<$($generic)*>($($arg: $kind),*) {
            #[inline(always)]
            fn inner<$($generic)*>($($arg: $kind),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512<$($generic)*>($($arg: $kind),*) {
                    inner($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$($generic)*>($($arg: $kind),*) {
                    inner($($arg),*)
                }
                if $crate::cpu::avx512() {
                    // SAFETY: the features were found on this machine.
                    return unsafe { avx512($($arg),*) };
                }
                if $crate::cpu::avx2() {
                    // SAFETY: the features were found on this machine.
                    return unsafe { avx2($($arg),*) };
                }
            }
            inner($($arg),*)
        }
    };
}

pub(crate) use vectorised;
