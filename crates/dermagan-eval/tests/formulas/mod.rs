//! Numbers and images from the formulas of scripts/formulas.py.

use dermagan_base::image::Image;

/// SplitMix64 seeded with the FNV-1a hash of a name.
pub fn random_bits(name: &str, count: usize) -> impl Iterator<Item = u64> + use<> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    (1..=count as u64).map(move |i| {
        let z = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

/// A gradient in each channel, with noise in its lower bits.
pub fn image(width: usize, height: usize) -> Image {
    let noise =
        random_bits(&format!("{width}x{height}"), width * height * 3).map(|bits| bits >> 59);
    let pixels = noise.enumerate().map(|(i, noise)| {
        let (x, y) = (i / 3 % width, i / 3 / width);
        let gradient = [x * 223 / width, y * 223 / height, (x + y) * 223 / (width + height)][i % 3];
        (gradient as u64 + noise) as u8
    });
    Image { width, height, pixels: pixels.collect() }
}
