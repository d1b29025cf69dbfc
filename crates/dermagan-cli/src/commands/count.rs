//! `dermagan bench step --count`: counts the kernel launches, transfers and waits of a training step on a GPU.

#[cfg(feature = "cube")]
pub use with::run;
#[cfg(not(feature = "cube"))]
pub use without::run;

#[cfg(not(feature = "cube"))]
mod without {
    use crate::args::BenchArgs;

    /// Fails: this build has no GPU support.
    pub fn run(_: &BenchArgs) -> anyhow::Result<u8> {
        anyhow::bail!(
            "--count: this program has no GPU support; build it without --no-default-features"
        )
    }
}

#[cfg(feature = "cube")]
mod with {
    use anyhow::ensure;
    use dermagan_model::device;
    use std::sync::Arc;

    use dermagan_model::PrecisionChoice;
    use dermagan_train::count::{self, LaunchCounts};
    use dermagan_train::{Plan, Preset, TrainRequest};
    use serde_json::json;

    use crate::args::BenchArgs;
    use crate::show::{complain, say};

    /// Training data: a phantom of 140 images.
    const PHANTOM: &str = "phantom:140";
    /// Default batch sizes. Launches do not depend on the batch size, transfers do.
    const BATCHES: [usize; 2] = [16, 64];
    /// Number of kernels that are listed per preset.
    const NAMED: usize = 8;

    /// Counts each requested preset and batch size; returns the exit code.
    pub fn run(args: &BenchArgs) -> anyhow::Result<u8> {
        let device = device::select(&args.device.device)?;
        ensure!(
            !device.is_cpu,
            "--count: the CPU launches no kernels; choose a GPU with --device gpu or --device software"
        );
        if let Some(warning) = &device.warning {
            complain!("warning: {warning}");
        }
        let precision = args.precision.resolve(&device)?;
        let all = || Preset::names().map(str::to_owned).collect();
        let presets: Vec<String> = args.preset.clone().map_or_else(all, |preset| vec![preset]);
        let batches = args.batch.map_or(BATCHES.to_vec(), |batch| vec![batch]);
        if !args.json {
            say!("per step of a run on {}, {precision}:", device.name);
            say!("preset     batch  launches  uploads   MB up  waits  bytes down  pages added");
        }
        for preset in &presets {
            for batch in &batches {
                let request = TrainRequest {
                    data: Some(PHANTOM.to_owned()),
                    preset: preset.clone(),
                    batch: Some(*batch),
                    size: args.size,
                    width: args.width,
                    precision: Some(PrecisionChoice::Exactly(precision)),
                    ..TrainRequest::default()
                };
                let plan = Plan::new(&request, &device, &mut |_| {})?;
                let counts = count::training_steps(Arc::new(plan), &device);
                show(args.json, preset, *batch, &counts);
            }
        }
        Ok(0)
    }

    fn show(as_json: bool, preset: &str, batch: usize, counts: &LaunchCounts) {
        let LaunchCounts { steps, launches, uploads, bytes_up, reads, bytes_down, pages, kernels } =
            counts;
        if as_json {
            say!(
                "{}",
                json!({
                    "preset": preset, "batch": batch, "steps": steps, "launches": launches, "uploads": uploads,
                    "bytes_up": bytes_up, "reads": reads, "bytes_down": bytes_down, "pages_added": pages,
                    "kernels": kernels.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
                })
            );
            return;
        }
        let megabytes = bytes_up / 1e6;
        say!(
            "{preset:<10} {batch:>5} {launches:>9.1} {uploads:>8.1} {megabytes:>7.2} {reads:>6.2} {bytes_down:>11.0} \
             {pages:>12.2}"
        );
        let named: Vec<String> =
            kernels.iter().take(NAMED).map(|(name, n)| format!("{n:.1} {name}")).collect();
        say!("           most frequent: {}", named.join(", "));
    }
}
