//! `dermagan doctor`: checks the gradients of a device.

use dermagan_model::ops::wrong_forms;
use dermagan_train::synthetic::{self, Sizes};
use dermagan_train::{Diagnosis, Estimate, Examination, examine, reference_level};

use crate::args::DoctorArgs;
use crate::commands::select;
use crate::exit;
use crate::show::{self, say};

/// The largest `--repeat`.
const MAX_REPEAT: usize = 1_000_000;
/// Largest number of parameters that are listed.
const NAMED: usize = 5;

/// Examines a device; returns the exit code.
pub fn run(args: &DoctorArgs) -> anyhow::Result<u8> {
    let (repeat, most) = (args.repeat, MAX_REPEAT);
    anyhow::ensure!((1..=most).contains(&repeat), "--repeat {repeat}: expected 1 to {most}");
    let sizes = Sizes { batch: args.batch, side: args.size, width: args.width };
    let config = args.preset.as_ref().map(|preset| synthetic::config(preset, sizes)).transpose()?;
    let device = select(&args.device)?;
    if let Some(config) = &config {
        Estimate::check(config, &device)?;
    }
    say!(
        "comparing {} on {} with the CPU at level {} …",
        if repeat == 1 { "one training step".into() } else { format!("{repeat} training steps") },
        device.name,
        reference_level(&device)
    );
    let bar = show::bar(repeat as u64, "{wide_bar} {pos}/{len} {eta}");
    let examination = Examination { config, repeat };
    let diagnosis = examine(&device, &examination, &mut |computed| {
        bar.set_position(computed.number as u64);
        if computed.wrong.is_empty() || repeat == 1 {
            return;
        }
        let named: Vec<String> = computed
            .wrong
            .iter()
            .take(NAMED)
            .map(|c| format!("{} off by {:.2e}", c.parameter, c.difference))
            .collect();
        let (wrong, number) = (computed.wrong.len(), computed.number);
        bar.suspend(|| say!("  step {number}: wrong gradients: {wrong}; {}", named.join(", ")));
    });
    bar.finish_and_clear();
    Ok(conclude(&diagnosis?))
}

/// Prints the diagnosis; returns the exit code.
fn conclude(diagnosis: &Diagnosis) -> u8 {
    for c in diagnosis.comparisons.iter().take(NAMED) {
        say!("  {:<24} off by {:.2e}", c.parameter, c.difference);
    }
    let Diagnosis { computed, wrong, differing, .. } = diagnosis;
    if *computed > 1 {
        say!(
            "wrong steps: {wrong} of {computed}; steps that differ from the first in any bit: {differing}"
        );
        for (parameter, times) in &diagnosis.wrong_by_parameter {
            say!("  {parameter:<24} wrong in {times}");
        }
    }
    for wrong in wrong_forms() {
        say!("  not used, because its result is wrong on this device: {wrong}");
    }
    let worst = diagnosis.comparisons.first();
    let (name, off) = worst.map_or(("none", 0.0), |c| (c.parameter.as_str(), c.difference));
    let verdict = if diagnosis.passed { "pass" } else { "FAIL" };
    say!(
        "{verdict}: the largest error is that of {name}, off by {off:.2e} of its norm; up to {:.0e} is rounding ({} parameters)",
        diagnosis.tolerance,
        diagnosis.comparisons.len()
    );
    if diagnosis.passed {
        return 0;
    }
    say!("Do not train on this device: update its driver, or use --device cpu.");
    exit::SICK_DEVICE
}
