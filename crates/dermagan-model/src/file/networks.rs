//! Finds DCGAN generators among the tensors of a file by their shapes.
//!
//! A program may call its layers as it likes, and may save a generator beside a discriminator, the state
//! of optimisers and averaged copies. The shapes decide: a DCGAN generator of a given width has the
//! channels z → 8g → 4g → 2g → g → 3 (at 64 pixels), so each of its tensors has a place of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::network::dcgan::torch_index;
use crate::network::{Generator, ModelConfig};

/// The names and shapes of tensors of floats.
pub(super) type Shapes = BTreeMap<String, Vec<usize>>;

/// The numbers of tensors of generators with 4 to 7 convolutions: each but the last has a
/// normalisation of four tensors.
const SIZES: [usize; 4] = [16, 21, 26, 31];
/// The numbers of convolutions for 32, 64, 128 and 256 pixels.
pub(super) const BLOCKS: std::ops::RangeInclusive<usize> = 4..=7;
/// The tensors of a normalisation.
const NORM: [&str; 4] = ["running_mean", "running_var", "weight", "bias"];
/// The most parts of a name that may be the path to a network.
const MAX_DEPTH: usize = 16;

/// A set of tensors that fit a DCGAN generator.
#[derive(Debug)]
pub(super) struct Fit {
    /// What the names of its tensors begin with, without the last dot; empty if the file has no others.
    pub(super) prefix: String,
    /// The shape of the generator.
    pub(super) config: ModelConfig,
    /// The name in the file of each of our tensors.
    pub(super) names: BTreeMap<String, String>,
}

/// Tensors of optimisers, by the last part of their names.
const OPTIMISER: [&str; 9] = [
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "step",
    "momentum_buffer",
    "square_avg",
    "acc_delta",
    "grad_avg",
    "sum",
];

/// The tensors of layers: those of optimisers, and single numbers such as the decay of an average, are none.
pub(super) fn of_layers(shapes: &Shapes) -> Vec<(&str, &[usize])> {
    let is = |(name, shape): &(&String, &Vec<usize>)| {
        let leaf = name.rsplit('.').next().unwrap_or_default();
        !shape.is_empty() && !OPTIMISER.contains(&leaf)
    };
    shapes.iter().filter(is).map(|(name, shape)| (name.as_str(), shape.as_slice())).collect()
}

/// All sets of tensors that fit a generator, by their prefix. A set is reported once, under the shortest
/// prefix that leads to it alone. `dicts` are the paths of the dictionaries that hold tensors: a network is
/// all of its dictionary, or a part that is named as a network beside others that are.
pub(super) fn fits(shapes: &Shapes, dicts: &BTreeSet<String>) -> Vec<Fit> {
    let tensors = of_layers(shapes);
    let mut members: HashMap<&str, usize> = HashMap::new();
    for (name, _) in &tensors {
        for prefix in prefixes(name) {
            *members.entry(prefix).or_default() += 1;
        }
    }
    let mut candidates: Vec<&str> = members
        .into_iter()
        .filter(|(_, count)| SIZES.contains(count))
        .map(|(prefix, _)| prefix)
        .collect();
    candidates.sort_by_key(|prefix| (prefix.len(), *prefix));
    let mut found: Vec<Fit> = Vec::new();
    for prefix in candidates {
        if found.iter().any(|fit| is_below(prefix, &fit.prefix)) {
            continue;
        }
        let own: Vec<(&str, &[usize])> =
            tensors.iter().filter(|(name, _)| is_below(name, prefix)).copied().collect();
        found.extend(fit(prefix, &own).filter(|_| is_complete(prefix, &tensors, dicts)));
    }
    found.sort_by(|a, b| a.prefix.cmp(&b.prefix));
    found
}

/// The paths that lead to a tensor: the empty one, and the name up to each of its dots.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    let dots = name.match_indices('.').take(MAX_DEPTH);
    std::iter::once("").chain(dots.map(|(dot, _)| &name[..dot]))
}

/// Whether a name is that of a tensor or a path below `prefix`.
pub(super) fn is_below(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix);
    prefix.is_empty() || rest.is_some_and(|rest| rest.starts_with('.'))
}

/// Whether the tensors below `prefix` are a whole network. If others stand beside them in their dictionary, such as
/// the embedding of a label, they are a part of a larger network, unless the names say that there are several.
fn is_complete(prefix: &str, tensors: &[(&str, &[usize])], dicts: &BTreeSet<String>) -> bool {
    let mut path = prefix;
    while !dicts.contains(path) {
        path = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        let parts = tensors.iter().filter(|(name, _)| is_below(name, path)).map(|(name, _)| {
            let rest = name[path.len()..].trim_start_matches('.');
            rest.split('.').next().unwrap_or_default()
        });
        let parts: BTreeSet<&str> = parts.collect();
        if parts.len() > 1 && !parts.into_iter().all(is_network) {
            return false;
        }
    }
    true
}

/// Whether a part of a name says that a network follows.
pub(super) fn is_network(part: &str) -> bool {
    let part = part.to_lowercase();
    let words = [
        "generator",
        "discriminator",
        "critic",
        "netg",
        "netd",
        "encoder",
        "decoder",
        "ema",
        "gen_",
        "disc_",
    ];
    ["g", "d", "gen", "disc", "dis", "net_g", "net_d"].contains(&part.as_str())
        || words.iter().any(|word| part.contains(word))
}

/// The name of a layer and the last part of a tensor's name.
pub(super) fn leaf_of(name: &str) -> (&str, &str) {
    // The longer names come first: `running_mean` may follow an underscore.
    let known = NORM.iter().find_map(|leaf| {
        let layer = name.strip_suffix(leaf)?;
        let layer = layer.strip_suffix(['.', '_', '/']).or(layer.is_empty().then_some(layer))?;
        Some((layer, *leaf))
    });
    known.or_else(|| name.rsplit_once('.')).unwrap_or(("", name))
}

/// The generator that these tensors are, all of them.
fn fit(prefix: &str, tensors: &[(&str, &[usize])]) -> Option<Fit> {
    let convolutions: Vec<_> = tensors.iter().filter(|(_, shape)| shape.len() == 4).collect();
    if !BLOCKS.contains(&convolutions.len()) {
        return None;
    }
    let width = |shape: &[usize]| (shape[1] == 3).then_some(shape[0]);
    let widths = convolutions.iter().filter_map(|(_, shape)| width(shape));
    let config = widths.filter_map(|width| config(width, &convolutions)).find(|config| {
        let mut own: Vec<&[usize]> = tensors.iter().map(|(_, shape)| *shape).collect();
        let expected = Generator::shapes(config);
        let mut expected: Vec<&[usize]> = expected.values().map(Vec::as_slice).collect();
        own.sort_unstable();
        expected.sort_unstable();
        own == expected
    })?;
    let mut norms: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (name, _) in tensors.iter().filter(|(_, shape)| shape.len() == 1) {
        let (layer, leaf) = leaf_of(name);
        norms.entry(layer).or_default().insert(leaf, name);
    }
    let mut names = BTreeMap::new();
    let mut order = Vec::new();
    let channels = config.generator_channels();
    for (block, (from, to)) in channels.iter().enumerate() {
        let (name, _) = convolutions.iter().find(|(_, shape)| *shape == [*from, *to, 4, 4])?;
        names.insert(format!("main.{}.weight", torch_index(block, false)), (*name).to_owned());
        order.push(natural(name));
        if block + 1 == channels.len() {
            break;
        }
        // No other normalisation of the network has as many channels.
        let of_layer = |leaves: &&BTreeMap<&str, &str>| {
            let shape = |name: &&str| tensors.iter().find(|(n, _)| n == name).map(|(_, s)| *s);
            leaves.values().all(|name| shape(name) == Some(&[*to][..]))
        };
        let leaves = norms.values().find(of_layer)?;
        for leaf in NORM {
            let ours = format!("main.{}.{leaf}", torch_index(block, true));
            names.insert(ours, (*leaves.get(leaf)?).to_owned());
        }
    }
    // A network of ordinary convolutions from 3 channels to z has the same shapes, its layers in reverse.
    let reversed = order.windows(2).all(|pair| pair[0] > pair[1]);
    (names.len() == tensors.len() && !reversed).then(|| Fit {
        prefix: prefix.to_owned(),
        config,
        names,
    })
}

/// The shape of a generator of this width whose first layer is among these.
fn config(width: usize, convolutions: &[&(&str, &[usize])]) -> Option<ModelConfig> {
    let blocks = convolutions.len();
    let config = |z_dim| ModelConfig {
        resolution: 2 << blocks,
        z_dim,
        g_width: width,
        d_width: width,
        ..ModelConfig::default()
    };
    config(1).validate().ok()?;
    let top = width << (blocks - 2);
    let first = convolutions.iter().find(|(_, shape)| shape[1] == top)?;
    // A discriminator ends in one channel, which would be a latent of one number.
    let config = config(first.1[0]);
    (config.z_dim > 1 && config.validate().is_ok()).then_some(config)
}

/// A name in a form whose order is that in which people number layers: 2 comes before 10.
pub(super) fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (before, numbered) = rest.split_at(text);
        let digits = numbered.find(|c: char| !c.is_ascii_digit()).unwrap_or(numbered.len());
        let (number, after) = numbered.split_at(digits);
        // The text comes first: a number counts among layers of the same name.
        parts.push((0, before.to_owned()));
        parts.push((number.parse().unwrap_or(u64::MAX), String::new()));
        rest = after;
    }
    parts
}
