//! The segments of a JPEG file: each is a marker, a length and a payload.

use std::ops::Range;

pub(super) const SOI: u8 = 0xd8;
pub(super) const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;
pub(super) const DHT: u8 = 0xc4;
pub(super) const DRI: u8 = 0xdd;
pub(super) const APP0: u8 = 0xe0;
pub(super) const APP14: u8 = 0xee;

/// One segment of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The second byte of its marker.
    pub marker: u8,
    /// The whole segment in the file, from the marker's 0xff to the end of its payload.
    pub all: Range<usize>,
    /// The payload in the file, without marker and length.
    pub payload: Range<usize>,
}

/// What follows at a position between segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A segment with a payload.
    Segment(Segment),
    /// The end marker.
    End,
    /// The file ends before the next segment does.
    Cut,
}

/// The next segment at or after `at`. Bytes that belong to no segment, fill bytes and restart markers are skipped, as
/// libjpeg does.
pub(super) fn next(bytes: &[u8], mut at: usize) -> Next {
    loop {
        let Some(skipped) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xff))
        else {
            return Next::Cut;
        };
        at += skipped;
        let Some(fill) = bytes[at..].iter().position(|&b| b != 0xff) else { return Next::Cut };
        // The marker's 0xff is the last one before its second byte.
        at += fill - 1;
        match bytes[at + 1] {
            // A stuffed zero, or a marker without a payload.
            0x00 | 0x01 | 0xd0..=0xd7 | SOI => at += 2,
            EOI => return Next::End,
            marker => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return Next::Cut };
                let end = at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
                if end > bytes.len() {
                    return Next::Cut;
                }
                return Next::Segment(Segment { marker, all: at..end, payload: at + 4..end });
            }
        }
    }
}

/// One component of a frame: a plane of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub id: u8,
    /// Horizontal sampling factor, 1 to 4.
    pub h: usize,
    /// Vertical sampling factor, 1 to 4.
    pub v: usize,
}

/// The start-of-frame segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The second byte of its marker: 0xc0 and 0xc1 are sequential, 0xc2 is progressive.
    pub marker: u8,
    pub width: usize,
    pub height: usize,
    pub components: Vec<Component>,
}

impl Frame {
    fn parse(marker: u8, payload: &[u8]) -> Result<Self, String> {
        let &[precision, h1, h2, w1, w2, count, ref rest @ ..] = payload else {
            return Err("a frame header that is too short".into());
        };
        if precision != 8 {
            return Err(format!("{precision} bits per sample, expected 8"));
        }
        let (width, height) = (u16::from_be_bytes([w1, w2]), u16::from_be_bytes([h1, h2]));
        if width == 0 || height == 0 {
            return Err(format!("{width}x{height} pixels"));
        }
        let components: Vec<Component> = rest
            .chunks_exact(3)
            .map(|c| Component { id: c[0], h: usize::from(c[1] >> 4), v: usize::from(c[1] & 15) })
            .collect();
        if !matches!(count, 1 | 3 | 4) || components.len() != usize::from(count) {
            return Err(format!("{count} components, expected 1, 3 or 4"));
        }
        if components.iter().any(|c| !(1..=4).contains(&c.h) || !(1..=4).contains(&c.v)) {
            return Err("a sampling factor outside 1 to 4".into());
        }
        Ok(Self { marker, width: width.into(), height: height.into(), components })
    }
}

/// Everything before the first scan.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The segments in their order, the first scan's header included.
    pub segments: Vec<Segment>,
    pub(super) frame: Frame,
    /// Whether bytes that belong to no segment lie between the segments.
    pub(super) stray: bool,
}

/// Why a file has no usable head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// The file ends before its image data.
    Cut,
    /// The file is whole but cannot be decoded, with the reason.
    Unusable(String),
}

impl Head {
    /// Reads the segments of a JPEG up to its first scan's header.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn read(bytes: &[u8]) -> Result<Self, HeadError> {
        let mut segments = Vec::new();
        let mut frame = None;
        let (mut at, mut stray) = (2, false);
        loop {
            let segment = match next(bytes, at) {
                Next::Segment(segment) => segment,
                Next::End | Next::Cut => return Err(HeadError::Cut),
            };
            stray |= segment.all.start != at;
            at = segment.all.end;
            let marker = segment.marker;
            if matches!(marker, 0xc0..=0xcf) && !matches!(marker, DHT | 0xc8 | 0xcc) {
                if frame.is_some() {
                    return Err(HeadError::Unusable("two frame headers".into()));
                }
                let payload = &bytes[segment.payload.clone()];
                frame = Some(Frame::parse(marker, payload).map_err(HeadError::Unusable)?);
            }
            segments.push(segment);
            if marker == SOS {
                let frame =
                    frame.ok_or_else(|| HeadError::Unusable("no frame header".to_owned()))?;
                return Ok(Self { segments, frame, stray });
            }
        }
    }

    /// Width and height in pixels, before the EXIF orientation is applied.
    pub fn size(&self) -> (u32, u32) {
        (self.frame.width as u32, self.frame.height as u32)
    }

    /// Where the data of the first scan begin.
    pub(super) fn data(&self) -> usize {
        self.segments.last().map_or(0, |sos| sos.all.end)
    }
}

/// Width and height in pixels from a file or its first part, before the EXIF orientation is applied. `None` if the
/// frame header is not there or not usable.
pub(crate) fn size(head: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let Next::Segment(segment) = next(head, at) else { return None };
        let marker = segment.marker;
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, DHT | 0xc8 | 0xcc) {
            let frame = Frame::parse(marker, &head[segment.payload]).ok()?;
            return Some((frame.width as u32, frame.height as u32));
        }
        if marker == SOS {
            return None;
        }
        at = segment.all.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_and_fill_bytes_between_segments_are_skipped() {
        let bytes = [0xff, SOI, 7, 0xff, 0xff, 0xfe, 0, 3, 9, 0xff, EOI];
        let Next::Segment(comment) = next(&bytes, 2) else { panic!("no segment") };
        assert_eq!((comment.marker, comment.all, comment.payload), (0xfe, 4..9, 8..9));
        assert_eq!(next(&bytes, 9), Next::End);
        for cut in 3..9 {
            assert_eq!(next(&bytes[..cut], 2), Next::Cut, "cut at {cut}");
        }
    }

    #[test]
    fn a_frame_with_two_components_or_no_pixels_is_refused() {
        let frame = |w: u8, count: u8| {
            let mut payload = vec![8, 0, 16, 0, w, count];
            (0..count).for_each(|id| payload.extend([id + 1, 0x11, 0]));
            Frame::parse(0xc0, &payload)
        };
        assert_eq!(frame(8, 3).unwrap().components.len(), 3);
        assert!(frame(8, 2).unwrap_err().contains("2 components"));
        assert!(frame(0, 3).unwrap_err().contains("0x16"));
    }
}
