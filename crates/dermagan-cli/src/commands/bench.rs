//! `dermagan bench`: measures the speed of a device.

use anyhow::ensure;
use dermagan_eval::{Extractor, Handmade, ImagenetEncoder, Inception, LesionEncoder};
use dermagan_model::{Precision, RESOLUTIONS, device};
use dermagan_train::synthetic::{self, Sizes};
use dermagan_train::{Estimate, bench, peak_gigabytes};
use serde_json::json;

use crate::args::{BenchArgs, BenchWhat, FeaturesArg};
use crate::commands::count;
use crate::show::{complain, say};

/// The most measured rounds, and the most warm-up rounds.
const MAX_ROUNDS: usize = 100_000;
/// Largest number of images per batch, as for training.
const MAX_BATCH: usize = 4096;

/// Measures and prints the speed; returns the exit code.
pub fn run(args: &BenchArgs) -> anyhow::Result<u8> {
    refuse(args)?;
    if args.count {
        return count::run(args);
    }
    let (name, batch, seconds) = measure(args)?;
    let images = batch as f64;
    let mut rates: Vec<f64> = seconds.iter().skip(args.warm_up).map(|s| images / s).collect();
    rates.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (rates.first(), rates.last()) else {
        anyhow::bail!("no round was measured");
    };
    let median = (rates[(rates.len() - 1) / 2] + rates[rates.len() / 2]) / 2.0;
    let peak = peak_gigabytes();
    if args.json {
        let end = json!({"on": name, "images_per_second": median, "low": low, "high": high, "peak_gb": peak});
        say!("{end}");
        return Ok(0);
    }
    let peak = peak.map_or(String::new(), |gb| format!(", peak memory {gb:.2} GB"));
    say!("{median:.1} images/s on {name} ({low:.1} to {high:.1}, rounds: {}{peak})", rates.len());
    Ok(0)
}

/// Rejects values out of range, and flags that would have no effect.
fn refuse(args: &BenchArgs) -> anyhow::Result<()> {
    let (rounds, warm_up) = (args.rounds, args.warm_up);
    ensure!((1..=MAX_ROUNDS).contains(&rounds), "--rounds {rounds}: expected 1 to {MAX_ROUNDS}");
    ensure!(warm_up <= MAX_ROUNDS, "--warm-up {warm_up}: expected 0 to {MAX_ROUNDS}");
    ensure!(
        !args.count || args.what == BenchWhat::Step,
        "--count counts training steps only; run: dermagan bench step --count"
    );
    if args.what != BenchWhat::Features {
        ensure!(args.features.is_none(), "--features is for `dermagan bench features` only");
        return Ok(());
    }
    ensure!(
        args.width.is_none(),
        "--width has no effect on features: their networks have fixed widths; leave it out"
    );
    let batch = args.batch.unwrap_or(FEATURES_BATCH);
    ensure!((1..=MAX_BATCH).contains(&batch), "--batch {batch}: expected 1 to {MAX_BATCH}");
    let side = args.size.unwrap_or(RESOLUTIONS[0]);
    ensure!(RESOLUTIONS.contains(&side), "--size {side}: expected 32, 64, 128 or 256");
    Ok(())
}

/// Default number of images per round of `bench features`.
const FEATURES_BATCH: usize = 64;

/// Measures. Returns the device with its number format, the images per round, and the seconds of each round.
fn measure(args: &BenchArgs) -> anyhow::Result<(String, usize, Vec<f64>)> {
    let sizes = Sizes { batch: args.batch, side: args.size, width: args.width };
    let mut config = synthetic::config(args.preset.as_deref().unwrap_or("reference"), sizes)?;
    let device = device::select(&args.device.device)?;
    if let Some(warning) = &device.warning {
        complain!("warning: {warning}");
    }
    config.precision = args.precision.resolve(&device)?;
    ensure!(
        args.what == BenchWhat::Step || config.precision == Precision::F32,
        "--precision {}: sampling and features are always float32; leave it out",
        config.precision
    );
    if let Some(caution) = config.precision.caution(&device) {
        complain!("warning: {caution}");
    }
    if args.what != BenchWhat::Features {
        Estimate::check(&config, &device)?;
    }
    let mut seconds = Vec::new();
    let mut each = |took: f64| {
        if args.json {
            say!("{}", json!({"round": seconds.len(), "seconds": took}));
        }
        seconds.push(took);
    };
    let rounds = args.warm_up + args.rounds;
    match args.what {
        BenchWhat::Sample => bench::sampling(&config, &device, rounds, &mut each)?,
        BenchWhat::Step => bench::training_steps(&config, &device, rounds, &mut each)?,
        BenchWhat::Features => {
            config.optimiser.batch = args.batch.unwrap_or(FEATURES_BATCH);
            let extractor: Box<dyn Extractor> = match args.features.unwrap_or(FeaturesArg::Lesion) {
                FeaturesArg::Lesion => Box::new(LesionEncoder::shipped(&device.handle)?),
                FeaturesArg::Imagenet => Box::new(ImagenetEncoder::shipped()?),
                FeaturesArg::Inception => Box::new(Inception::untrained(&device.handle)),
                FeaturesArg::Handmade => Box::new(Handmade),
            };
            let side = config.model.resolution;
            bench::features(&*extractor, config.optimiser.batch, side, rounds, &mut each)?;
        }
    }
    Ok((format!("{}, {}", device.name, config.precision), config.optimiser.batch, seconds))
}
