//! Writes files as PyTorch's `torch.save` does, without PyTorch: a pickle of protocol 2 in a stored zip.
#![allow(dead_code, reason = "each test file uses some of these helpers")]

use dermagan_model::weights::{Array, Weights};

/// A value of Python.
#[derive(Clone)]
pub enum Py {
    /// A dictionary in order.
    Dict(Vec<(String, Py)>),
    /// A list.
    List(Vec<Py>),
    /// An integer.
    Int(i32),
    /// A float.
    Float(f64),
    /// A tensor of float32.
    Tensor(Array),
    /// A tensor without dimensions of one int64.
    Count(i64),
}

/// A dictionary with these keys.
pub fn dict(items: impl IntoIterator<Item = (&'static str, Py)>) -> Py {
    Py::Dict(items.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A state dict: the tensors under the names that `rename` makes.
pub fn state(weights: &Weights, rename: impl Fn(&str) -> String) -> Py {
    let tensors = weights.iter().map(|(name, array)| (rename(name), Py::Tensor(array.clone())));
    let mut items: Vec<(String, Py)> = tensors.collect();
    // PyTorch counts batches beside each normalisation.
    let counted: Vec<String> = items
        .iter()
        .filter_map(|(n, _)| n.strip_suffix("running_var").map(str::to_owned))
        .collect();
    items.extend(counted.into_iter().map(|n| (format!("{n}num_batches_tracked"), Py::Count(100))));
    Py::Dict(items)
}

/// A tensor of zeros.
pub fn zeros(shape: &[usize]) -> Py {
    let values = vec![0.0; shape.iter().product()];
    Py::Tensor(Array { shape: shape.to_vec(), values })
}

/// What an optimiser saves.
pub fn adam() -> Py {
    let moments = dict([
        ("step", zeros(&[])),
        ("exp_avg", zeros(&[16, 8, 4, 4])),
        ("exp_avg_sq", zeros(&[16, 8, 4, 4])),
    ]);
    dict([
        ("state", dict([("0", moments)])),
        ("param_groups", Py::List(vec![dict([("lr", Py::Float(2e-4))])])),
    ])
}

/// The bytes of the file.
pub fn torch_file(root: &Py) -> Vec<u8> {
    let mut storages = Vec::new();
    let mut pickle = b"\x80\x02".to_vec();
    write(root, &mut pickle, &mut storages);
    pickle.push(b'.');
    let mut members =
        vec![("f/data.pkl".to_owned(), pickle), ("f/byteorder".to_owned(), b"little".to_vec())];
    let numbered = storages.into_iter().enumerate();
    members.extend(numbered.map(|(key, bytes)| (format!("f/data/{key}"), bytes)));
    members.push(("f/version".to_owned(), b"3\n".to_vec()));
    stored_zip(&members)
}

fn text(words: &str, out: &mut Vec<u8>) {
    out.push(b'X');
    out.extend((words.len() as u32).to_le_bytes());
    out.extend(words.as_bytes());
}

fn int(value: i32, out: &mut Vec<u8>) {
    out.push(b'J');
    out.extend(value.to_le_bytes());
}

fn tensor(
    kind: &str,
    shape: &[usize],
    bytes: Vec<u8>,
    width: usize,
    out: &mut Vec<u8>,
    storages: &mut Vec<Vec<u8>>,
) {
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text("storage", out);
    out.extend(format!("ctorch\n{kind}\n").bytes());
    text(&storages.len().to_string(), out);
    text("cpu", out);
    int((bytes.len() / width) as i32, out);
    out.extend(b"tQ");
    int(0, out);
    out.push(b'(');
    shape.iter().for_each(|side| int(*side as i32, out));
    out.extend(b"t(");
    let strides = (0..shape.len()).map(|i| shape[i + 1..].iter().product::<usize>());
    strides.for_each(|stride| int(stride as i32, out));
    out.extend(b"t\x89ccollections\nOrderedDict\n)RtR");
    storages.push(bytes);
}

fn write(value: &Py, out: &mut Vec<u8>, storages: &mut Vec<Vec<u8>>) {
    match value {
        Py::Dict(items) => {
            out.extend(b"}(");
            for (key, value) in items {
                text(key, out);
                write(value, out, storages);
            }
            out.push(b'u');
        }
        Py::List(items) => {
            out.extend(b"](");
            items.iter().for_each(|item| write(item, out, storages));
            out.push(b'e');
        }
        Py::Int(value) => int(*value, out),
        Py::Float(value) => {
            out.push(b'G');
            out.extend(value.to_be_bytes());
        }
        Py::Tensor(array) => {
            let bytes = array.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensor("FloatStorage", &array.shape, bytes, 4, out, storages);
        }
        Py::Count(count) => {
            tensor("LongStorage", &[], count.to_le_bytes().to_vec(), 8, out, storages);
        }
    }
}

/// A zip whose entries are not compressed and have no checksum, which PyTorch allows.
pub fn stored_zip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut zip, mut table) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let at = (zip.len() as u32).to_le_bytes();
        let size = (bytes.len() as u32).to_le_bytes();
        let length = (name.len() as u16).to_le_bytes();
        // Version, flags, method, time, date and checksum; then the sizes.
        let common =
            [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0, 0, 0, 0][..], &size, &size, &length, &[0, 0]];
        zip.extend([&b"PK\x03\x04"[..], &common.concat(), name.as_bytes(), bytes].concat());
        table.extend(
            [&b"PK\x01\x02\x14\0"[..], &common.concat(), &[0; 10], &at, name.as_bytes()].concat(),
        );
    }
    let count = (members.len() as u16).to_le_bytes();
    let (at, size) = ((zip.len() as u32).to_le_bytes(), (table.len() as u32).to_le_bytes());
    zip.extend(table);
    zip.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &size, &at, &[0, 0]].concat());
    zip
}
