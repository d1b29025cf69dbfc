//! A small set for the tests of this crate.

use dermagan_base::image::Image;

use dermagan_formats::{Item, Kind, Part, Set, Value};

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// Three images for training and two for validation, in two classes.
pub(crate) fn set() -> Set {
    let part = |name: &str, images| Part { name: name.into(), images };
    Set {
        title: "Squares".into(),
        licence: "CC BY-NC 4.0".into(),
        synthetic: false,
        about: vec!["For tests.".into()],
        classes: vec!["nv".into(), "mel".into()],
        parts: vec![part("train", 3), part("validation", 2), part("test", 0)],
        side: 4,
        columns: vec![
            ("lesion_id", Kind::Text),
            ("image_id", Kind::Text),
            ("dx", Kind::Text),
            ("age", Kind::Number),
            ("seed", Kind::Integer),
            ("producer", Kind::Text),
        ],
    }
}

pub(crate) fn items() -> Vec<Item> {
    let item = |i: usize| {
        let name = format!("image{i}");
        let code = ["nv", "mel"][i % 2];
        let mark = [("Comment", "Prepared by dermagan 0.1.0".to_owned())];
        let age = if i == 1 { Value::Missing } else { Value::Number(40.0 + i as f64) };
        Item {
            name: name.clone(),
            png: Image::filled(4, 4, [i as u8; 3]).to_png(&mark).unwrap(),
            class: Some(i % 2),
            values: vec![
                Value::Missing,
                text(&name),
                text(code),
                age,
                Value::Integer(u64::MAX - i as u64),
                text("dermagan \"0.1.0\""),
            ],
        }
    };
    (0..5).map(item).collect()
}
