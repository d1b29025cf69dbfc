//! Events of a run for Python: a name and its values as JSON. `python/dermagan/events.py` has a class for each name.

use dermagan_train::{Event, Measures, SelfCheck};
use serde_json::{Value, json};

use crate::errors::in_python;

/// The name of an event's class, and its values.
pub fn named(event: Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::PresetChosen { preset, reason, kimg, seconds } => (
            "PresetChosen",
            json!({"preset": preset, "reason": reason.to_string(), "kimg": kimg, "seconds": seconds}),
        ),
        Event::Preparing { done, total } => ("Preparing", json!({"done": done, "total": total})),
        Event::Prepared { path, report, reused, seconds } => (
            "Prepared",
            json!({"path": path, "account": report.to_string(), "reused": reused, "seconds": seconds}),
        ),
        Event::Initialised(transfer) => ("Initialised", json!({"words": transfer.words()})),
        Event::Split(facts) => ("Split", json!({"words": facts.to_string(), "facts": facts})),
        Event::Fitted { kimg, seconds_per_kimg } => {
            ("Fitted", json!({"kimg": kimg, "seconds_per_kimg": seconds_per_kimg}))
        }
        Event::Started { run, nimg, total } => {
            ("Started", json!({"run": run, "nimg": nimg, "total": total}))
        }
        Event::Progress { nimg, images_per_second, measures } => (
            "Progress",
            json!({"nimg": nimg, "images_per_second": images_per_second, "measures": by_column(measures)}),
        ),
        Event::Tick(line) => ("Tick", json!({"line": line})),
        Event::Snapshot { grid, checkpoint, nimg } => {
            ("Snapshot", json!({"grid": grid, "checkpoint": checkpoint, "nimg": nimg}))
        }
        Event::Measuring { nimg } => ("Measuring", json!({"nimg": nimg})),
        Event::Metric { name, words, best } => {
            ("Metric", json!({"name": name, "words": words, "best": best}))
        }
        Event::SelfCheck(check) => ("SelfCheck", json!({"words": self_check(check)})),
        Event::Advice(fact) => ("Advice", json!({"words": in_python(&fact.to_string())})),
        Event::Warning(words) => ("Warning", json!({"words": in_python(&words)})),
        _ => return None,
    })
}

/// The measures of a step by the names of their columns.
fn by_column(measures: Measures) -> Value {
    let values = measures.into_array().into_iter();
    Measures::COLUMNS
        .iter()
        .map(|column| (*column).to_owned())
        .zip(values.map(Value::from))
        .collect()
}

fn self_check(check: SelfCheck) -> String {
    match check {
        SelfCheck::Start { worst, .. } => format!(
            "the gradients match the CPU's; the largest difference is {:.1e} of its norm",
            worst.difference
        ),
        SelfCheck::Repeated { repeated, .. } => format!(
            "a step was computed twice; the largest difference is {:.1e} of its norm",
            repeated.worst.difference
        ),
        SelfCheck::Recomputed(found) => {
            format!(
                "{} steps were computed again; {}",
                found.steps,
                match found.erred {
                    true => "the device had made an error",
                    false => "the results were the same",
                }
            )
        }
    }
}
