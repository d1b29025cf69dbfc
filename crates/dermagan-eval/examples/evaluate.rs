//! Compares generated images with real ones: `cargo run --release --example evaluate -p dermagan-eval [REAL FAKE]`.

use std::path::Path;

use dermagan_eval::{EvalJob, GeneratedImages, evaluate};
use dermagan_model::{Choice, device};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let real = args.next().unwrap_or_else(|| "phantom".into());
    let fake = args.next().unwrap_or_else(|| "shipped".into());
    let device = device::select(&Choice::Auto)?;
    let job = EvalJob { number: 200, ..EvalJob::new(real) };
    let first = job.first_seed()?;
    let fakes = GeneratedImages::open(Path::new(&fake), &device, first, job.largest_side())?;
    let found = evaluate(&job, &fakes, &device, &mut |_| ())?;
    println!("{}", found.report.words);
    for by in &found.report.features {
        let Some(kid) = by.overall.kid else { continue };
        let (fake, real) = (1e3 * kid.fake, 1e3 * kid.real);
        println!("KID x1000 by {} features: {fake:.1}, real against real {real:.1}", by.name);
    }
    Ok(())
}
