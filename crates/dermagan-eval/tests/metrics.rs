//! Compares the metrics with torch-fidelity and prdc (scripts/make_metric_fixtures.py), and with values that
//! are known in closed form.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

use dermagan_eval::prdc::{nearest, prdc};
use dermagan_eval::{
    EvalError, Features, Gaussian, TwoSample, fid, frechet, kid, two_sample, two_sample_in_parts,
};
use proptest::prelude::*;
use safetensors::SafeTensors;

static FIXTURE: &[u8] = include_bytes!("data/metrics.safetensors");

fn features(fixture: &SafeTensors<'_>, name: &str) -> Features {
    let tensor = fixture.tensor(name).unwrap();
    let values = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    Features { dims: tensor.shape()[1], values: values.collect() }
}

fn expected(fixture: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let tensor = fixture.tensor(name).unwrap();
    tensor.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found}, expected {expected}");
}

/// Normal values with mean `shift`, correlated by a running mean.
fn sample(seed: u64, count: usize, dims: usize, shift: f64) -> Features {
    let mut state = seed;
    // SplitMix64.
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut values = Vec::with_capacity(count * dims);
    let mut last = 0.0;
    for _ in 0..count * dims {
        let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        last = 0.6 * last + 0.8 * normal;
        values.push((last + shift) as f32);
    }
    Features { dims, values }
}

#[test]
fn every_metric_agrees_with_torch_fidelity_and_prdc() {
    let fixture = SafeTensors::deserialize(FIXTURE).unwrap();
    let (real, fake) = (features(&fixture, "real"), features(&fixture, "fake"));
    assert_close(fid(&real, &fake).unwrap(), expected(&fixture, "fid")[0], 1e-8);

    let first: Vec<usize> = (0..fake.count()).collect();
    let found = kid(&real.select(&first), &fake).unwrap();
    assert_close(found.value, expected(&fixture, "kid")[0], 1e-10);

    // torch-fidelity takes the mean in float32.
    let found = prdc(&real, &fake, 3).unwrap();
    let theirs = expected(&fixture, "precision_recall");
    assert_close(found.precision, theirs[0], 1e-6);
    assert_close(found.recall, theirs[1], 1e-6);

    let found = prdc(&real, &fake, 5).unwrap();
    let theirs = expected(&fixture, "prdc");
    assert_close(found.precision, theirs[0], 1e-12);
    assert_close(found.recall, theirs[1], 1e-12);
    assert_close(found.density, theirs[2], 1e-12);
    assert_close(found.coverage, theirs[3], 1e-12);
}

#[test]
fn the_auc_agrees_with_scikit_learn() {
    let fixture = SafeTensors::deserialize(FIXTURE).unwrap();
    let (real, fake) = (features(&fixture, "real"), features(&fixture, "fake"));
    let parts = [&real, &fake].map(|set| (0..set.count()).map(|i| i % 5).collect::<Vec<_>>());
    let found = two_sample_in_parts([&real, &fake], [&parts[0], &parts[1]]).unwrap();
    let theirs = expected(&fixture, "auc")[0];
    // Both end their iterations at a gradient of their own, so a few pairs may change places.
    assert_close(found.auc, theirs, 1e-3);
    assert!((0.55..0.99).contains(&theirs), "{theirs} tells nothing of a fit");
}

#[test]
fn the_auc_of_one_distribution_is_chance_within_its_error_and_a_shift_is_told() {
    let lesions = |count: usize| -> Vec<usize> { (0..count).collect() };
    let tell = |a: &Features, b: &Features, seed| {
        two_sample([a, b], [&lesions(a.count()), &lesions(b.count())], seed).unwrap().unwrap()
    };
    let all: Vec<_> = (0..24)
        .map(|seed| tell(&sample(seed, 300, 24, 0.0), &sample(seed + 100, 200, 24, 0.0), seed))
        .collect();
    let n = all.len() as f64;
    let mean = all.iter().map(|t| t.auc).sum::<f64>() / n;
    let spread = (all.iter().map(|t| (t.auc - 0.5).powi(2)).sum::<f64>() / n).sqrt();
    let claimed = all.iter().map(|t| t.standard_error).sum::<f64>() / n;
    assert!((mean - 0.5).abs() < 0.03, "{mean}");
    assert!((0.6..1.6).contains(&(spread / claimed)), "claimed {claimed}, seen {spread}");
    let moved = tell(&sample(1, 300, 24, 0.0), &sample(2, 200, 24, 0.6), 0);
    assert!(moved.auc > 0.8, "{}", moved.auc);
    let mean = moved.scores.iter().sum::<f64>() / moved.scores.len() as f64;
    assert!(moved.scores.len() == 200 && (mean - moved.auc).abs() < 1e-12, "{mean}");
}

#[test]
fn images_of_one_lesion_do_not_help_to_tell_lesions_apart() {
    // Each lesion has three nearly equal images. A classifier that saw one of them would know the others.
    let repeated = |seed| {
        let base = sample(seed, 60, 40, 0.0);
        base.select(&(0..180).map(|i| i / 3).collect::<Vec<_>>())
    };
    let (a, b) = (repeated(3), repeated(4));
    let lesions: Vec<usize> = (0..180).map(|i| i / 3).collect();
    let grouped = two_sample([&a, &b], [&lesions, &lesions], 0).unwrap().unwrap();
    let single: Vec<usize> = (0..180).collect();
    let leaky = two_sample([&a, &b], [&single, &single], 0).unwrap().unwrap();
    assert!(grouped.auc < 0.6 && leaky.auc > 0.7, "{} {}", grouped.auc, leaky.auc);
}

#[test]
fn what_cannot_be_told_apart_is_refused_or_left_out() {
    let (many, few) = (sample(1, 60, 8, 0.0), sample(2, 60, 8, 0.0));
    let (own, one): (Vec<usize>, Vec<usize>) =
        ((0..60).collect(), (0..60).map(|i| i / 2).collect());
    assert_eq!(two_sample([&many, &few], [&own, &one], 0).unwrap(), None);
    let says = |found: Result<_, EvalError>, expected: &str| {
        let found: EvalError = Result::<TwoSample, _>::unwrap_err(found);
        assert!(found.to_string().contains(expected), "{found}");
    };
    let half: Vec<usize> = (0..60).map(|i| i % 2).collect();
    let other = sample(3, 60, 9, 0.0);
    says(two_sample_in_parts([&many, &other], [&half, &half]), "8 and 9 features");
    says(two_sample_in_parts([&many, &few], [&half, &half[1..]]), "59");
    says(two_sample_in_parts([&many, &few], [&half, &[0; 60]]), "two parts or more");
    let mut broken = many.clone();
    broken.values[5] = f32::NAN;
    says(two_sample_in_parts([&many, &broken], [&half, &half]), "not finite");
    // Equal sets, and features that never change, are chance.
    let flat = Features { dims: 8, values: vec![1.0; 480] };
    assert_eq!(two_sample_in_parts([&flat, &flat], [&half, &half]).unwrap().auc, 0.5);
}

#[test]
fn two_samples_of_one_distribution_differ_by_a_few_standard_errors_and_a_shift_by_many() {
    for seed in 1..6 {
        let real = sample(seed, 700, 24, 0.0);
        let same = kid(&real, &sample(seed + 100, 500, 24, 0.0)).unwrap();
        assert!(same.value.abs() < 4.0 * same.standard_error, "{same:?}");
        let other = kid(&real, &sample(seed + 100, 500, 24, 0.6)).unwrap();
        assert!(other.value > 8.0 * other.standard_error, "{other:?}");
    }
}

#[test]
fn the_standard_error_is_how_much_the_distance_varies_from_sample_to_sample() {
    let all: Vec<_> = (0..60)
        .map(|i| kid(&sample(2 * i, 150, 8, 0.0), &sample(2 * i + 1, 200, 8, 0.3)).unwrap())
        .collect();
    let n = all.len() as f64;
    let mean = all.iter().map(|k| k.value).sum::<f64>() / n;
    let spread = (all.iter().map(|k| (k.value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let claimed = all.iter().map(|k| k.standard_error).sum::<f64>() / n;
    assert!((0.7..1.4).contains(&(claimed / spread)), "claimed {claimed}, seen {spread}");
}

#[test]
fn a_set_has_no_distance_from_itself_and_shares_of_one() {
    let set = sample(5, 600, 40, 1.0);
    // The unbiased estimate pairs an image with its twin in the other set only.
    assert!(kid(&set, &set).unwrap().value < 0.0);
    let scale = Gaussian::of(&set).unwrap().covariance.trace();
    assert!(fid(&set, &set).unwrap() < 1e-6 * scale);
    let shares = prdc(&set, &set, 5).unwrap();
    let [p, r, d, c] = [shares.precision, shares.recall, shares.density, shares.coverage];
    assert_eq!([p, r, d, c], [1.0; 4]);
    let own = (0..set.count()).map(|i| (i, 0.0));
    assert_eq!(nearest(&set, &set).unwrap(), own.collect::<Vec<_>>());
}

#[test]
fn a_set_that_repeats_few_images_has_no_recall() {
    let real = sample(6, 400, 16, 0.0);
    let one = real.select(&[17; 300]);
    let shares = prdc(&real, &one, 5).unwrap();
    assert_eq!((shares.precision, shares.recall), (1.0, 0.0));
    assert!(shares.coverage < 0.1);
    let few = real.select(&(0..300).map(|i| i % 10).collect::<Vec<_>>());
    let shares = prdc(&real, &few, 5).unwrap();
    assert!(shares.recall == 0.0 && shares.coverage < 0.3, "{shares:?}");
    let healthy = kid(&real, &sample(60, 300, 16, 0.0)).unwrap().value;
    assert!(kid(&real, &one).unwrap().value > 100.0 * healthy.abs());
    assert!(fid(&real, &one).unwrap() > fid(&real, &few).unwrap());
}

#[test]
fn fid_of_a_shift_is_its_squared_length() {
    let set = sample(7, 500, 12, 0.0);
    let moved = Features { dims: 12, values: set.values.iter().map(|v| v + 2.0).collect() };
    assert_close(fid(&set, &moved).unwrap(), 12.0 * 4.0, 1e-6);
    let (a, b) = (Gaussian::of(&set).unwrap(), Gaussian::of(&sample(8, 300, 12, 0.5)).unwrap());
    assert_close(frechet(&a, &b).unwrap(), frechet(&b, &a).unwrap(), 1e-9);
}

#[test]
fn dead_and_repeated_features_do_not_disturb_fid() {
    let wide = |set: &Features| {
        let row = |i: usize| [set.row(i), &[0.0; 9], &set.row(i)[..4]].concat();
        Features { dims: set.dims + 13, values: (0..set.count()).flat_map(row).collect() }
    };
    let (real, fake) = (sample(9, 300, 20, 0.0), sample(10, 300, 20, 0.2));
    let found = fid(&wide(&real), &wide(&fake)).unwrap();
    assert!(found > fid(&real, &fake).unwrap());
    let scale = Gaussian::of(&wide(&real)).unwrap().covariance.trace();
    assert!(fid(&wide(&real), &wide(&real)).unwrap() < 1e-6 * scale);
}

#[test]
fn sets_that_cannot_be_compared_are_refused_with_advice() {
    let says = |found: Result<(), EvalError>, expected: &str| {
        let found = found.unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    };
    let (many, few) = (sample(1, 50, 8, 0.0), sample(2, 7, 8, 0.0));
    says(fid(&many, &few).map(drop), "needs at least 8 images in each set, and there are 50 real");
    says(fid(&many, &few).map(drop), "use KID");
    says(kid(&many, &few.select(&[0, 1])).map(drop), "2 generated images are too few");
    says(prdc(&many, &few, 7).map(drop), "expected at least 8");
    says(prdc(&many, &few, usize::MAX).map(drop), "expected at least");
    says(prdc(&many, &few, 0).map(drop), "neighbour 1");
    says(kid(&many, &sample(1, 50, 9, 0.0)).map(drop), "one extractor");
    says(nearest(&few, &Features { dims: 8, values: vec![] }).map(drop), "too few");
    says(kid(&Features::default(), &many).map(drop), "not rows");
    let mut broken = many.clone();
    broken.values[17] = f32::NAN;
    says(fid(&many, &broken).map(drop), "feature 1 of generated image 2 is NaN");
    says(Gaussian::of(&broken).map(drop), "NaN");
    says(prdc(&broken, &many, 3).map(drop), "feature 1 of real image 2 is NaN");
    broken.values.fill(f32::MAX);
    assert_eq!(nearest(&broken, &broken).unwrap()[3], (0, 0.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_number_of_threads_changes_no_bit(seed: u64, n in 260usize..600, m in 260usize..600) {
        let (real, fake) = (sample(seed, n, 130, 0.0), sample(!seed, m, 130, 0.1));
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let kid = kid(&real, &fake).unwrap();
                let shares = prdc(&real, &fake, 3).unwrap();
                let near = nearest(&fake, &real).unwrap();
                let parts = [&real, &fake].map(|set| (0..set.count()).map(|i| i % 5).collect());
                let [a, b]: [Vec<usize>; 2] = parts;
                let auc = two_sample_in_parts([&real, &fake], [&a, &b]).unwrap().auc;
                let bits = [kid.value, kid.standard_error, fid(&real, &fake).unwrap(), auc];
                (bits.map(f64::to_bits), shares, near)
            })
        };
        let one = with(1);
        prop_assert_eq!(&one, &with(2));
        prop_assert_eq!(&one, &with(5));
    }
}
