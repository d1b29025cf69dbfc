//! The way from one latent to the next: an arc (Shoemake 1985; White 2016, arXiv:1609.04468). A
//! hundred normal numbers are a vector of length 10, give or take 0.7; halfway along the straight line
//! between two of them it is of length 7, and training drew none so short: the images there are
//! closer to the average than any that the generator was taught to make.

/// Below this sine two directions count as the same, or as opposite.
const SAME: f64 = 1e-9;

/// At `t` of the straight line from `a` to `b`.
pub(crate) fn lerp(a: &[f32], b: &[f32], t: f64) -> Vec<f32> {
    let at = |(a, b): (&f32, &f32)| (f64::from(*a) * (1.0 - t) + f64::from(*b) * t) as f32;
    a.iter().zip(b).map(at).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The vector of length 1, and its length; the vector itself where there is nothing to divide by.
fn direction(mut v: Vec<f64>) -> (Vec<f64>, f64) {
    let length = dot(&v, &v).sqrt();
    if length > 0.0 {
        v.iter_mut().for_each(|x| *x /= length);
    }
    (v, length)
}

/// What of `v` is across the direction `a`.
fn across(a: &[f64], v: &[f64]) -> Vec<f64> {
    let along = dot(a, v);
    a.iter().zip(v).map(|(a, v)| v - along * a).collect()
}

/// At `t` of the arc from `a` to `b`: the direction turns evenly, the length goes from one's to the
/// other's. Between opposite vectors, where every arc is as short, it is the one by the axis that is
/// most across (vectors of a single number, which have no arc, go straight through 0).
///
/// Shoemake's formula is for vectors of one length; with two lengths it would overshoot both, without
/// bound where they are nearly opposite. As with his, the arc of scaled vectors is the scaled arc, so
/// that truncation may come before it.
pub(crate) fn slerp(a: &[f32], b: &[f32], t: f64) -> Vec<f32> {
    let wide = |v: &[f32]| direction(v.iter().map(|x| f64::from(*x)).collect());
    let ((from, from_length), (to, to_length)) = (wide(a), wide(b));
    if from_length == 0.0 || to_length == 0.0 || from.len() == 1 {
        return lerp(a, b, t);
    }
    let cosine = dot(&from, &to);
    let (mut turn, sine) = direction(across(&from, &to));
    if sine < SAME {
        if cosine > 0.0 {
            return lerp(a, b, t);
        }
        let least = (0..from.len()).min_by(|i, j| from[*i].abs().total_cmp(&from[*j].abs()));
        let mut axis = vec![0.0; from.len()];
        axis[least.unwrap_or(0)] = 1.0;
        turn = direction(across(&from, &axis)).0;
    }
    let (sin, cos) = (t * sine.atan2(cosine)).sin_cos();
    let length = from_length * (1.0 - t) + to_length * t;
    let at = |(along, turn): (&f64, &f64)| ((along * cos + turn * sin) * length) as f32;
    from.iter().zip(&turn).map(at).collect()
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
    fn an_arc_keeps_the_length_between_those_of_its_ends() {
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
    fn an_arc_turns_evenly_and_equal_or_missing_directions_are_no_trouble() {
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
