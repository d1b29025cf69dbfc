//! The dictionaries of a PyTorch file that hold the tensors of a network.

use std::collections::BTreeSet;

use pytorch_reader::PickleValue;

/// The names of tensors in a dictionary of a single layer, as in a whole module that was saved.
const OF_LAYER: [&str; 5] =
    ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];

/// The paths of the dictionaries that hold tensors, their keys joined by dots. The empty path, which stands for
/// the whole file, is always among them. A dictionary of a single layer is not.
pub(super) fn state_dicts(root: Option<&PickleValue>) -> BTreeSet<String> {
    let mut found = BTreeSet::from([String::new()]);
    if let Some(root) = root {
        collect(root, &mut Vec::new(), &mut found);
    }
    found
}

fn collect(value: &PickleValue, path: &mut Vec<String>, found: &mut BTreeSet<String>) {
    let children: Vec<(String, &PickleValue)> = match value {
        PickleValue::Dict(dict) => dict.iter().map(|(key, value)| (key.clone(), value)).collect(),
        PickleValue::List(list) => {
            list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => return,
    };
    let is_tensor = |value: &PickleValue| matches!(value, PickleValue::Unsupported(what) if what == "torch.Tensor");
    if children.iter().any(|(key, value)| is_tensor(value) && !OF_LAYER.contains(&key.as_str())) {
        found.insert(path.join("."));
    }
    for (key, value) in children {
        path.push(key);
        collect(value, path, found);
        path.pop();
    }
}
