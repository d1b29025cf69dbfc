//! Hand-made features of synthetic images with known properties.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

use dermagan_base::image::Image;
use dermagan_eval::handmade::{Group, Off, Standard, features, lab, mask, what_is_off};
use dermagan_eval::{Extractor, Features, Handmade};
use proptest::prelude::*;

const SKIN: [f32; 3] = [215.0, 170.0, 150.0];
const BROWN: [f32; 3] = [130.0, 80.0, 60.0];

/// Noise from -1 to 1, which depends on `seed` alone.
fn noise(seed: u64) -> f32 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
}

/// A 64×64 image that is brown where `inside` is above 0 and skin-coloured elsewhere, with noise of
/// `rough` grey levels. `inside` takes coordinates relative to the centre.
fn lesion(seed: u64, rough: f32, inside: impl Fn(f32, f32) -> f32) -> Image {
    let mut image = Image::filled(64, 64, [0; 3]);
    for (at, pixel) in image.pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (x, y) = ((at % 64) as f32 - 31.5, (at / 64) as f32 - 31.5);
        let share = (inside(x, y) + 0.5).clamp(0.0, 1.0);
        let rough = rough * noise(seed * 4096 + at as u64);
        for (channel, byte) in pixel.iter_mut().enumerate() {
            let colour = share * BROWN[channel] + (1.0 - share) * SKIN[channel];
            *byte = (colour + rough).round() as u8;
        }
    }
    image
}

fn circle(radius: f32) -> Image {
    lesion(0, 4.0, |x, y| radius - x.hypot(y))
}

/// A tilted ellipse with half axes 20 and 12.
fn ellipse(seed: u64, rough: f32) -> Image {
    lesion(seed, rough, |x, y| {
        let (along, across) = (0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x);
        12.0 * (1.0 - (along / 20.0).hypot(across / 12.0))
    })
}

/// Ellipses that differ in position, length, width, darkness, sharpness and roughness.
fn some() -> Vec<Image> {
    let one = |i: u64| {
        let vary = |what: u64, by: f32| 1.0 + by * noise(1_000_000 + i * 10 + what);
        let (left, top) = (5.0 * vary(0, 1.0) - 5.0, 5.0 * vary(1, 1.0) - 5.0);
        let (long, short, soft) = (20.0 * vary(2, 0.3), 12.0 * vary(3, 0.3), 2.0 * vary(4, 0.5));
        let image = lesion(i, 8.0 * vary(5, 0.4), |x, y| {
            short / soft * (1.0 - ((x - left) / long).hypot((y - top) / short))
        });
        let dark = vary(6, 0.1);
        changed(&[image], |_, _, _, byte| byte * dark).remove(0)
    };
    (0..40).map(one).collect()
}

fn rows(images: &[Image]) -> Features {
    Features { dims: Handmade.dims(), values: Handmade.extract(images).unwrap() }
}

fn value(image: &Image, name: &str) -> f32 {
    let column = features().iter().position(|f| f.name == name).unwrap();
    rows(std::slice::from_ref(image)).values[column]
}

/// Changes every byte of a set of images: `change` takes x, y, the channel and the byte.
fn changed(set: &[Image], change: impl Fn(usize, usize, usize, f32) -> f32) -> Vec<Image> {
    let mut set = set.to_vec();
    for image in &mut set {
        for (i, byte) in image.pixels.iter_mut().enumerate() {
            let (x, y) = (i / 3 % image.width, i / 3 / image.width);
            *byte = change(x, y, i % 3, f32::from(*byte)).round() as u8;
        }
    }
    set
}

/// Replaces each pixel by the mean of the 3×3 pixels around it.
fn blurred(image: &Image) -> Image {
    let mut out = image.clone();
    for (i, byte) in out.pixels.iter_mut().enumerate() {
        let (x, y) = (i / 3 % 64, i / 3 / 64);
        let near = |v: usize, d: usize| (v + d).saturating_sub(1).min(63);
        let cells = (0..9).map(|k| (near(y, k / 3) * 64 + near(x, k % 3)) * 3 + i % 3);
        *byte = (cells.map(|at| u32::from(image.pixels[at])).sum::<u32>() / 9) as u8;
    }
    out
}

fn off(real: &[Image], fake: &[Image]) -> Vec<Off> {
    what_is_off(&rows(real), &rows(fake))
}

fn of<'a>(off: &'a [Off], name: &str) -> &'a Off {
    off.iter().find(|o| o.name == name).unwrap()
}

#[test]
fn every_feature_has_a_unique_name_and_phrase() {
    for (i, one) in features().iter().enumerate() {
        assert!(!one.what.is_empty() && !one.what.ends_with('.'));
        for other in &features()[..i] {
            assert!(one.name != other.name && one.what != other.what, "{one:?}");
        }
    }
    assert_eq!(features().len(), Handmade.dims());
}

#[test]
fn lab_of_known_colours_agrees_with_published_tables() {
    let known = [
        ([255, 255, 255], [100.0, 0.0, 0.0]),
        ([0, 0, 0], [0.0, 0.0, 0.0]),
        ([119, 119, 119], [50.03, 0.0, 0.0]),
        ([255, 0, 0], [53.24, 80.09, 67.20]),
        ([0, 255, 0], [87.73, -86.18, 83.18]),
        ([0, 0, 255], [32.30, 79.19, -107.86]),
        ([165, 42, 42], [37.53, 49.69, 30.54]),
    ];
    for (rgb, expected) in known {
        let found = lab::of(rgb);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.1, "{rgb:?}: {found} against {expected}");
        }
    }
    assert!((lab::difference([50.0, 3.0, 0.0], [50.0, 0.0, 4.0]) - 5.0).abs() < 1e-6);
}

#[test]
fn the_mask_of_a_circle_covers_the_circle() {
    let found = mask::lesion(&circle(16.0)).unwrap().unwrap();
    let area = std::f32::consts::PI * 16.0 * 16.0;
    assert!((found.area as f32 / area - 1.0).abs() < 0.08, "{} against {area}", found.area);
    assert!(found.mask[32 * 64 + 32] && !found.mask[32 * 64 + 52]);
    assert!(value(&circle(16.0), "lesion_offset") < 0.01);
    assert!(value(&circle(16.0), "lesion_eccentricity") < 0.2);
    let (skin, brown) = (SKIN.map(|v| v as u8), BROWN.map(|v| v as u8));
    let contrast = lab::difference(lab::of(skin), lab::of(brown));
    assert!((value(&circle(16.0), "lesion_contrast") - contrast).abs() < 3.0);
}

#[test]
fn holes_are_filled_and_dark_corners_and_second_spots_are_left_out() {
    let found = |inside: &dyn Fn(f32, f32) -> f32| {
        mask::lesion(&lesion(0, 4.0, inside)).unwrap().unwrap().area as f32
    };
    let plain = found(&|x, y| 14.0 - x.hypot(y));
    let hole = found(&|x, y| (14.0 - x.hypot(y)).min(x.hypot(y) - 4.0));
    assert!((hole / plain - 1.0).abs() < 0.05, "{hole} against {plain}");
    let corners = found(&|x, y| (14.0 - x.hypot(y)).max(x.hypot(y) - 36.0));
    assert!((corners / plain - 1.0).abs() < 0.05, "{corners} against {plain}");
    let spot = found(&|x, y| (14.0 - x.hypot(y)).max(5.0 - (x - 24.0).hypot(y - 24.0)));
    assert!((spot / plain - 1.0).abs() < 0.05, "{spot} against {plain}");
}

#[test]
fn flat_skin_has_no_lesion() {
    let skin = lesion(0, 8.0, |_, _| -1.0);
    assert_eq!(mask::lesion(&skin).unwrap(), None);
    for name in ["lesion_found", "lesion_area", "lesion_contrast", "shape_asymmetry_long"] {
        assert_eq!(value(&skin, name), 0.0, "{name}");
    }
    assert_eq!(value(&skin, "border_irregularity"), 1.0);
    assert_eq!(value(&circle(16.0), "lesion_found"), 1.0);
}

#[test]
fn an_ellipse_is_symmetric_and_an_angle_is_not() {
    let ellipse = ellipse(0, 4.0);
    let angle = lesion(0, 4.0, |x, y| {
        let bar = |x: f32, y: f32, w: f32, h: f32| (w - x.abs()).min(h - y.abs());
        bar(x + 12.0, y, 6.0, 20.0).max(bar(x, y - 14.0, 18.0, 6.0))
    });
    let half = lesion(0, 4.0, |x, y| (18.0 - x.hypot(y)).min(y - 0.4 * x));
    let both =
        |image| ["shape_asymmetry_long", "shape_asymmetry_short"].map(|name| value(image, name));
    assert!(both(&ellipse).iter().all(|a| *a < 0.05), "{:?}", both(&ellipse));
    assert!(both(&angle).iter().any(|a| *a > 0.25), "{:?}", both(&angle));
    assert!(both(&half).iter().any(|a| *a > 0.1), "{:?}", both(&half));
    // Half axes of 20 and 12 give an eccentricity of 0.8.
    assert!((value(&ellipse, "lesion_eccentricity") - 0.8).abs() < 0.03);
}

#[test]
fn a_lesion_darker_on_one_side_is_asymmetric_in_colour_alone() {
    let even = ellipse(0, 4.0);
    // The line along the ellipse's long axis is y = 0.75 x.
    let darker = |x: usize, y: usize, byte: f32| {
        let (x, y) = (x as f32 - 31.5, y as f32 - 31.5);
        if byte < 140.0 && y > 0.75 * x { byte * 0.7 } else { byte }
    };
    let two = changed(std::slice::from_ref(&even), |x, y, _, byte| darker(x, y, byte)).remove(0);
    assert!(value(&two, "colour_asymmetry_long") > 3.0 * value(&even, "colour_asymmetry_long"));
    assert!(value(&two, "shape_asymmetry_long") < 0.06);
}

#[test]
fn a_circle_is_regular_and_a_star_is_not() {
    let star = lesion(0, 4.0, |x, y| 16.0 + 6.0 * (7.0 * y.atan2(x)).cos() - x.hypot(y));
    let (round, starred) =
        (value(&circle(16.0), "border_irregularity"), value(&star, "border_irregularity"));
    assert!((0.9..1.1).contains(&round), "{round}");
    assert!(starred > 1.5, "{starred}");
    assert!(value(&star, "border_radius") > 3.0 * value(&circle(16.0), "border_radius"));
}

#[test]
fn a_border_that_fades_is_less_sharp() {
    let fading = lesion(0, 4.0, |x, y| (16.0 - x.hypot(y)) / 10.0);
    let (fading, sharp) =
        (value(&fading, "border_sharpness"), value(&circle(16.0), "border_sharpness"));
    assert!(fading < 0.6 * sharp, "{fading} against {sharp}");
}

#[test]
fn the_colours_of_a_lesion_are_recognised() {
    let brown = circle(16.0);
    assert!(value(&brown, "lesion_dark_brown") + value(&brown, "lesion_light_brown") > 0.9);
    let black =
        changed(
            std::slice::from_ref(&brown),
            |_, _, _, byte| {
                if byte < 140.0 { byte * 0.25 } else { byte }
            },
        );
    assert!(value(&black[0], "lesion_black") > 0.8);
    assert_eq!(value(&Image::filled(64, 64, [128; 3]), "lesion_colours"), 0.0);
}

#[test]
fn redder_images_have_a_higher_mean_redness() {
    let redder = changed(&some(), |_, _, channel, b| if channel == 0 { b + 15.0 } else { b });
    let off = off(&some(), &redder);
    let red = of(&off, "red_mean");
    assert!(red.fake > red.real + 3.0 && red.effect > 2.0, "{red:?}");
    assert!(red.words().starts_with("mean redness a* is higher than in real images ("));
    assert_eq!(off[0].group, Group::Colour);
}

#[test]
fn blurred_images_lack_mostly_fine_detail() {
    let blurred: Vec<Image> = some().iter().map(blurred).collect();
    let off = off(&some(), &blurred);
    let detail = of(&off, "detail_1");
    assert!(detail.fake < 0.8 * detail.real, "{detail:?}");
    for other in ["detail_2", "detail_4"] {
        assert!(of(&off, other).fake / of(&off, other).real > detail.fake / detail.real);
    }
    let place = off.iter().position(|o| o.name == "detail_1").unwrap();
    assert!(place < 8, "{:?}", off.iter().take(12).map(|o| o.name).collect::<Vec<_>>());
}

#[test]
fn a_grid_raises_its_own_feature_and_little_else() {
    for (name, other, period) in [("grid_2", "grid_4", 1), ("grid_4", "grid_2", 2)] {
        let set = changed(&some(), |x, y, _, byte| {
            if (x / period + y / period) % 2 == 0 { byte + 2.0 } else { byte - 2.0 }
        });
        let off = off(&some(), &set);
        assert_eq!(off[0].name, name, "{off:?}");
        assert!(off[0].fake > off[0].real + 4.0 && off[0].effect > 2.0, "{:?}", off[0]);
        let others = off.iter().filter(|o| o.group != Group::Texture || o.name == other);
        assert!(others.clone().all(|o| o.effect.abs() < 0.8), "{:?}", others.collect::<Vec<_>>());
    }
}

#[test]
fn a_repeated_image_varies_less() {
    let same = vec![some()[3].clone(); 40];
    let off = off(&some(), &same);
    assert_eq!(of(&off, "detail_1").spread, -10.0);
    assert!(off[0].words().contains("varies less than in real images"), "{}", off[0].words());
}

#[test]
fn a_set_does_not_differ_from_itself() {
    let off = off(&some(), &some());
    assert_eq!(off.len(), features().len());
    assert!(off.iter().all(|o| o.effect == 0.0 && o.spread == 0.0));
    assert_eq!(of(&off, "lightness_mean").words(), "mean lightness L* is as in real images");
    assert!(what_is_off(&rows(&some()), &Features::default()).is_empty());
}

#[test]
fn words_name_the_direction_and_the_size_of_a_difference() {
    let off = Off {
        name: "lightness_mean",
        group: Group::Colour,
        what: "mean lightness L*",
        real: 68.42,
        fake: 62.1,
        effect: -0.91,
        spread: 0.3,
    };
    assert_eq!(
        off.words(),
        "mean lightness L* is lower than in real images (62.1 against 68.4, 0.9 standard deviations)"
    );
    let off = Off { spread: -1.0, ..off };
    assert_eq!(
        off.words(),
        "mean lightness L* varies less than in real images (0.50 times as much)"
    );
}

#[test]
fn standardised_features_have_mean_0_and_deviation_1_and_stay_within_20() {
    let real = rows(&some());
    let standard = Standard::of(&real);
    let scaled = standard.apply(&real);
    let column = |name: &str| {
        let at = features().iter().position(|f| f.name == name).unwrap();
        scaled.values.iter().skip(at).step_by(scaled.dims).copied().collect::<Vec<f32>>()
    };
    let lightness = column("lightness_mean");
    let mean = lightness.iter().sum::<f32>() / 40.0;
    let variance = lightness.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 39.0;
    assert!(mean.abs() < 1e-3 && (variance - 1.0).abs() < 1e-3, "{mean}, {variance}");
    // Every image has a lesion, so this feature is constant.
    assert!(column("lesion_found").iter().all(|v| *v == 0.0));
    let black = standard.apply(&rows(&[Image::filled(64, 64, [0; 3])]));
    assert!(black.values.iter().all(|v| v.abs() <= 20.0));
    let found = features().iter().position(|f| f.name == "lesion_found").unwrap();
    assert_eq!(black.values[found], -20.0);
}

#[test]
fn a_row_depends_on_its_image_alone() {
    let set = some();
    assert_eq!(rows(&set).row(7), rows(&set[7..8]).row(0));
}

#[test]
fn larger_images_are_resized_before_measuring() {
    let small = circle(16.0);
    let mut large = Image::filled(128, 128, [0; 3]);
    for (i, byte) in large.pixels.iter_mut().enumerate() {
        let (x, y) = (i / 3 % 128, i / 3 / 128);
        *byte = small.pixels[(y / 2 * 64 + x / 2) * 3 + i % 3];
    }
    for name in ["lightness_mean", "lesion_area", "border_irregularity"] {
        let (small, large) = (value(&small, name), value(&large, name));
        assert!((small - large).abs() < 0.02 * small, "{name}: {small} against {large}");
    }
}

#[test]
fn an_image_without_pixels_is_an_error() {
    assert!(Handmade.extract(&[Image::filled(0, 4, [0; 3])]).is_err());
    let short = Image { width: 4, height: 4, pixels: vec![0; 5] };
    assert!(Handmade.extract(&[short]).is_err());
}

#[test]
fn group_names_are_lower_case_in_reports() {
    let off = off(&some(), &some());
    let json = serde_json::to_string(of(&off, "lightness_mean")).unwrap();
    assert!(json.contains(r#""group":"colour""#), "{json}");
}

#[test]
fn every_feature_of_an_extreme_image_is_finite() {
    let colours = [[0; 3], [255; 3], [255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 0, 0]];
    for (width, height) in [(1, 1), (1, 300), (300, 1), (2, 3), (64, 64), (65, 63)] {
        let set = colours.map(|colour| Image::filled(width, height, colour));
        assert!(rows(&set).values.iter().all(|v| v.is_finite()));
    }
    // Half black and half white; black with one white pixel; stripes; white with a black corner.
    let tests: [fn(usize, usize) -> bool; 4] =
        [|x, _| x < 32, |x, y| x == 32 && y == 32, |_, y| y % 2 == 0, |x, y| x > 4 || y > 4];
    for test in tests {
        let set = changed(
            &[Image::filled(64, 64, [0; 3])],
            |x, y, _, _| {
                if test(x, y) { 255.0 } else { 0.0 }
            },
        );
        assert!(rows(&set).values.iter().all(|v| v.is_finite()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_feature_of_any_image_is_finite(
        width in 1_usize..90,
        height in 1_usize..90,
        seed: u64,
        levels in 1_u64..256,
    ) {
        // Few levels give large flat regions, many levels give noise.
        let byte = |i: usize| (u64::from(noise(seed.wrapping_add(i as u64)).to_bits()) % levels) as u8;
        let pixels = (0..width * height * 3).map(byte).collect();
        let row = Handmade.extract(&[Image { width, height, pixels }]).unwrap();
        prop_assert_eq!(row.len(), Handmade.dims());
        prop_assert!(row.iter().all(|v| v.is_finite()));
        let found = features().iter().position(|f| f.name == "lesion_found").unwrap();
        prop_assert!(row[found] == 0.0 || row[found] == 1.0);
    }
}
