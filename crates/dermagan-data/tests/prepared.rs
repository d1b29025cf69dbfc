//! The preparation, the split, and the order of the training images.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::*;
use dermagan_base::orientation::Orientation;
use dermagan_data::order::{Draw, Order, to_planes};
use dermagan_data::split::{self, Side};
use dermagan_data::{Filter, Fit, HAM10000, Header, Options, Record, Source, grid, prepare};
use proptest::prelude::*;
use safetensors::SafeTensors;

#[test]
fn an_unchanged_source_is_not_decoded_again_but_a_changed_one_is() {
    let folder = Folder::ham(3);
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("c");
    let made = |expected: bool| {
        let reused = prepare_to(&folder.open().unwrap(), &target, false).unwrap().reused;
        assert_eq!(reused, expected);
    };
    made(false);
    made(true);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", &jpeg(99));
    made(false);
    let other = Options { fit: Fit::Pad, ..OPTIONS };
    assert!(
        !prepare(&folder.open().unwrap(), other, &target, false, &mut |_, _| {}).unwrap().reused
    );
}

#[test]
fn the_file_that_a_killed_preparation_left_is_neither_trusted_nor_an_obstacle() {
    let folder = Folder::ham(3);
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("c");
    std::fs::write(out.path().join("c.partial"), vec![7; 100_000]).unwrap();
    let prepared = prepare_to(&folder.open().unwrap(), &target, false).unwrap();
    assert_eq!((prepared.reused, prepared.cache.len()), (false, 3));
    assert!(prepared.cache.verify().is_empty());
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1);
}

#[test]
fn squash_with_the_bilinear_filter_equals_pillows_resize() {
    let bytes = fixture("resize.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let source =
        image::RgbImage::from_raw(60, 45, file.tensor("source").unwrap().data().to_vec()).unwrap();
    let folder = Folder::new();
    folder.put("nv/a.png", b"");
    source.save(folder.path().join("nv/a.png")).unwrap();
    let options = Options { size: 16, fit: Fit::Squash, filter: Filter::Bilinear };
    let out = tempfile::tempdir().unwrap();
    let prepared =
        prepare(&folder.open().unwrap(), options, &out.path().join("c"), false, &mut |_, _| {})
            .unwrap();
    let pillow = file.tensor("resized").unwrap().data().to_vec();
    let worst = prepared.cache.pixels(0).iter().zip(&pillow).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst <= Some(1), "worst pixel is off by {worst:?}");
}

#[test]
fn the_grid_has_a_row_for_each_class_that_has_images() {
    let image = grid(&Source::open("phantom:60").unwrap(), 4, 24, Fit::Crop).unwrap();
    assert_eq!((image.width, image.height), (4 * 24, 7 * 24));
}

#[test]
fn the_real_archive_has_the_published_counts_and_its_two_identical_pairs() {
    let Some(path) = real_data("ham10000-200x150.zip") else { return };
    let source = Source::open(&path.to_string_lossy()).unwrap();
    let summary = summary(&source);
    assert_eq!((summary.images, summary.lesions), (10_015, Some(7_470)));
    let counts: Vec<usize> = summary.classes.iter().map(|c| c.images).collect();
    assert_eq!(counts, [327, 514, 1099, 115, 1113, 6705, 142]);
    assert_eq!(summary.differs_from_published.as_deref(), Some(&[][..]));
    assert_eq!(
        (summary.age["none"], summary.sex["unknown"], summary.localization["unknown"]),
        (57, 57, 234)
    );
    assert_eq!(source.records.iter().filter(|r| r.age == Some(0.0)).count(), 39);
    assert_eq!((summary.dx_type["histo"], summary.dx_type["confocal"]), (5340, 69));
    let out = tempfile::tempdir().unwrap();
    let cache = prepare_to(&source, &out.path().join("c"), true).unwrap().cache;
    let pair = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
    let expected = [pair("ISIC_0024366", "ISIC_0029861"), pair("ISIC_0024777", "ISIC_0029938")];
    assert_eq!(cache.header().report.identical, expected);
    check_split(&cache.header().records, &cache.header().hashes, 0);
    let sides = split::of_header(cache.header());
    check_merged(cache.header(), &sides);
    for class in 0..7 {
        let of = |side| {
            let here = cache
                .header()
                .records
                .iter()
                .zip(&sides)
                .filter(|(r, s)| r.class == class && **s == side);
            here.count() as f64
        };
        let all = of(Side::Train) + of(Side::Val) + of(Side::Test);
        assert!((of(Side::Test) / all - 0.1).abs() < 0.02, "class {class}");
        assert!((of(Side::Val) / all - 0.1).abs() < 0.02, "class {class}");
    }
}

#[test]
fn the_full_size_sample_is_read_with_its_extra_segments() {
    let Some(path) = real_data("ham10000-600x450-sample.zip") else { return };
    let source = Source::open(&path.to_string_lossy()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let cache = prepare_to(&source, &out.path().join("c"), true).unwrap().cache;
    assert_eq!(cache.len(), 210);
    assert_eq!(summary(&source).sizes["600x450"], 210);
}

/// Checks that both images of each known pair are on one side, that nothing left the training side of version 1, and that
/// the facts count the pairs.
fn check_merged(header: &Header, sides: &[Side]) {
    let before = split::of_version(header, 1);
    let at = |id: &str| header.records.iter().position(|r| r.image_id == id).unwrap();
    let mut apart = 0;
    for [a, b] in &HAM10000.same_lesion {
        assert_ne!(header.records[at(a)].lesion_id, header.records[at(b)].lesion_id);
        assert_eq!(sides[at(a)], sides[at(b)], "{a} {b}");
        apart += usize::from(before[at(a)] != before[at(b)]);
    }
    assert!(apart > 0, "version 1 had some pairs on two sides");
    for (before, now) in before.iter().zip(sides) {
        assert!(before == now || *now == Side::Train || *before == Side::Test, "{before} {now}");
        assert!(*before != Side::Train || *now == Side::Train);
    }
    let facts = split::facts(header);
    assert_eq!((facts.merged, facts.on_two_sides), (18, 0));
    assert!(facts.to_string().contains("18 pairs of lesion ids are one lesion each"), "{facts}");
    assert_eq!(
        (split::name(header, 2), split::name(header, 1)),
        ("lesion-2".into(), "lesion-1".into())
    );
}

#[test]
fn lesions_under_two_ids_are_joined_on_the_training_side() {
    let [a, b] = &HAM10000.same_lesion[0];
    let mut joined = BTreeSet::new();
    for seed in 0..40 {
        let mut records: Vec<Record> = (0..30).map(|i| Record::bare(format!("I{i}"), 0)).collect();
        records.extend([a, b].map(|id| Record::bare(id, 0)));
        for (i, record) in records.iter_mut().enumerate() {
            record.lesion_id = Some(format!("L{i}"));
        }
        let sides = split::assign(&records, &[], seed);
        assert_eq!(sides[30], sides[31]);
        joined.insert(sides[30]);
    }
    // Each was held out in a tenth of the draws, and both in few.
    assert!(joined.contains(&Side::Train));
    let groups = split::groups(&[Record::bare(a, 0), Record::bare(b, 0)], &[]);
    assert_eq!(groups, [0, 0]);
}

/// Checks that no lesion and no image is on two sides.
fn check_split(records: &[Record], hashes: &[u64], seed: u64) {
    let sides = split::assign(records, hashes, seed);
    let mut lesions: BTreeMap<&str, Side> = BTreeMap::new();
    let mut images: BTreeMap<u64, Side> = BTreeMap::new();
    for ((record, hash), side) in records.iter().zip(hashes).zip(&sides) {
        assert_eq!(images.entry(*hash).or_insert(*side), side);
        if let Some(lesion) = &record.lesion_id {
            assert_eq!(lesions.entry(lesion).or_insert(*side), side);
        }
    }
}

fn records() -> impl Strategy<Value = (Vec<Record>, Vec<u64>)> {
    prop::collection::vec((0..40u32, 0..3usize, 0..200u64, any::<bool>()), 1..120).prop_map(
        |rows| {
            let record = |(i, (lesion, _, _, grouped)): (usize, &(u32, usize, u64, bool))| {
                let mut record = Record::bare(format!("I{i:04}"), *lesion as usize % 3);
                record.lesion_id = grouped.then(|| format!("L{lesion}"));
                record
            };
            let hashes = rows.iter().map(|row| row.2).collect();
            (rows.iter().enumerate().map(record).collect(), hashes)
        },
    )
}

proptest! {
    #[test]
    fn no_lesion_and_no_image_is_on_two_sides((records, hashes) in records(), seed in any::<u64>()) {
        check_split(&records, &hashes, seed);
    }

    #[test]
    fn the_split_does_not_depend_on_the_order_of_the_rows((records, hashes) in records(), seed in any::<u64>()) {
        let forward = split::assign(&records, &hashes, seed);
        let (r, h): (Vec<_>, Vec<_>) = (records.iter().rev().cloned().collect(), hashes.iter().rev().copied().collect());
        let mut backward = split::assign(&r, &h, seed);
        backward.reverse();
        prop_assert_eq!(forward, backward);
    }

    #[test]
    fn every_image_is_drawn_once_per_epoch(n in 1usize..60, seed in any::<u64>(), epoch in 0u64..5) {
        let order = Order::uniform(seed, (0..n as u32).collect());
        let start = epoch * n as u64;
        let seen: BTreeSet<u32> = (start..start + n as u64).map(|i| order.at(i).image).collect();
        prop_assert_eq!(seen.len(), n);
    }

    #[test]
    fn a_draw_is_a_function_of_seed_and_position(n in 1u32..60, seed in any::<u64>(), positions in prop::collection::vec(0u64..1000, 1..20)) {
        let order = || Order::uniform(seed, (0..n).collect()).augmented(true, true);
        let kept = order();
        for position in positions {
            // The same in any order of positions, and from a new start.
            prop_assert_eq!(kept.at(position), order().at(position));
        }
    }

    #[test]
    fn balanced_draws_take_every_class_equally_often_and_every_image_of_a_class_before_any_again(
        sizes in prop::collection::vec(1usize..12, 2..6), seed in any::<u64>(),
    ) {
        let class_of: Vec<usize> = sizes.iter().enumerate().flat_map(|(c, n)| vec![c; *n]).collect();
        let images: Vec<u32> = (0..class_of.len() as u32).collect();
        let order = Order::balanced(seed, &images, |i| class_of[i as usize], 1.0);
        let rounds = 24u64;
        let draws: Vec<Draw> = (0..rounds * sizes.len() as u64).map(|i| order.at(i)).collect();
        for (class, size) in sizes.iter().enumerate() {
            let of_class: Vec<u32> = draws.iter().map(|d| d.image).filter(|i| class_of[*i as usize] == class).collect();
            prop_assert_eq!(of_class.len() as u64, rounds);
            let first: BTreeSet<u32> = of_class[..*size].iter().copied().collect();
            prop_assert_eq!(first.len(), *size);
        }
    }
}

#[test]
fn draws_with_evenness_one_half_follow_the_square_root_of_the_class_size() {
    let sizes = [400, 25, 100];
    let class_of: Vec<usize> = (0..).zip(sizes).flat_map(|(c, n)| vec![c; n]).collect();
    let images: Vec<u32> = (0..class_of.len() as u32).collect();
    let order = |evenness| Order::balanced(3, &images, |i| class_of[i as usize], evenness);
    for (evenness, round) in [(0.5, [16, 4, 8]), (0.0, [64, 4, 16]), (1.0, [1, 1, 1])] {
        let (order, draws) = (order(evenness), round.iter().sum::<usize>());
        let drawn: Vec<u32> = (0..40 * draws as u64).map(|i| order.at(i).image).collect();
        for (class, (size, share)) in sizes.into_iter().zip(round).enumerate() {
            let of_class = |drawn: &[u32]| -> Vec<u32> {
                drawn.iter().copied().filter(|&i| class_of[i as usize] == class).collect()
            };
            assert!(drawn.chunks(draws).all(|round| of_class(round).len() == share), "{class}");
            for epoch in of_class(&drawn).chunks(size) {
                let images: BTreeSet<u32> = epoch.iter().copied().collect();
                assert_eq!(
                    images.len(),
                    epoch.len(),
                    "class {class}, evenness {evenness}: an image came twice"
                );
            }
        }
    }
    assert_ne!(order(0.5).at(7), order(1.0).at(7));
}

#[test]
fn a_small_class_is_on_every_side() {
    let records: Vec<Record> = (0..3).map(|i| Record::bare(format!("I{i}"), 0)).collect();
    let sides: BTreeSet<Side> = split::assign(&records, &[1, 2, 3], 0).into_iter().collect();
    assert_eq!(sides.len(), 3);
}

#[test]
fn quarter_turns_and_mirroring_move_pixels_to_the_right_places() {
    // The top left corner of a 4 × 4 image is red.
    let mut pixels = vec![0u8; 4 * 4 * 3];
    pixels[0] = 255;
    let corner = |mirror, quarters| {
        let mut planes = vec![0.0; 3 * 16];
        to_planes(&pixels, 4, Orientation { mirror, quarters }, &mut planes);
        assert!(planes.iter().all(|v| *v == 1.0 || *v == -1.0));
        let at = planes.iter().position(|v| *v == 1.0).unwrap();
        (at % 4, at / 4)
    };
    assert_eq!(corner(false, 0), (0, 0));
    assert_eq!(corner(true, 0), (3, 0));
    let rotated: BTreeSet<_> = (0..4).map(|quarters| corner(false, quarters)).collect();
    assert_eq!(rotated, BTreeSet::from([(0, 0), (3, 0), (0, 3), (3, 3)]));
    assert_eq!(corner(false, 1), (0, 3), "a quarter turn counter-clockwise");
}
