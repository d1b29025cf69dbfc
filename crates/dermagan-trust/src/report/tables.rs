//! The tables of a page.

use dermagan_eval::{Comparison, Estimates, EvalReport, Figure};
use maud::{Markup, html};
use serde_json::Value;

use crate::audit::{AuditReport, ClassAudit, Verdict};
use crate::bias::BiasReport;
use crate::statistics::Rate;

/// The word of a verdict in its colour.
pub(super) fn verdict(of: Verdict) -> Markup {
    let class = match of {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::NoVerdict => "none",
    };
    html! { span class=(class) { (of.word()) } }
}

fn figure(of: Option<Figure>) -> String {
    of.map_or("–".into(), |of| format!("{:.2} / {:.2}", of.fake, of.real))
}

fn kid(of: Option<Estimates>) -> String {
    let thousand = |v: f64| 1000.0 * v;
    of.map_or("–".into(), |of| {
        format!(
            "{:.1} ± {:.1} / {:.1} ± {:.1}",
            thousand(of.fake),
            thousand(of.fake_se),
            thousand(of.real),
            thousand(of.real_se)
        )
    })
}

/// The figures of an evaluation: each beside that of real images.
pub(super) fn evaluation(report: &EvalReport) -> Markup {
    let row = |name: &str, network: &str, c: &Comparison| {
        html! {
            tr {
                td { (name) } td.text { (network) } td { (c.n) } td { (kid(c.kid)) }
                td { (c.auc.map_or("–".into(), |auc| format!("{:.2} / {:.2}", auc.fake, auc.real))) }
                td { (figure(c.precision)) } td { (figure(c.recall)) } td { (figure(c.density)) } td { (figure(c.coverage)) }
            }
        }
    };
    html! {
        div.scroll { table {
            caption {
                "Each cell: generated against real / other real images against the same real images. KID is a distance; AUC is the \
                 share of pairs in which a classifier finds the generated image, 0.5 is chance. Precision and density measure \
                 whether images look real, recall and coverage whether all of the variety is there."
            }
            thead { tr {
                th { "images" } th.text { "judged by" } th { "n" } th { "KID ×1000" } th { "AUC" } th { "precision" } th { "recall" }
                th { "density" } th { "coverage" }
            } }
            tbody {
                @for by in &report.features { (row("all", &by.name, &by.overall)) }
                @for by in &report.features { @for class in &by.classes { (row(&class.class, &by.name, &class.comparison)) } }
            }
        } }
    }
}

/// The largest differences in hand-made features.
pub(super) fn differences(report: &EvalReport) -> Markup {
    html! {
        @if report.off.is_empty() {
            p { "No hand-made feature of colour, asymmetry, border, size or texture differs by more than it does among real images." }
        } @else {
            div.scroll { table {
                caption { "Hand-made features after the ABCD rule in which generated images differ most from real ones. The effect is in standard deviations: 0.2 is small, 0.8 large." }
                thead { tr { th.text { "feature" } th { "generated" } th { "real" } th { "effect" } } }
                tbody { @for off in report.off.iter().take(8) {
                    tr { td.text { (off.what) } td { (format!("{:.2}", off.fake)) } td { (format!("{:.2}", off.real)) } td { (format!("{:+.2}", off.effect)) } }
                } }
            } }
        }
    }
}

fn rate(of: &Rate) -> String {
    format!("{} of {}", of.events, of.trials)
}

/// The results of an audit.
pub(super) fn audit(report: &AuditReport) -> Markup {
    let row = |class: &ClassAudit| {
        let share = class.target_share.as_ref();
        let attack = class.membership.as_ref();
        html! {
            tr {
                td { (class.class) } td { (class.images) }
                td { (class.train_lesions) " / " (class.held_out_lesions) }
                td { (rate(&class.copies)) " / " (rate(&class.copies_held_out)) }
                td { (share.map_or("–".into(), |s| format!("{:.2} ({:.2} to {:.2})", s.share, s.low, s.high))) }
                td { (attack.map_or("–".into(), |a| format!("{:.2} ({:.2})", a.auc, a.band))) }
                td { (verdict(class.verdict)) }
                td.text { (class.needed.as_deref().unwrap_or_default()) }
            }
        }
    };
    html! {
        div.scroll { table {
            caption {
                "Copies: images closer to one training image than all but 0.1 % of held-out photographs, / the same of held-out \
                 photographs. Target share: how often a generated image is nearer to a training lesion than to a held-out one; 0.5 \
                 is no preference. Attack: the AUC of telling training photographs from held-out ones by the generated images; in \
                 brackets what chance reaches."
            }
            thead { tr {
                th { "class" } th { "images" } th { "lesions: training / held out" } th { "copies" } th { "target share" } th { "attack" }
                th { "verdict" } th.text { "a verdict needs" }
            } }
            tbody { @for class in &report.classes { (row(class)) } (row(&report.all)) }
        } }
        p {
            "The audit checked itself: " (report.controls.planted_found) " of " (report.controls.planted)
            " planted copies were found, and held-out photographs in the place of generated images "
            @if report.controls.held_out_passes { "did not fail." } @else { "failed, so the audit is void." }
        }
    }
}

/// Who is in the data.
pub(super) fn composition(report: &BiasReport) -> Markup {
    let percent = |rate: &Rate| format!("{:.1} %", 100.0 * rate.share());
    html! {
        div.scroll { table {
            caption { "Shares of images by class, and of lesions by all else. Generated images have a sex, an age or a site only if a table says so; expected is the share of training lesions with the classes of the generated images." }
            thead { tr { th.text { "attribute" } th.text { "group" } th { "training" } th { "held out" } th { "expected" } th { "generated" } } }
            tbody { @for of in &report.composition { @for (i, group) in of.groups.iter().enumerate() {
                tr {
                    td.text { @if i == 0 { (of.attribute) } } td.text { (group.group) }
                    td { (percent(&group.train)) } td { (percent(&group.held_out)) }
                    td { (group.expected.map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share))) }
                    td { (group.fake.as_ref().map_or("–".into(), percent)) @if group.differs { " " span.fail { "differs" } } }
                }
            } } }
        } }
    }
}

/// The colour around the lesion, and what a classifier sees.
pub(super) fn people(report: &BiasReport) -> Markup {
    html! {
        div.scroll { table {
            caption {
                "The angle of the image's border in degrees: median of generated and of training images, and the distance to training \
                 images of generated / held-out ones. Light and camera move it; it is not skin tone."
            }
            thead { tr { th { "class" } th { "generated" } th { "training" } th { "distance" } } }
            tbody { @for of in &report.surround {
                tr {
                    td { (of.class) } td { (format!("{:.0}°", of.fake[2])) } td { (format!("{:.0}°", of.train[2])) }
                    td { (format!("{:.1} / {:.1}", of.distance, of.distance_held_out)) @if of.differs { " " span.fail { "differs" } } }
                }
            } }
        } }
        @for of in &report.amplification {
            @if of.measurable {
                h3 { "Share of images that show someone " (of.question) }
                div.scroll { table {
                    thead { tr { th { "class" } th { "generated" } th { "held out" } th { "difference" } } }
                    tbody { @for shift in &of.classes {
                        tr {
                            td { (shift.class) } td { (format!("{:.0} %", 100.0 * shift.fake)) } td { (format!("{:.0} %", 100.0 * shift.held_out)) }
                            td { (format!("{:+.2} ({:+.2} to {:+.2})", shift.difference, shift.low, shift.high)) @if shift.differs { " " span.fail { "differs" } } }
                        }
                    } }
                } }
            } @else {
                p { "Whether generated images show more or fewer people " (of.question) " is not measurable: a classifier of images tells them apart with an AUC of " (format!("{:.2}", of.auc)) ", and at least 0.70 is needed." }
            }
        }
    }
}

/// The recalls of the lesion encoder by group.
pub(super) fn recall(report: &BiasReport) -> Markup {
    html! {
        div.scroll { table {
            caption { "The share of held-out lesions that the lesion encoder recognises, with its 95 % interval. Groups of fewer than ten lesions are left out." }
            thead { tr { th { "class" } th.text { "group" } th { "lesions" } th { "recall" } } }
            tbody { @for of in &report.recall { @if let Some(rate) = &of.recall {
                tr {
                    td { (of.class) } td.text { (of.group) } td { (of.lesions) }
                    td { (format!("{:.0} % ({:.0} to {:.0})", 100.0 * rate.share(), 100.0 * rate.low, 100.0 * rate.high)) }
                }
            } } }
        } }
    }
}

/// The arms of a trial, from the JSON of `dermagan trial`.
pub(super) fn trial(report: &Value) -> Markup {
    let number = |value: &Value, factor: f64, digits: usize| {
        value.as_f64().map_or("–".to_owned(), |v| format!("{:.*}", digits, factor * v))
    };
    let arms = report["arms"].as_array().map(Vec::as_slice).unwrap_or_default();
    let difference = |of: &Value| {
        let points = |value: &Value| {
            value.as_f64().map_or("–".to_owned(), |v| format!("{:+.1}", 100.0 * v))
        };
        match of.is_null() {
            true => String::new(),
            false => format!(
                "{} ({} to {})",
                points(&of["difference"]),
                points(&of["interval"][0]),
                points(&of["interval"][1])
            ),
        }
    };
    html! {
        div.scroll { table {
            caption {
                "Classifiers that learnt from these images, judged on held-out photographs; the difference is in points of balanced \
                 accuracy from " (report["base"].as_str().unwrap_or("rebalanced photographs")) ", with its 95 % interval."
            }
            thead { tr { th.text { "trained on" } th { "balanced accuracy" } th { "macro AUC" } th { "melanoma AUC" } th { "calibration error" } th { "difference" } } }
            tbody { @for arm in arms {
                tr {
                    td.text { (arm["arm"].as_str().unwrap_or("–")) }
                    td { (number(&arm["scores"]["balanced_accuracy"], 100.0, 1)) }
                    td { (number(&arm["scores"]["macro_auc"], 1.0, 3)) } td { (number(&arm["scores"]["melanoma_auc"], 1.0, 3)) }
                    td { (number(&arm["scores"]["calibration_error"], 1.0, 3)) }
                    td { (difference(&arm["difference"])) }
                }
            } }
        } }
    }
}
