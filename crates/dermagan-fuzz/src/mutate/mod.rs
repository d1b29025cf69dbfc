//! Changes files so that they stay well formed: checksums and lengths are computed again.
//!
//! A change of a random byte of a zip, a PNG or a cache is nearly always found by a checksum, and the code behind the
//! checksum is never reached. So a file is taken apart, one of its parts is changed, and it is put together again. A
//! file that cannot be taken apart is changed as plain bytes, and so is every fourth.

mod cache;
mod part;
mod png;
mod safetensors;
mod zip;

pub use part::Plain;
use part::Random;

/// How a file is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As plain bytes.
    Plain,
    /// As a zip: also npz and `.pth`.
    Zip,
    /// As a PNG. Files of other formats are plain.
    Png,
    /// As safetensors with dermagan's metadata.
    Safetensors,
    /// As a cache of prepared images.
    Cache,
}

/// Changes the first `length` bytes of `buffer` and returns their new number, at most the buffer's. Equal seeds make
/// equal choices.
pub fn mutate(
    shape: Shape,
    buffer: &mut [u8],
    length: usize,
    seed: u32,
    plain: Plain<'_>,
) -> usize {
    let mut random = Random::new(seed);
    if shape == Shape::Plain || random.below(4) == 0 {
        return plain(buffer, length);
    }
    let bytes = &buffer[..length];
    let changed = match shape {
        Shape::Plain => None,
        Shape::Zip => zip::mutate(bytes, &mut random, plain),
        Shape::Png => png::mutate(bytes, &mut random, plain),
        Shape::Safetensors => safetensors::mutate(bytes, &mut random, plain),
        Shape::Cache => cache::mutate(bytes, &mut random, plain),
    };
    match changed.filter(|changed| changed.len() <= buffer.len()) {
        Some(changed) => {
            buffer[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        None => plain(buffer, length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds 1 to the last byte.
    fn plain(buffer: &mut [u8], length: usize) -> usize {
        if let Some(last) = length.checked_sub(1) {
            buffer[last] = buffer[last].wrapping_add(1);
        }
        length
    }

    /// Mutates `bytes` with 100 seeds, and returns how many of the results differ and pass `valid`.
    fn valid_of_100(shape: Shape, bytes: &[u8], valid: impl Fn(&[u8]) -> bool) -> usize {
        let one = |seed| {
            let mut buffer = bytes.to_vec();
            buffer.resize(bytes.len() + 1024, 0);
            let length = mutate(shape, &mut buffer, bytes.len(), seed, &mut plain);
            &buffer[..length] != bytes && valid(&buffer[..length])
        };
        (0..100).filter(|seed| one(*seed)).count()
    }

    #[test]
    fn a_changed_png_still_decodes() {
        let image = dermagan_base::image::Image::filled(4, 4, [1, 2, 3]);
        let bytes = image.to_png(&[("Software", "dermagan".into())]).unwrap();
        let opens = |bytes: &[u8]| {
            ::png::Decoder::new(std::io::Cursor::new(bytes.to_vec())).read_info().is_ok()
        };
        assert!(valid_of_100(Shape::Png, &bytes, opens) > 25);
    }

    #[test]
    fn a_changed_zip_still_opens_and_all_its_files_can_be_read() {
        let bytes = zip::pack(vec![
            ("a.csv".into(), b"a,b".to_vec(), false),
            ("b".into(), vec![7; 50], true),
        ])
        .unwrap();
        let opens = |bytes: &[u8]| zip::unpack(bytes).is_some();
        assert!(valid_of_100(Shape::Zip, &bytes, opens) > 70);
    }
}
