//! Says which networks a file holds when none of them, or more than one, is a DCGAN generator, and how to
//! take one out with PyTorch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dermagan_base::name::start_of;
use dermagan_base::quoted;
use pytorch_reader::PickleValue;

use super::dicts::state_dicts;
use super::networks::{BLOCKS, Shapes, is_network, leaf_of, natural, of_layers};
use super::weights::METADATA_KEY;

/// The most networks that an error lists, and the most shapes of each.
const MOST: [usize; 2] = [8, 7];
/// The most characters of a name in an error.
const SHOWN: usize = 80;
/// A network of a file.
struct Found<'a> {
    prefix: &'a str,
    /// Its tensors: name and shape.
    tensors: Vec<(&'a str, &'a [usize])>,
}

/// Says why no network of a file is a generator that dermagan can open. `structure` is that of the
/// dictionaries of a PyTorch file; `None` for safetensors.
pub(super) fn none_fits(path: &Path, shapes: &Shapes, structure: Option<&PickleValue>) -> String {
    let found = networks(shapes, structure);
    let expected = "dermagan opens DCGAN generators of other programs: 4 to 7 transposed convolutions of 4×4 \
                    (32, 64, 128 or 256 pixels), each but the last with batch normalisation";
    match found.as_slice() {
        [] => format!("it holds no layers of a network; {expected}"),
        [only] => {
            let name = match only.prefix {
                "" => String::new(),
                prefix => format!("'{}': ", shown(prefix)),
            };
            let shapes = shapes_of(only);
            format!("{name}{} ({shapes}); {expected}", why_not(only))
        }
        several => {
            let most = MOST[0];
            let mut text = format!(
                "it holds {} networks, none of which is a generator that fits:",
                several.len()
            );
            for network in several.iter().take(most) {
                let shapes = shapes_of(network);
                text += &format!("\n  {}: {} ({shapes})", shown(network.prefix), why_not(network));
            }
            if several.len() > most {
                text += &format!("\n  and {} more", several.len() - most);
            }
            let made = several.iter().find(|n| is_generator(n.prefix)).unwrap_or(&several[0]);
            text + &format!("\n  {expected}.\n  {}", python(path, made.prefix, structure))
        }
    }
}

/// Says that several networks of a file are generators, and how to take one out.
pub(super) fn several_fit(
    path: &Path,
    prefixes: &[&str],
    structure: Option<&PickleValue>,
) -> String {
    let names: Vec<String> =
        prefixes.iter().take(MOST[0]).map(|prefix| format!("'{}'", shown(prefix))).collect();
    format!(
        "it holds {} generators ({}{}); take one of them out.\n  {}",
        prefixes.len(),
        names.join(", "),
        if prefixes.len() > MOST[0] { ", …" } else { "" },
        python(path, prefixes[0], structure)
    )
}

/// Two lines of Python that save the network below `prefix` as a file of its own.
fn python(path: &Path, prefix: &str, structure: Option<&PickleValue>) -> String {
    let file = text(&path.display().to_string());
    let last = prefix.rsplit('.').next().filter(|last| !last.is_empty()).unwrap_or("generator");
    let name: String =
        last.chars().filter(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect();
    let name = if name.is_empty() { "generator".to_owned() } else { name };
    let part = |whole: &str, rest: &str| match rest {
        "" => whole.to_owned(),
        rest => {
            let start = text(&format!("{rest}."));
            format!("{{k[len({start}):]: v for k, v in {whole}.items() if k.startswith({start})}}")
        }
    };
    let lines = "With Python, save one of them as a file of its own:";
    match structure {
        None => format!(
            "{lines}\n  from safetensors.torch import load_file, save_file; s = load_file({file})\n  \
             save_file({}, \"{name}.safetensors\")",
            part("s", prefix)
        ),
        Some(root) => {
            let (keys, rest) = locate(root, prefix);
            format!(
                "{lines}\n  import torch; s = torch.load({file}, map_location=\"cpu\", weights_only=True)\n  \
                 torch.save({}, \"{name}.pth\")",
                part(&format!("s{keys}"), &rest)
            )
        }
    }
}

/// A text as Python writes it. Quotes, backslashes and control characters are escaped.
fn text(words: &str) -> String {
    serde_json::to_string(&quoted(words)).unwrap_or_default()
}

/// The keys that lead from the root of a PyTorch file to the tensors below `prefix`, as Python writes
/// them, and what the names of the tensors in the last dictionary begin with.
fn locate(root: &PickleValue, prefix: &str) -> (String, String) {
    let (mut value, mut rest, mut keys) = (root, prefix, String::new());
    while !rest.is_empty() {
        let below = |key: &str| {
            let rest = rest.strip_prefix(key)?;
            if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
        };
        let step = match value {
            PickleValue::Dict(dict) => {
                // Of keys that all lead there, the longest is one key with dots in it.
                let holds = |value: &PickleValue| {
                    matches!(value, PickleValue::Dict(_) | PickleValue::List(_))
                };
                let keys = dict.iter().filter(|(_, value)| holds(value));
                let best = keys.filter_map(|(key, value)| Some((key, value, below(key)?)));
                best.max_by_key(|(key, ..)| key.len())
                    .map(|(key, value, rest)| (format!("[{}]", text(key)), value, rest))
            }
            PickleValue::List(list) => list.iter().enumerate().find_map(|(index, value)| {
                Some((format!("[{index}]"), value, below(&index.to_string())?))
            }),
            _ => None,
        };
        let Some((key, next, left)) = step else { break };
        keys += &key;
        (value, rest) = (next, left);
    }
    (keys, rest.to_owned())
}

/// The networks of a file, in the order of their names.
fn networks<'a>(shapes: &'a Shapes, structure: Option<&PickleValue>) -> Vec<Found<'a>> {
    let tensors = of_layers(shapes);
    let dicts = state_dicts(structure);
    let mut groups: BTreeMap<&str, Vec<(&str, &[usize])>> = BTreeMap::new();
    for tensor in tensors {
        // The dictionary that holds the tensor, and within it the network that the first part names.
        let name = tensor.0;
        let ends = std::iter::once(0).chain(name.match_indices('.').map(|(dot, _)| dot));
        let dict = ends.map(|end| &name[..end]).rfind(|prefix| dicts.contains(*prefix));
        let dict = dict.unwrap_or_default();
        let rest = name[dict.len()..].trim_start_matches('.');
        let first = rest.split('.').next().unwrap_or_default();
        let network = match is_network(first) && first.len() < rest.len() {
            true => &name[..name.len() - rest.len() + first.len()],
            false => dict,
        };
        groups.entry(network).or_default().push(tensor);
    }
    let found = groups.into_iter().map(|(prefix, tensors)| Found { prefix, tensors });
    found.filter(|network| network.tensors.iter().any(|(_, shape)| shape.len() > 1)).collect()
}

/// Whether the name of a network says that it is a generator.
fn is_generator(prefix: &str) -> bool {
    let parts = || prefix.split('.').map(str::to_lowercase);
    parts().any(|part| {
        part.contains("gen") || part.contains("netg") || part.contains("ema") || part == "g"
    }) && !parts().any(|part| part.contains("disc") || part.contains("netd"))
}

/// The shapes of a network's convolutions and linear layers.
fn shapes_of(network: &Found<'_>) -> String {
    let layers = layers_of(network);
    let shapes: Vec<String> =
        layers.iter().take(MOST[1]).map(|(_, shape)| format!("{shape:?}")).collect();
    let (layers, more) = (layers.len(), if layers.len() > MOST[1] { ", …" } else { "" });
    let s = if layers == 1 { "" } else { "s" };
    format!("{layers} layer{s}: {}{more}", shapes.join(", "))
}

/// The tensors of a network that multiply, in the order of their names.
fn layers_of<'a>(network: &Found<'a>) -> Vec<(&'a str, &'a [usize])> {
    let mut layers: Vec<_> =
        network.tensors.iter().filter(|(_, shape)| shape.len() > 1).copied().collect();
    layers.sort_by_key(|(name, _)| natural(name));
    layers
}

/// The first reason why a network is no generator that dermagan can open.
fn why_not(network: &Found<'_>) -> String {
    let layers = layers_of(network);
    if let Some(name) = residual(&network.tensors) {
        return format!(
            "tensor '{}' belongs to a residual generator of dermagan, which is read with its card only",
            shown(name)
        );
    }
    if let Some((name, shape)) = layers.iter().find(|(_, shape)| shape.len() != 4) {
        let kind =
            if shape.len() == 2 { "a linear layer or an embedding" } else { "another layer" };
        return format!(
            "tensor '{}' {shape:?} is of {kind}, which a DCGAN does not have",
            shown(name)
        );
    }
    let (first, last) = match layers.as_slice() {
        [(_, first), .., (_, last)] => (*first, *last),
        _ => return "it has a single convolution".to_owned(),
    };
    if first[1] <= 4 && last[1] > 4 {
        return "it reads images, as a discriminator does, and makes none".to_owned();
    }
    if let Some((_, shape)) = layers.iter().find(|(_, shape)| shape[2..] != [4, 4]) {
        return format!("it has kernels of {}×{}, expected 4×4", shape[2], shape[3]);
    }
    // The last layer is the one whose output no other reads.
    let is_read = |n: usize| layers.iter().any(|(_, shape)| shape[0] == n);
    let mut ends = layers.iter().map(|(_, shape)| shape[1]).filter(|n| !is_read(*n));
    let end = ends.next().unwrap_or(last[1]);
    if end == 1 {
        return "its last layer makes one channel (grey); dermagan needs three".to_owned();
    }
    if end != 3 {
        return format!("its last layer makes {end} channels; dermagan needs three");
    }
    if !BLOCKS.contains(&layers.len()) {
        return format!("it has {} convolutions, expected 4 to 7", layers.len());
    }
    let convolutions: BTreeSet<&str> = layers.iter().map(|(name, _)| leaf_of(name).0).collect();
    let bias = network.tensors.iter().find(|(name, _)| {
        let (layer, leaf) = leaf_of(name);
        leaf == "bias" && convolutions.contains(layer)
    });
    if let Some((name, _)) = bias {
        return format!("tensor '{}': the convolutions of a DCGAN have no bias", shown(name));
    }
    let norms = network.tensors.iter().filter(|(name, _)| leaf_of(name).1 == "running_var").count();
    if norms + 1 != layers.len() {
        let expected = layers.len() - 1;
        return format!(
            "it has {norms} batch normalisations with running statistics, expected {expected}"
        );
    }
    "its channels do not halve from layer to layer down to the last but one, as those of a DCGAN do"
        .to_owned()
}

/// The tensor by which a residual generator of dermagan is known.
fn residual<'a>(tensors: &[(&'a str, &[usize])]) -> Option<&'a str> {
    let is = |(name, shape): &&(&str, &[usize])| {
        let ends = |part: &str| *name == part || name.ends_with(&format!(".{part}"));
        ends("embed") || ends("noise.0") || (ends("main.1.weight") && shape.ends_with(&[3, 3]))
    };
    tensors.iter().find(is).map(|(name, _)| *name)
}

/// Says how to keep the card of a residual generator of dermagan, if the tensors are of one.
pub(super) fn without_card(shapes: &Shapes) -> Option<String> {
    let tensors: Vec<(&str, &[usize])> =
        shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    let name = residual(&tensors)?;
    Some(format!(
        "tensor '{}' belongs to a residual generator of dermagan, which is read with its card only, and this file has \
         lost it. The card is the metadata '{METADATA_KEY}' of the file that the weights came from (ORIGINAL); keep it \
         with Python:\n  \
         from safetensors import safe_open; from safetensors.torch import save_file\n  \
         save_file(tensors, \"generator.safetensors\", metadata=safe_open(\"ORIGINAL\", \"pt\").metadata())",
        shown(name)
    ))
}

/// A name out of a file, for an error.
fn shown(name: &str) -> String {
    quoted(start_of(name, SHOWN))
}
