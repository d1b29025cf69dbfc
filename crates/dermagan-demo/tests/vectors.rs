//! The numbers that the page's JavaScript must draw too. `page/tests/latent.test.ts` compares them with the same file.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

use dermagan_base::hex;
use dermagan_generate::{ImageGenerator, Shot};
use dermagan_model::{ComputeDevice, latent};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const FILE: &str = "page/tests/vectors.json";
const SEEDS: [u64; 8] = [0, 1, 2, 42, 4_294_967_296, 9_007_199_254_740_993, u64::MAX - 1, u64::MAX];
const TRUNCATIONS: [f64; 3] = [1.0, 0.65, 0.0];

/// Latents as a digest of their bits with the first numbers, and what a seed draws beside them.
fn vectors() -> Value {
    let generator = ImageGenerator::shipped(ComputeDevice::cpu()).unwrap();
    let config = generator.model().config;
    let mut rows = Vec::new();
    for seed in SEEDS {
        for truncation in TRUNCATIONS {
            let values = latent(seed, &config, truncation);
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let orientation = generator.sampler().orientation_of(seed);
            rows.push(json!({
                "seed": seed.to_string(),
                "truncation": truncation,
                "first": values[..4],
                "sha256": hex(&Sha256::digest(&bytes)),
                "mirror": orientation.mirror,
                "quarters": orientation.quarters,
                "class": generator.sampler().class_of(Shot::from(seed)),
            }));
        }
    }
    let images = &generator.model().card.as_ref().unwrap().class_images;
    json!({ "z_dim": config.z_dim, "latents": config.latents(), "images": images, "rows": rows })
}

#[test]
fn the_file_of_the_pages_tests_has_the_numbers_of_this_program() {
    let expected = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::fs::read_to_string(&file).unwrap_or_default() != expected {
        let new = std::env::temp_dir().join("dermagan-vectors.json");
        std::fs::write(&new, expected).unwrap();
        panic!(
            "{} differs from {}: look at the difference, and copy it if it is meant",
            file.display(),
            new.display()
        );
    }
}
