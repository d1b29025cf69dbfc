//! Shows a training that is a part of a larger job.

use dermagan_train::Event;

use crate::show::complain;

/// Shows an event of a training that is a part of a larger job.
pub fn show_training(name: &str, event: &Event) {
    match event {
        Event::Tick(line) => {
            let kimg = line
                .get("Progress/kimg")
                .and_then(|field| field["mean"].as_f64())
                .unwrap_or(f64::NAN);
            complain!("{name}: {kimg:.1} kimg");
        }
        Event::Warning(words) => complain!("{name}: {words}"),
        _ => {}
    }
}
