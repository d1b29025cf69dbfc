//! `dermagan bench`: how fast this machine is.

use anyhow::ensure;
use dermagan_eval::Extractor;
use dermagan_eval::encoder::LesionEncoder;
use dermagan_eval::handmade::Handmade;
use dermagan_eval::inception::Inception;
use dermagan_model::{Precision, device};
use dermagan_train::bench;
use dermagan_train::estimate;
use dermagan_train::memory::peak_gigabytes;
use dermagan_train::synthetic::{self, Sizes};
use serde_json::json;

use crate::args::{BenchArgs, BenchWhat, FeaturesArg};
use crate::show::{complain, say};

mod count;

/// Most rounds of either kind.
const MOST_ROUNDS: usize = 100_000;
/// Most images of a batch, as for training.
const MOST_IMAGES: usize = 4096;
/// Sides that images can have.
const SIDES: [usize; 3] = [32, 64, 128];

/// Runs the command.
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
        anyhow::bail!("nothing was measured");
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

/// Refuses what cannot be measured, and options that would change nothing.
fn refuse(args: &BenchArgs) -> anyhow::Result<()> {
    let (rounds, warm_up) = (args.rounds, args.warm_up);
    ensure!((1..=MOST_ROUNDS).contains(&rounds), "--rounds {rounds}: expected 1 to {MOST_ROUNDS}");
    ensure!(warm_up <= MOST_ROUNDS, "--warm-up {warm_up}: expected 0 to {MOST_ROUNDS}");
    ensure!(
        !args.count || args.what == BenchWhat::Step,
        "--count counts steps: dermagan bench step --count"
    );
    if args.what != BenchWhat::Features {
        ensure!(args.features.is_none(), "--features is for `dermagan bench features`");
        return Ok(());
    }
    ensure!(args.width.is_none(), "--width: the networks that make features have their own widths");
    let batch = args.batch.unwrap_or(FEATURES_BATCH);
    ensure!((1..=MOST_IMAGES).contains(&batch), "--batch {batch}: expected 1 to {MOST_IMAGES}");
    let side = args.size.unwrap_or(SIDES[0]);
    ensure!(SIDES.contains(&side), "--size {side}: expected 32, 64 or 128");
    Ok(())
}

/// Images of a round of `bench features`, where none are asked for.
const FEATURES_BATCH: usize = 64;
/// What was measured on, the images of a round, and the seconds of every round.
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
        "--precision {}: sampling and features are float32; leave it out",
        config.precision
    );
    if let Some(caution) = config.precision.caution(&device) {
        complain!("warning: {caution}");
    }
    if args.what != BenchWhat::Features {
        estimate::check(&config, &device)?;
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
                FeaturesArg::Lesion => Box::new(LesionEncoder::shipped(&device.device)?),
                FeaturesArg::Inception => Box::new(Inception::untrained(&device.device)),
                FeaturesArg::Handmade => Box::new(Handmade),
            };
            let side = config.model.resolution;
            bench::features(&*extractor, config.optimiser.batch, side, rounds, &mut each)?;
        }
    }
    Ok((format!("{}, {}", device.name, config.precision), config.optimiser.batch, seconds))
}
