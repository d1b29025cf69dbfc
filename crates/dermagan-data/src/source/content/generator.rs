//! The marks that generators of images leave in their files.

use std::io::Cursor;

use image::ImageFormat;

use crate::source::content::metadata::parts;

/// The generator that a file names as its maker, in words. Only marks that no camera and no editor writes count.
pub(crate) fn of(format: ImageFormat, bytes: &[u8]) -> Option<&'static str> {
    parts(format, bytes).iter().find_map(|part| match part.name {
        "tEXt" | "iTXt" | "zTXt" => {
            let end = part.bytes.iter().position(|&byte| byte == 0)?;
            let keyword = String::from_utf8_lossy(&part.bytes[..end]);
            by_text(&keyword, &part.bytes[end..]).or_else(|| {
                // The value may be compressed: the keyword says whether that is worth a look.
                let known = ["Software", "parameters", "prompt", "XML:com.adobe.xmp"];
                let value = known.contains(&&*keyword).then(|| value(bytes, &keyword))??;
                by_text(&keyword, value.as_bytes())
            })
        }
        _ => by_any(part.bytes),
    })
}

/// The uncompressed value of a PNG's text with this keyword.
fn value(png: &[u8], keyword: &str) -> Option<String> {
    let reader = png::Decoder::new(Cursor::new(png)).read_info().ok()?;
    let info = reader.info();
    let compressed = info.compressed_latin1_text.iter().find(|text| text.keyword == keyword);
    match compressed {
        Some(text) => text.get_text().ok(),
        None => info.utf8_text.iter().find(|text| text.keyword == keyword)?.get_text().ok(),
    }
}

/// The generator that a text chunk names. `value` may begin with the zeros that an iTXt has before its text.
fn by_text(keyword: &str, value: &[u8]) -> Option<&'static str> {
    let text = &value[value.iter().position(|&byte| byte != 0).unwrap_or(value.len())..];
    match keyword {
        _ if keyword.starts_with("dermagan:") => Some("dermagan"),
        "Software" if text.starts_with(b"dermagan") => Some("dermagan"),
        "Software" if text.starts_with(b"NovelAI") => Some("NovelAI"),
        "parameters" if has(text, b"Steps: ") => Some("Stable Diffusion"),
        "prompt" if has(text, b"\"class_type\"") => Some("ComfyUI"),
        "invokeai_metadata" | "sd-metadata" => Some("InvokeAI"),
        _ => by_any(text),
    }
}

/// The generator that any other part names: EXIF, XMP, C2PA or a comment.
fn by_any(bytes: &[u8]) -> Option<&'static str> {
    if has(bytes, b"SYNTHETIC image made by a generative model") {
        return Some("dermagan");
    }
    // The International Press Telecommunications Council's word for images that a trained model made, in XMP and C2PA.
    if has(bytes, b"digitalsourcetype/trainedAlgorithmicMedia") {
        return Some("a model, by its digital source type");
    }
    // The user comment of EXIF has two bytes for each character.
    if has(bytes, b"UNICODE\0") {
        let text: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != 0).collect();
        if has(&text, b"Steps: ") && has(&text, b"Sampler: ") {
            return Some("Stable Diffusion");
        }
    }
    None
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(add: impl Fn(&mut png::Encoder<'_, &mut Vec<u8>>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        add(&mut encoder);
        encoder.write_header().unwrap().write_image_data(&[7]).unwrap();
        bytes
    }

    fn text(keyword: &str, value: &str) -> Option<&'static str> {
        let [keyword, value] = [keyword, value].map(str::to_owned);
        let plain = png(|e| e.add_text_chunk(keyword.clone(), value.clone()).unwrap());
        let utf8 = png(|e| e.add_itxt_chunk(keyword.clone(), value.clone()).unwrap());
        let zipped = png(|e| e.add_ztxt_chunk(keyword.clone(), value.clone()).unwrap());
        let [a, b, c] = [plain, utf8, zipped].map(|bytes| of(ImageFormat::Png, &bytes));
        assert_eq!((a, a), (b, c), "{keyword}: {value}");
        a
    }

    #[test]
    fn dermagan_and_other_generators_are_known_by_the_text_of_a_png() {
        assert_eq!(text("dermagan:seed", "7"), Some("dermagan"));
        assert_eq!(text("Software", "dermagan 0.1.0"), Some("dermagan"));
        let settings = "skin\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1";
        assert_eq!(text("parameters", settings), Some("Stable Diffusion"));
        assert_eq!(text("prompt", "{\"3\": {\"class_type\": \"KSampler\"}}"), Some("ComfyUI"));
        let source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
        assert!(text("XML:com.adobe.xmp", source).is_some());
    }

    #[test]
    fn the_texts_of_cameras_and_editors_are_no_marks() {
        for (keyword, value) in [
            ("Software", "Adobe Photoshop"),
            ("Software", "GIMP 2.10, not dermagan"),
            ("parameters", "exposure 3"),
            ("prompt", "a skin lesion"),
            ("Description", "nevus"),
            ("XML:com.adobe.xmp", "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"),
        ] {
            assert_eq!(text(keyword, value), None, "{keyword}: {value}");
        }
    }

    #[test]
    fn marks_in_a_jpeg_and_a_webp_are_found() {
        let xmp = b"digitalsourcetype/trainedAlgorithmicMedia";
        let segment = |marker: u8, payload: &[u8]| {
            [&[0xff, marker, 0, payload.len() as u8 + 2], payload].concat()
        };
        let frame = segment(0xc0, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
        let jpeg = |marker, payload: &[u8]| {
            [vec![0xff, 0xd8], segment(marker, payload), frame.clone(), segment(0xda, &[])].concat()
        };
        assert!(of(ImageFormat::Jpeg, &jpeg(0xe1, xmp)).is_some());
        assert_eq!(of(ImageFormat::Jpeg, &jpeg(0xe1, b"Exif\0\0 a camera")), None);
        let comment: Vec<u8> =
            "Steps: 20, Sampler: Euler".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let exif = [b"Exif\0\0UNICODE\0".as_slice(), &comment].concat();
        assert_eq!(of(ImageFormat::Jpeg, &jpeg(0xe1, &exif)), Some("Stable Diffusion"));
        let size = (xmp.len() as u32).to_le_bytes();
        let webp = [b"RIFF\0\0\0\0WEBPXMP ".as_slice(), &size, xmp].concat();
        assert!(of(ImageFormat::WebP, &webp).is_some());
    }
}
