//! How an array of numbers holds images: the meaning of its axes and of its values.

use std::io::Read;

use dermagan_base::npy::Header;

/// Largest side of an image in pixels.
const MAX_SIDE: usize = 4096;
/// Largest number of images.
const MAX_IMAGES: usize = 10_000_000;
/// A range of floats that ends below this is not that of 8-bit values.
const LEAST_OF_BYTES: f64 = 2.0;

/// The axes of an array of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Number of images.
    pub count: usize,
    /// Height in pixels.
    pub height: u32,
    /// Width in pixels.
    pub width: u32,
    /// 1 (grey) or 3 (RGB).
    channels: usize,
    /// Whether the values of one channel come together, before those of the next.
    planes: bool,
}

impl Layout {
    /// The layout of an array of this shape; `None` if it is not that of images.
    pub fn of(shape: &[usize]) -> Option<Self> {
        let (count, height, width, channels, planes) = match *shape {
            [n, h, w, c @ (1 | 3)] => (n, h, w, c, false),
            [n, c @ (1 | 3), h, w] => (n, h, w, c, true),
            [n, h, w] => (n, h, w, 1, false),
            _ => return None,
        };
        let side =
            |side: usize| u32::try_from(side).ok().filter(|_| (1..=MAX_SIDE).contains(&side));
        let (height, width) = (side(height)?, side(width)?);
        (1..=MAX_IMAGES).contains(&count).then_some(Self { count, height, width, channels, planes })
    }

    /// Whether there are no colour channels.
    pub fn is_grey(self) -> bool {
        self.channels == 1
    }

    /// Number of values of one image.
    pub fn values_of_one(self) -> u64 {
        u64::from(self.height) * u64::from(self.width) * self.channels as u64
    }

    /// Number of values of all images.
    pub fn values(self) -> u64 {
        self.values_of_one() * self.count as u64
    }

    /// The pixels of one image, RGB, from its values in 8 bits.
    pub fn rgb(self, values: &[u8]) -> Vec<u8> {
        match (self.channels, self.planes) {
            (1, _) => values.iter().flat_map(|v| [*v; 3]).collect(),
            (_, false) => values.to_vec(),
            (_, true) => {
                let plane = values.len() / 3;
                (0..plane).flat_map(|i| [0, 1, 2].map(|c| values[c * plane + i])).collect()
            }
        }
    }
}

/// How a value stands for a brightness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Encoding {
    /// 8-bit numbers.
    Bytes,
    /// Floats of 4 or 8 bytes in a range.
    Floats { bytes: u64, range: [f64; 2] },
}

impl Encoding {
    /// Number of bytes of a value: 1 for 8-bit numbers, 4 or 8 for floats.
    ///
    /// # Errors
    /// If the values are of another type.
    pub fn bytes_of(header: &Header) -> Result<u64, String> {
        if header.fortran {
            return Err(
                "its values are in Fortran's order, expected C's; write numpy.ascontiguousarray(x)"
                    .into(),
            );
        }
        match header.kind.as_deref() {
            Some("|u1") => Ok(1),
            Some("<f4") => Ok(4),
            Some("<f8") => Ok(8),
            other => Err(format!(
                "found values of type {}, expected uint8, float32 or float64; write x.astype('uint8')",
                other.unwrap_or("records")
            )),
        }
    }

    /// The encoding of `length` bytes of floats of `bytes` bytes each, by their range. Reads `at_once` bytes at a time.
    ///
    /// # Errors
    /// If a value is not finite, or the range is not that of images.
    pub fn of_floats(
        reader: &mut impl Read,
        bytes: u64,
        length: u64,
        at_once: usize,
    ) -> Result<Self, String> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut left = length;
        let mut buffer = vec![0; at_once];
        while left > 0 {
            let part = &mut buffer[..at_once.min(usize::try_from(left).unwrap_or(at_once))];
            reader.read_exact(part).map_err(|e| e.to_string())?;
            for value in floats(part, bytes) {
                if !value.is_finite() {
                    return Err(
                        "found a value that is not finite, expected numbers from -1 to 1".into()
                    );
                }
                (low, high) = (low.min(value), high.max(value));
            }
            left -= part.len() as u64;
        }
        let range = if (-1.0..0.0).contains(&low) && high <= 1.0 {
            [-1.0, 1.0]
        } else if low >= 0.0 && high <= 1.0 {
            [0.0, 1.0]
        } else if low >= 0.0 && (LEAST_OF_BYTES..=255.0).contains(&high) {
            [0.0, 255.0]
        } else {
            return Err(format!(
                "found values from {low} to {high}, expected floats from -1 to 1, 0 to 1 or 0 to 255; clip them, or write \
                 uint8"
            ));
        };
        Ok(Self::Floats { bytes, range })
    }

    /// Number of bytes of a value.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Bytes => 1,
            Self::Floats { bytes, .. } => bytes,
        }
    }

    /// The note on how floats became 8-bit values.
    pub fn note(self, name: &str) -> Option<String> {
        let Self::Floats { range: [low, high], .. } = self else { return None };
        Some(format!("{name} holds floats, which were taken as brightness from {low} to {high}"))
    }

    /// The brightness of values, 0 to 255.
    pub fn to_bytes(self, raw: &[u8]) -> Vec<u8> {
        match self {
            Self::Bytes => raw.to_vec(),
            Self::Floats { bytes, range: [low, high] } => floats(raw, bytes)
                .map(|v| (255.0 * (v - low) / (high - low)).round().clamp(0.0, 255.0) as u8)
                .collect(),
        }
    }
}

/// The little-endian floats of 4 or 8 bytes in `raw`.
fn floats(raw: &[u8], bytes: u64) -> impl Iterator<Item = f64> + '_ {
    raw.chunks_exact(bytes as usize).map(move |value| match *value {
        [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => f64::NAN,
    })
}
