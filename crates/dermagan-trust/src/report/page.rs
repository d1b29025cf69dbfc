//! The page itself: the seven Cs in order.

use dermagan_base::producer;
use dermagan_eval::EvalReport;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::facts::Facts;
use super::pictures::{Picture, data_address};
use super::tables;
use crate::audit::AuditReport;
use crate::bias::BiasReport;

/// Everything that a page shows.
pub(super) struct Content {
    pub title: String,
    pub facts: Facts,
    pub grid: Picture,
    pub classes: Option<(Picture, Vec<String>)>,
    /// Whether real images stand beside the generated ones.
    pub beside_real: bool,
    pub pairs: Option<Picture>,
    pub losses: Option<Vec<u8>>,
    pub metrics: Option<String>,
    pub measured: Option<Measured>,
    pub trial: Option<Value>,
    pub twins: Option<Value>,
    /// What was left out, and what limits the figures.
    pub notes: Vec<String>,
}

/// What was measured against real images.
pub(super) struct Measured {
    pub real: String,
    pub eval: EvalReport,
    pub audit: AuditReport,
    pub bias: BiasReport,
}

/// The page as HTML.
pub(super) fn html_of(of: &Content) -> String {
    let policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy);
                title { (of.title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                main {
                    h1 { (of.title) }
                    p.notice {
                        b { "Synthetic images, not for diagnosis. " }
                        @if of.measured.as_ref().is_none_or(|measured| measured.audit.all.identical == 0) { "A generative model made the images of the grid below. " }
                        @else { "Some of these images equal a training photograph. " }
                        "The licence of the training data binds them."
                    }
                    (summary(of))
                    (picture(&of.grid, "The first images, not selected."))
                    (congruence(of)) (coverage(of)) (constraint(of)) (completeness(of)) (compliance(of)) (comprehension(of)) (consistency(of))
                }
                footer { "Written by " (producer()) ". Sections after the scorecard for synthetic medical data of Zamzmi et al. 2024 (arXiv:2406.11143)." }
            }
        }
    };
    page.into_string()
}

fn picture(of: &Picture, caption: &str) -> Markup {
    html! {
        figure {
            img src=(of.address) width=(of.size[0]) height=(of.size[1]) alt=(of.words);
            figcaption { (caption) }
        }
    }
}

/// A sentence where something was not measured.
fn missing(what: &str, how: &str) -> Markup {
    html! { p.none { (what) " was not measured. " (how) } }
}

const NEEDS_REAL: &str = "Give the training data with --real.";

fn summary(of: &Content) -> Markup {
    html! {
        ul.verdicts {
            @if let Some(measured) = &of.measured {
                li { b { "Do they look real and varied?" } (measured.eval.words) }
                li { b { "Are they copies of patients?" } (tables::verdict(measured.audit.verdict)) " – " (after_verdict(&measured.audit.words)) }
                li { b { "Whom do they leave out?" }
                    @match measured.bias.findings.len() {
                        0 => "No group differs by more than chance, as far as it can be measured.",
                        1 => "One difference by more than chance, listed under Consistency.",
                        n => (format!("{n} differences by more than chance, listed under Consistency.")),
                    }
                }
            }
            li { b { "Do they help a classifier?" }
                @match &of.trial {
                    Some(trial) => (trial["words"].as_str().unwrap_or("The trial has no verdict.")),
                    None => "Not tried.",
                }
            }
        }
    }
}

/// The words of a verdict without the verdict itself.
fn after_verdict(words: &str) -> &str {
    words.split_once(": ").map_or(words, |(_, rest)| rest)
}

fn congruence(of: &Content) -> Markup {
    html! {
        section {
            h2 { "1. Congruence: do they look like real images?" }
            @match &of.measured {
                Some(measured) => {
                    p { "Two networks judge. The lesion encoder learnt from the same photographs as the generator; the ImageNet encoder never saw a lesion. The verdict rests on the worse." }
                    (tables::evaluation(&measured.eval))
                }
                None => (missing("How real the images look", NEEDS_REAL)),
            }
        }
    }
}

fn coverage(of: &Content) -> Markup {
    html! {
        section {
            h2 { "2. Coverage: is all of the variety there?" }
            @if let Some((classes, names)) = &of.classes {
                (picture(classes, &format!(
                    "One row per class: {}.{}", names.join(", "),
                    if of.beside_real { " Generated on the left, real photographs on the right." } else { "" }
                )))
            }
            @match &of.measured {
                Some(measured) => { p { "Recall and coverage above are shares of real images that have a generated image near them." } (tables::composition(&measured.bias)) }
                None => (missing("The variety of the images", NEEDS_REAL)),
            }
        }
    }
}

fn constraint(of: &Content) -> Markup {
    html! {
        section {
            h2 { "3. Constraint: do they keep the rules of skin lesions?" }
            @match &of.measured {
                Some(measured) => (tables::differences(&measured.eval)),
                None => (missing("What distinguishes the images", NEEDS_REAL)),
            }
        }
    }
}

fn completeness(of: &Content) -> Markup {
    html! {
        section {
            h2 { "4. Completeness: what is known of each image?" }
            p { "A generated image has a class, a seed and its generator. It has no patient, no sex, no age, no site and no confirmation of its diagnosis: nobody examined it." }
            @if let Some(measured) = &of.measured {
                @let counts = &measured.eval.images;
                p { (counts.measured) " images were measured, " (counts.distinct) " of them different." }
                @if !counts.left_out.is_empty() { ul { @for entry in &counts.left_out { li { (entry.words()) } } } }
            }
        }
    }
}

fn compliance(of: &Content) -> Markup {
    html! {
        section {
            h2 { "5. Compliance: copies, privacy, licence" }
            @match &of.measured {
                Some(measured) => {
                    (tables::audit(&measured.audit))
                    p { "The audit states what these attacks found at these numbers of images. It does not state that the images are anonymous: other attacks may find more." }
                }
                None => (missing("Whether the images are copies", NEEDS_REAL)),
            }
            @if let Some(twins) = &of.twins {
                h3 { "Twins: the recipe" }
                p {
                    "Two generators learnt from disjoint halves of the lesions (" (twins["recipe"].as_str().unwrap_or_default()) "). "
                    (twins["words"].as_str().unwrap_or_default())
                }
            }
            @if let Some(pairs) = &of.pairs {
                (picture(pairs, "The generated images that are closest to a training image, each with that real photograph on its right. Pass on only as the licence of the photographs permits."))
            }
        }
    }
}

fn comprehension(of: &Content) -> Markup {
    html! {
        section {
            h2 { "6. Comprehension: where they come from, and what they are not for" }
            div.scroll { table {
                tbody { @for (name, value) in &of.facts { tr { td.text { (name) } td.text { (value) } } } }
            } }
            @if let Some(svg) = &of.losses {
                figure { img src=(data_address("image/svg+xml", svg)) alt="losses of both networks during training"; figcaption { "The losses of both networks during training. They do not measure quality." } }
            }
            @if let Some(svg) = &of.metrics {
                figure { img src=(data_address("image/svg+xml", svg.as_bytes())) alt="KID during training by two networks"; figcaption { "The distance from real images during training, by both networks." } }
            }
            h3 { "Uses to avoid" }
            ul {
                li { "diagnosis, or any decision about a patient" }
                li { "validation and test sets: only photographs can judge a classifier" }
                li { "claims about groups of patients: the generator can only vary what its training images show" }
                li { "finding out who was in the training data" }
            }
            h3 { "Limits" }
            ul { @for note in &of.notes { li { (note) } } }
        }
    }
}

fn consistency(of: &Content) -> Markup {
    html! {
        section {
            h2 { "7. Consistency: the same for everyone, and useful?" }
            @match &of.measured {
                Some(measured) => {
                    @let known = measured.eval.features.first().map(|by| by.classes.as_slice()).unwrap_or_default();
                    @if known.iter().any(|class| class.recognised.is_some()) {
                        div.scroll { table {
                            caption { "The share of images that the lesion encoder assigns to their class." }
                            thead { tr { th { "class" } th { "generated" } th { "real" } } }
                            tbody { @for class in known { @if let Some([fake, real]) = class.recognised {
                                tr { td { (class.class) } td { (format!("{:.0} %", 100.0 * fake)) } td { (format!("{:.0} %", 100.0 * real)) } }
                            } } }
                        } }
                    }
                    (tables::people(&measured.bias)) (tables::recall(&measured.bias))
                    @if !measured.bias.findings.is_empty() {
                        h3 { "What differs by more than chance" }
                        ul { @for finding in &measured.bias.findings { li { (finding) } } }
                    }
                }
                None => (missing("Whom the images show", NEEDS_REAL)),
            }
            @match &of.trial {
                Some(trial) => { h3 { "Trial" } p { (trial["words"].as_str().unwrap_or_default()) } (tables::trial(trial)) }
                None => (missing("Whether the images help a classifier", "Give the JSON of dermagan trial with --trial.")),
            }
        }
    }
}
