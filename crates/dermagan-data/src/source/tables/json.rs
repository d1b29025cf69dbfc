//! JSON and JSON Lines as rows of cells: lists of objects, objects of columns, and StyleGAN's `dataset.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::source::tables::names::{has_image_extension, last_component, means_image};

/// Most cells of a table. Every row is filled to the last column that it has a value in.
const MAX_CELLS: usize = 8 << 20;

/// A table that was JSON.
pub(super) struct JsonTable {
    /// The names of the columns.
    pub header: Vec<String>,
    /// Each row with its number: that of the line in JSON Lines, else that of the row from 1.
    pub rows: Vec<(u64, Vec<String>)>,
    /// Whether this is StyleGAN's list of labels.
    pub stylegan: bool,
}

/// Limits of a table.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub rows: usize,
    pub columns: usize,
}

/// Whether a text may be JSON: its first character opens an object or a list.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with(['{', '['])
}

/// Reads a table from a text that [`is_json`].
///
/// # Errors
/// If it is no JSON, or its content is no table: says what was found. If it is larger than `limits`.
pub(super) fn read(text: &str, limits: Limits) -> Result<JsonTable, String> {
    match parse(text) {
        Ok(value) => of_value(value, limits),
        Err(whole) => match lines(text) {
            Ok(objects) => of_objects(objects, limits),
            // An error in a later line is one of JSON Lines.
            Err((line, e)) if line > 1 => Err(format!("line {line} is not a JSON object: {e}")),
            Err(_) => Err(format!("not valid JSON: {whole}")),
        },
    }
}

/// Whether the beginning of a text that [`is_json`] looks like that of a table; `whole` if it is all of the text.
pub(super) fn looks_like_table(text: &str, whole: bool) -> bool {
    if whole {
        return match read(text, Limits { rows: usize::MAX, columns: usize::MAX }) {
            Ok(table) => {
                table.stylegan
                    || table.rows.len() > 1
                    || table.header.iter().any(|n| means_image(n))
            }
            // The names of images are in it, in a form that reading reports.
            Err(_) => mentions_images(text),
        };
    }
    let dense: String = text.chars().filter(|c| !c.is_whitespace()).take(64).collect();
    let first_line = text.lines().next().and_then(|line| parse(line).ok());
    dense.starts_with("[{")
        || dense.starts_with("{\"labels\":")
        || matches!(first_line, Some(Value::Object(_)))
        || mentions_images(text)
}

/// Whether a text contains the name of an image as a JSON string.
fn mentions_images(text: &str) -> bool {
    text.split('"').any(|part| part.len() <= 255 && has_image_extension(part))
}

/// Objects with the numbers of their rows.
type Objects = Vec<(u64, Map<String, Value>)>;

/// The objects of JSON Lines with their line numbers.
///
/// # Errors
/// The first line that is not an object.
fn lines(text: &str) -> Result<Objects, (u64, String)> {
    let mut objects = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_matches(['\u{feff}', ' ', '\t', '\r', '\u{1a}']);
        if line.is_empty() {
            continue;
        }
        match parse(line) {
            Ok(Value::Object(object)) => objects.push((number, object)),
            Ok(_) => return Err((number, "found another value".into())),
            Err(e) => return Err((number, e)),
        }
    }
    Ok(objects)
}

/// Parses JSON in which numbers may also be NaN and Infinity, as Python writes them.
fn parse(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).or_else(|e| match without_nan(text) {
        Some(text) => serde_json::from_str(&text).map_err(|e| e.to_string()),
        None => Err(e.to_string()),
    })
}

/// The text with `null` in place of NaN and Infinity outside strings; `None` if there are none.
fn without_nan(text: &str) -> Option<String> {
    let words = ["NaN", "-Infinity", "Infinity"];
    let mut out = String::new();
    let (mut rest, mut quoted, mut found) = (text, false, false);
    while let Some(c) = rest.chars().next() {
        if let (false, Some(word)) = (quoted, words.iter().find(|word| rest.starts_with(**word))) {
            out.push_str("null");
            rest = &rest[word.len()..];
            found = true;
            continue;
        }
        // The character after a backslash belongs to it.
        let taken = if quoted && c == '\\' {
            rest.chars().take(2).map(char::len_utf8).sum()
        } else {
            quoted ^= c == '"';
            c.len_utf8()
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    found.then_some(out)
}

/// The table in a whole JSON value.
fn of_value(value: Value, limits: Limits) -> Result<JsonTable, String> {
    match value {
        Value::Array(items) => of_list(items, limits),
        Value::Object(object) => of_object(object, limits),
        _ => Err("found a single value; expected a list of objects".into()),
    }
}

/// A list of objects, one per row.
fn of_list(items: Vec<Value>, limits: Limits) -> Result<JsonTable, String> {
    let mut objects = Vec::with_capacity(items.len().min(limits.rows));
    for (number, item) in (1..).zip(items) {
        match item {
            Value::Object(object) => objects.push((number, object)),
            other => {
                let kind = kind(&other);
                return Err(format!("found {kind} as item {number} of the list; expected objects"));
            }
        }
    }
    of_objects(objects, limits)
}

fn of_object(mut object: Map<String, Value>, limits: Limits) -> Result<JsonTable, String> {
    if let Some(table) = stylegan(&object, limits)? {
        return Ok(table);
    }
    if object.is_empty() {
        return Err("found an empty JSON object".into());
    }
    let all = |test: fn(&Value) -> bool| object.values().all(test);
    let keys_are_images = object.keys().all(|key| has_image_extension(last_component(key)));
    if keys_are_images && all(|v| !v.is_object() && !v.is_array()) {
        return labels_by_name(object.iter(), limits, false);
    }
    // pandas: orient="split".
    if let (Some(Value::Array(columns)), Some(Value::Array(data))) =
        (object.get("columns"), object.get("data"))
    {
        let header = columns.iter().map(text_of).collect();
        return of_lists(header, data, limits);
    }
    if all(Value::is_object) {
        // pandas: orient="index" has the columns inside, and orient="columns" outside.
        let inside =
            |v: &Value| v.as_object().is_some_and(|o| o.keys().any(|key| means_image(key)));
        let by_row = keys_are_images
            || (!object.keys().any(|key| means_image(key))
                && object.values().next().is_some_and(inside));
        return if by_row {
            of_index(object, keys_are_images, limits)
        } else {
            of_columns(&object, limits)
        };
    }
    if all(Value::is_array) && object.len() > 1 {
        return of_columns(&object, limits);
    }
    // One row.
    if all(|v| !v.is_object() && !v.is_array()) && object.keys().any(|key| means_image(key)) {
        return of_objects(vec![(1, object)], limits);
    }
    // One list of objects among other values, such as pandas' orient="table".
    let lists: Vec<String> = object
        .iter()
        .filter(|(_, v)| v.as_array().is_some_and(|a| a.first().is_some_and(Value::is_object)))
        .map(|(key, _)| key.clone())
        .collect();
    if let [key] = &lists[..]
        && let Some(Value::Array(items)) = object.remove(key)
    {
        return of_list(items, limits);
    }
    let keys: Vec<&str> = object.keys().map(String::as_str).take(20).collect();
    Err(format!(
        "found a JSON object with the keys {}; expected a list of objects, an object of columns, or StyleGAN's \
         labels",
        keys.join(", ")
    ))
}

/// StyleGAN's `{"labels": [["path", 3], …]}`, also with an object of labels or without any; `None` for other content.
fn stylegan(object: &Map<String, Value>, limits: Limits) -> Result<Option<JsonTable>, String> {
    let alone = object.len() == 1;
    match object.get("labels") {
        Some(Value::Null) if alone => Ok(Some(labels_table(Vec::new(), true))),
        Some(Value::Array(pairs)) => {
            let pair =
                |item: &Value| item.as_array().is_some_and(|p| p.len() == 2 && p[0].is_string());
            if !pairs.iter().all(pair) || (pairs.is_empty() && !alone) {
                return Ok(None);
            }
            if pairs.len() > limits.rows {
                return Err(format!("found more than {} rows", limits.rows));
            }
            let row = |(number, item): (u64, &Value)| {
                (number, vec![text_of(&item[0]), label_of(&item[1])])
            };
            Ok(Some(labels_table((1..).zip(pairs).map(row).collect(), true)))
        }
        Some(Value::Object(labels)) if alone => {
            let image = |key: &String| has_image_extension(last_component(key));
            if labels.is_empty() || !labels.keys().all(image) {
                return Ok(None);
            }
            labels_by_name(labels.iter(), limits, true).map(Some)
        }
        _ => Ok(None),
    }
}

/// An object whose keys are images and whose values are their labels.
fn labels_by_name<'a>(
    labels: impl ExactSizeIterator<Item = (&'a String, &'a Value)>,
    limits: Limits,
    stylegan: bool,
) -> Result<JsonTable, String> {
    if labels.len() > limits.rows {
        return Err(format!("found more than {} rows", limits.rows));
    }
    let row = |(number, (name, label)): (u64, (&String, &Value))| {
        (number, vec![name.clone(), label_of(label)])
    };
    Ok(labels_table((1..).zip(labels).map(row).collect(), stylegan))
}

fn labels_table(rows: Vec<(u64, Vec<String>)>, stylegan: bool) -> JsonTable {
    JsonTable { header: ["file_name", "label"].map(str::to_owned).to_vec(), rows, stylegan }
}

/// A label of StyleGAN: a number, or a list of numbers of which one is 1, which gives that one's index.
fn label_of(value: &Value) -> String {
    let number = |v: &Value| v.as_f64();
    if let Some(list) = value.as_array() {
        let hot: Vec<usize> = (0..list.len()).filter(|&i| number(&list[i]) == Some(1.0)).collect();
        if let ([one], true) =
            (&hot[..], list.iter().all(|v| [Some(0.0), Some(1.0)].contains(&number(v))))
        {
            return one.to_string();
        }
    }
    text_of(value)
}

/// Rows by name, as pandas writes them with orient="index".
fn of_index(
    object: Map<String, Value>,
    keys_are_images: bool,
    limits: Limits,
) -> Result<JsonTable, String> {
    let rows = (1..).zip(object).filter_map(|(number, (name, row))| match row {
        Value::Object(mut row) => {
            if keys_are_images {
                row.entry("file_name").or_insert(Value::String(name));
            }
            Some((number, row))
        }
        _ => None,
    });
    of_objects(rows.collect(), limits)
}

/// Columns by name: `{"image_id": {"0": "a"}, "dx": {"0": "nv"}}` or lists in place of the objects inside.
fn of_columns(object: &Map<String, Value>, limits: Limits) -> Result<JsonTable, String> {
    let header: Vec<String> = object.keys().cloned().collect();
    if header.len() > limits.columns {
        return Err(format!("found more than {} columns", limits.columns));
    }
    let mut length = None;
    let mut columns: Vec<Vec<&Value>> = Vec::new();
    for (name, column) in object {
        let values: Vec<&Value> = match column {
            Value::Array(list) => list.iter().collect(),
            Value::Object(map) => {
                // The keys are pandas' row numbers, which are not in the order of their text.
                let mut pairs: Vec<(&String, &Value)> = map.iter().collect();
                pairs.sort_by_key(|(key, _)| (key.parse::<u64>().ok(), *key));
                pairs.into_iter().map(|(_, value)| value).collect()
            }
            _ => return Err(format!("found no list in column {name}")),
        };
        if *length.get_or_insert(values.len()) != values.len() {
            return Err(format!(
                "found lists of different lengths under the keys {}; expected columns of one length",
                header.iter().take(20).cloned().collect::<Vec<_>>().join(", ")
            ));
        }
        columns.push(values);
    }
    let length = length.unwrap_or(0);
    if length > limits.rows {
        return Err(format!("found more than {} rows", limits.rows));
    }
    let row = |i: usize| (i as u64 + 1, columns.iter().map(|c| text_of(c[i])).collect());
    Ok(JsonTable { header, rows: (0..length).map(row).collect(), stylegan: false })
}

/// Rows as lists of cells.
fn of_lists(header: Vec<String>, data: &[Value], limits: Limits) -> Result<JsonTable, String> {
    if header.len() > limits.columns {
        return Err(format!("found more than {} columns", limits.columns));
    }
    if data.len() > limits.rows {
        return Err(format!("found more than {} rows", limits.rows));
    }
    let row = |(number, item): (u64, &Value)| {
        let cells = item.as_array().map(|cells| cells.iter().map(text_of).collect());
        (number, cells.unwrap_or_default())
    };
    Ok(JsonTable { header, rows: (1..).zip(data).map(row).collect(), stylegan: false })
}

/// A row per object. The columns are all keys, in the order of their first row and their text.
fn of_objects(objects: Objects, limits: Limits) -> Result<JsonTable, String> {
    if objects.len() > limits.rows {
        return Err(format!("found more than {} rows", limits.rows));
    }
    let mut header: Vec<String> = Vec::new();
    let mut place: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows = Vec::with_capacity(objects.len());
    let mut cells = 0;
    for (number, object) in objects {
        let mut row: Vec<String> = Vec::new();
        for (name, value) in object {
            let column = *place.entry(name).or_insert_with_key(|name| {
                header.push(name.clone());
                header.len() - 1
            });
            if header.len() > limits.columns {
                return Err(format!("found more than {} columns", limits.columns));
            }
            if row.len() <= column {
                cells += column + 1 - row.len();
                if cells > MAX_CELLS {
                    return Err(format!("found more than {MAX_CELLS} cells"));
                }
                row.resize(column + 1, String::new());
            }
            row[column] = text_of(&value);
        }
        rows.push((number, row));
    }
    // A missing value is an empty cell.
    if header.len().saturating_mul(rows.len()) <= MAX_CELLS {
        rows.iter_mut().for_each(|(_, row)| row.resize(header.len(), String::new()));
    }
    Ok(JsonTable { header, rows, stylegan: false })
}

/// A value as the text of a cell: a string as it is, `null` as nothing, everything else as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What a value is, for an error.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { rows: 100, columns: 20 };

    /// The cells of a table, whose columns are in the order of their names.
    fn cells(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let table = read(text, LIMITS).unwrap();
        (table.header, table.rows.into_iter().map(|(_, cells)| cells).collect())
    }

    #[test]
    fn every_form_of_a_list_of_images_gives_the_same_cells() {
        let expected = (
            ["dx", "file_name"].map(str::to_owned).to_vec(),
            vec![
                vec!["nv".to_owned(), "a.jpg".to_owned()],
                vec![String::new(), "b.jpg".to_owned()],
            ],
        );
        for text in [
            // JSON Lines, also with an empty line and Windows' line ends.
            "{\"file_name\": \"a.jpg\", \"dx\": \"nv\"}\r\n\r\n{\"file_name\": \"b.jpg\", \"dx\": null}\r\n",
            "{\"file_name\": \"a.jpg\", \"dx\": \"nv\"}\n{\"file_name\": \"b.jpg\", \"dx\": NaN}\n",
            "{\"file_name\": \"a.jpg\", \"dx\": \"nv\"}\n{\"file_name\": \"b.jpg\"}\n",
            // A list of objects, alone and in an object.
            "[{\"file_name\": \"a.jpg\", \"dx\": \"nv\"}, {\"file_name\": \"b.jpg\"}]",
            "{\"info\": {\"year\": 2018}, \"images\": [{\"file_name\": \"a.jpg\", \"dx\": \"nv\"}, {\"file_name\": \"b.jpg\"}]}",
            // What pandas writes.
            "{\"file_name\": {\"0\": \"a.jpg\", \"1\": \"b.jpg\"}, \"dx\": {\"0\": \"nv\", \"1\": null}}",
            "{\"file_name\": [\"a.jpg\", \"b.jpg\"], \"dx\": [\"nv\", \"\"]}",
            "{\"0\": {\"file_name\": \"a.jpg\", \"dx\": \"nv\"}, \"1\": {\"file_name\": \"b.jpg\", \"dx\": null}}",
            "{\"a.jpg\": {\"dx\": \"nv\"}, \"b.jpg\": {\"dx\": null}}",
            "{\"columns\": [\"dx\", \"file_name\"], \"index\": [0, 1], \"data\": [[\"nv\", \"a.jpg\"], [null, \"b.jpg\"]]}",
        ] {
            assert_eq!(cells(text), expected, "{text}");
        }
    }

    #[test]
    fn the_rows_of_pandas_are_in_the_order_of_their_numbers() {
        let rows: Vec<String> = (0..12).map(|i| format!("\"{i}\": \"i{i}.png\"")).collect();
        let (_, cells) = cells(&format!(
            "{{\"image\": {{{}}}, \"age\": {{{}}}}}",
            rows.join(", "),
            rows.join(", ")
        ));
        assert_eq!((cells[2][1].as_str(), cells[11][1].as_str()), ("i2.png", "i11.png"));
    }

    #[test]
    fn labels_of_stylegan_are_read_in_both_forms() {
        for text in [
            "{\"labels\": [[\"00000/a.png\", 3], [\"00000/b.png\", 0]]}",
            "{\"labels\": {\"00000/a.png\": 3, \"00000/b.png\": 0}}",
            "{\"labels\": [[\"00000/a.png\", [0, 0, 0, 1]], [\"00000/b.png\", [1.0, 0.0, 0, 0]]]}",
        ] {
            let table = read(text, LIMITS).unwrap();
            assert!(table.stylegan);
            assert_eq!(table.header, ["file_name", "label"]);
            assert_eq!(
                table.rows,
                [
                    (1, vec!["00000/a.png".into(), "3".into()]),
                    (2, vec!["00000/b.png".into(), "0".into()])
                ]
            );
        }
        let table = read("{\"labels\": null}", LIMITS).unwrap();
        assert!(table.stylegan && table.rows.is_empty());
        // A column of this name is not StyleGAN's.
        let table =
            read("{\"labels\": [\"nv\", \"mel\"], \"image\": [\"a\", \"b\"]}", LIMITS).unwrap();
        assert!(!table.stylegan && table.rows.len() == 2);
    }

    #[test]
    fn labels_by_name_and_nested_values_are_text() {
        assert_eq!(cells("{\"a.jpg\": \"nv\", \"b.jpg\": \"mel\"}").1[1], ["b.jpg", "mel"]);
        let text = "[{\"image\": {\"path\": \"a.jpg\"}, \"age\": 45.5, \"n\": 3, \"ok\": true}]";
        assert_eq!(cells(text).1[0], ["45.5", "{\"path\":\"a.jpg\"}", "3", "true"]);
    }

    #[test]
    fn what_is_no_table_is_named() {
        let error = |text: &str| read(text, LIMITS).err().unwrap();
        assert!(
            error("{\"images\": [{\"id\": 1}], \"annotations\": [{\"id\": 2}, {\"id\": 3}]}")
                .contains("keys annotations, images")
        );
        assert!(error("{\"a\": 1, \"b\": {}}").contains("keys a, b"));
        assert!(error("[1, 2]").contains("a number as item 1"));
        assert!(error("{\"a\": [1], \"b\": [1, 2]}").contains("different lengths"));
        assert!(error("{\"file_name\": \"a.jpg\"}\n{\"file_name\":\n").contains("line 2"));
        assert!(error("{\"file_name\": ").contains("not valid JSON"));
        let many = (0..21).map(|i| format!("\"c{i}\": 1")).collect::<Vec<_>>().join(",");
        assert!(error(&format!("[{{{many}}}]")).contains("20 columns"));
        assert!(error(&format!("[{}]", vec!["{}"; 101].join(","))).contains("100 rows"));
    }

    #[test]
    fn numbers_that_python_writes_are_missing_values_only_outside_strings() {
        assert_eq!(
            cells("[{\"image\": \"NaN \\\" NaN\", \"age\": NaN, \"b\": -Infinity}]").1[0],
            ["", "", "NaN \" NaN"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[\\[\\]{}:,\"a1\n]{0,60}", inside in "[\\[\\]{}:,\"a1\n.jpg]{0,40}") {
            for text in [text.clone(), format!("{{\"labels\": {inside}}}"), format!("[{{{inside}}}]")] {
                let _ = read(&text, LIMITS);
                looks_like_table(&text, true);
                looks_like_table(&text, false);
            }
        }
    }
}
