//! Spherical linear interpolation between latents (Shoemake 1985; White 2016, arXiv:1609.04468).
//!
//! A vector of 100 normal numbers has length 10 ± 0.7. The midpoint of the straight line between two such vectors has
//! length 7. Training drew no latents as short as that, so the images there are closer to the average than all images
//! that the generator was trained to make.

/// Two directions whose angle has a smaller sine count as equal or opposite.
const PARALLEL: f64 = 1e-9;

/// Linear interpolation: the point at `t`, 0 to 1, of the straight line from `a` to `b`.
pub(crate) fn lerp(a: &[f32], b: &[f32], t: f64) -> Vec<f32> {
    let at = |(a, b): (&f32, &f32)| (f64::from(*a) * (1.0 - t) + f64::from(*b) * t) as f32;
    a.iter().zip(b).map(at).collect()
}

/// The inner product of two vectors.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The unit vector in the direction of `v`, and the length of `v`. A vector of zeros is returned unchanged.
fn direction(mut v: Vec<f64>) -> (Vec<f64>, f64) {
    let length = dot(&v, &v).sqrt();
    if length > 0.0 {
        v.iter_mut().for_each(|x| *x /= length);
    }
    (v, length)
}

/// The component of `v` that is orthogonal to the unit vector `a`.
fn orthogonal(a: &[f64], v: &[f64]) -> Vec<f64> {
    let along = dot(a, v);
    a.iter().zip(v).map(|(a, v)| v - along * a).collect()
}

/// Spherical interpolation: the point at `t`, 0 to 1, of the arc from `a` to `b`. The direction rotates at a constant
/// rate, and the length changes linearly. Between opposite vectors all arcs are equally short; this function takes the
/// arc through the coordinate axis that is closest to orthogonal. Equal directions, vectors of zeros and vectors of one
/// number have no arc and are interpolated linearly.
///
/// Shoemake's formula is for vectors of equal length. With two lengths it would exceed both, without bound for nearly
/// opposite vectors. As with his formula, the arc of scaled vectors is the scaled arc, so truncation may be applied
/// before.
pub(crate) fn slerp(a: &[f32], b: &[f32], t: f64) -> Vec<f32> {
    let wide = |v: &[f32]| direction(v.iter().map(|x| f64::from(*x)).collect());
    let ((from, from_length), (to, to_length)) = (wide(a), wide(b));
    if from_length == 0.0 || to_length == 0.0 || from.len() == 1 {
        return lerp(a, b, t);
    }
    let cosine = dot(&from, &to);
    let (mut normal, sine) = direction(orthogonal(&from, &to));
    if sine < PARALLEL {
        if cosine > 0.0 {
            return lerp(a, b, t);
        }
        let least = (0..from.len()).min_by(|i, j| from[*i].abs().total_cmp(&from[*j].abs()));
        let mut axis = vec![0.0; from.len()];
        axis[least.unwrap_or(0)] = 1.0;
        normal = direction(orthogonal(&from, &axis)).0;
    }
    let (sin, cos) = (t * sine.atan2(cosine)).sin_cos();
    let length = from_length * (1.0 - t) + to_length * t;
    let at = |(along, normal): (&f64, &f64)| ((along * cos + normal * sin) * length) as f32;
    from.iter().zip(&normal).map(at).collect()
}

#[cfg(test)]
mod tests {
    use dermagan_base::rng::Keyed;

    use super::*;

    fn latent(seed: u64, z_dim: usize, psi: f64) -> Vec<f32> {
        Keyed::new(seed, "latent", 0).normals(z_dim, 0.0, psi)
    }

    fn length(v: &[f32]) -> f64 {
        v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn the_length_along_an_arc_stays_between_the_lengths_of_its_ends() {
        let near_opposite: Vec<f32> = latent(1, 100, -2.0).iter().map(|x| x + 1e-4).collect();
        let pairs = [
            (latent(1, 100, 1.0), latent(2, 100, 1.0)),
            (latent(1, 100, 1.0), latent(2, 100, 0.1)),
            (latent(1, 100, 1.0), latent(1, 100, 1.0)),
            (latent(1, 100, 1.0), latent(1, 100, 3.0)),
            (latent(1, 100, 1.0), latent(1, 100, -1.0)),
            (latent(1, 100, 1.0), near_opposite),
            (vec![1.0, 0.0], vec![-2.0, 0.0]),
        ];
        for (a, b) in pairs {
            let (low, high) = (length(&a).min(length(&b)), length(&a).max(length(&b)));
            for step in 0..=10 {
                let here = length(&slerp(&a, &b, f64::from(step) / 10.0));
                assert!((low * 0.999_999..=high * 1.000_001).contains(&here), "{here} at {step}");
            }
            for (end, t) in [(&a, 0.0), (&b, 1.0)] {
                let off: Vec<f32> = end.iter().zip(slerp(&a, &b, t)).map(|(a, b)| a - b).collect();
                assert!(length(&off) < 1e-5 * high, "{off:?} at {t}");
            }
        }
    }

    #[test]
    fn an_arc_rotates_evenly_and_handles_equal_and_zero_vectors() {
        let quarter = slerp(&[2.0, 0.0], &[0.0, 2.0], 0.5);
        assert!(quarter.iter().all(|x| (x - 2.0_f32.sqrt()).abs() < 1e-6), "{quarter:?}");
        let same = latent(3, 16, 1.0);
        assert_eq!(slerp(&same, &same, 0.3), same);
        assert_eq!(slerp(&[0.0, 0.0], &[0.0, 4.0], 0.5), [0.0, 2.0]);
        assert_eq!(slerp(&[3.0], &[-1.0], 0.5), [1.0]);
        assert!(slerp(&[], &[], 0.5).is_empty());
    }

    #[test]
    fn an_arc_of_scaled_latents_is_the_scaled_arc() {
        let at = |psi| slerp(&latent(1, 100, psi), &latent(2, 100, psi), 0.3);
        let (full, half) = (at(1.0), at(0.5));
        assert!(full.iter().zip(half).all(|(full, half)| (full * 0.5 - half).abs() < 1e-6));
    }
}
