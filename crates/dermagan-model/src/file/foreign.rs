//! DCGAN generators that other programs wrote, without a card.

use std::collections::{BTreeMap, BTreeSet};

use super::check::check;
use super::weights::METADATA_KEY;
use crate::network::ModelConfig;
use crate::network::dcgan::torch_index;
use crate::tensor::{Array, Weights};

/// The tensors of each layer: the full name by the last part of the name (`weight`, `bias`, …). The
/// key of a layer is its prefix and its number.
type Layers = BTreeMap<(String, usize), BTreeMap<String, String>>;

/// Renames the tensors of another program's DCGAN generator to our names and infers its shape. Any
/// prefix (`module.`, `generator.main.`, `net.`) and any layer numbers are accepted: only the order
/// of the layers matters.
///
/// # Errors
/// Names the first tensor that does not fit such a generator.
pub(super) fn foreign(weights: Weights) -> Result<(Weights, ModelConfig), String> {
    refuse_residual(&weights)?;
    let layers = layers_of(&weights)?;
    let (renamed, blocks) = renamed(&weights, &layers)?;
    if !(4..=6).contains(&blocks) {
        return Err(format!("{blocks} convolutions, expected 4, 5 or 6 (32, 64 or 128 pixels)"));
    }
    let shape = |i: usize| {
        let name = format!("main.{}.weight", torch_index(i, false));
        renamed.get(&name).map(|a| a.shape.clone()).filter(|s| s.len() == 4).ok_or(name)
    };
    let missing = |name| format!("no tensor '{name}'");
    let config = ModelConfig {
        resolution: 2 << blocks,
        z_dim: shape(0).map_err(missing)?[0],
        g_width: shape(blocks - 1).map_err(missing)?[0],
        d_width: shape(blocks - 1).map_err(missing)?[0],
        ..ModelConfig::default()
    };
    config.validate().map_err(|e| e.to_string())?;
    check(&renamed, &config)?;
    Ok((renamed, config))
}

/// Refuses a residual generator: its tensors alone do not say all that its card does.
fn refuse_residual(weights: &Weights) -> Result<(), String> {
    let is = |(name, array): &(&String, &Array)| match name.as_str() {
        "embed" | "noise.0" => true,
        "main.1.weight" => array.shape.ends_with(&[3, 3]),
        _ => false,
    };
    if let Some((name, _)) = weights.iter().find(is) {
        return Err(format!(
            "tensor '{name}' belongs to a residual generator, which is read with its card only: save it \
             as safetensors with the metadata '{METADATA_KEY}' that it came with"
        ));
    }
    Ok(())
}

/// Groups the tensors by layer. All layers have the same prefix.
fn layers_of(weights: &Weights) -> Result<Layers, String> {
    let mut layers = Layers::new();
    for name in weights.keys() {
        let mut parts: Vec<&str> = name.split('.').collect();
        let leaf = parts.pop().unwrap_or_default();
        let index = parts.pop().and_then(|i| i.parse().ok());
        let Some(index) = index else {
            return Err(format!(
                "tensor '{name}': expected the names of an nn.Sequential, such as main.0.weight"
            ));
        };
        layers.entry((parts.join("."), index)).or_default().insert(leaf.to_owned(), name.clone());
    }
    let prefixes: BTreeSet<&String> = layers.keys().map(|(prefix, _)| prefix).collect();
    if prefixes.len() != 1 {
        return Err(format!("expected the layers of one network, found those of {prefixes:?}"));
    }
    Ok(layers)
}

/// The tensors under our names, and the number of convolutions.
fn renamed(weights: &Weights, layers: &Layers) -> Result<(Weights, usize), String> {
    let mut renamed = Weights::new();
    let mut block = 0;
    for leaves in layers.values() {
        let weight =
            leaves.get("weight").ok_or_else(|| format!("a layer has no weight: {leaves:?}"))?;
        let rank = weights[weight].shape.len();
        let is_norm = rank == 1;
        if rank != 4 && rank != 1 {
            return Err(format!(
                "tensor '{weight}' has shape {:?}, which no layer of a DCGAN has",
                weights[weight].shape
            ));
        }
        if is_norm && block == 0 {
            return Err(
                "its first layer is a normalisation, so it is not a DCGAN generator".to_owned()
            );
        }
        if !is_norm && leaves.contains_key("bias") {
            return Err(format!(
                "tensor '{}': the convolutions of a DCGAN have no bias",
                leaves["bias"]
            ));
        }
        let index = torch_index(if is_norm { block - 1 } else { block }, is_norm);
        block += usize::from(!is_norm);
        for (leaf, name) in leaves {
            let ours = format!("main.{index}.{leaf}");
            if renamed.insert(ours, weights[name].clone()).is_some() {
                return Err(format!("tensor '{name}' occurs twice"));
            }
        }
    }
    Ok((renamed, block))
}
