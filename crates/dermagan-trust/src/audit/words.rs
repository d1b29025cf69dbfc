//! The verdict of an audit in a sentence.

use crate::audit::report::{ClassAudit, Controls};
use crate::audit::verdict::Verdict;

/// The codes of the classes with a verdict.
fn with(classes: &[ClassAudit], verdict: Verdict) -> String {
    let of = classes.iter().filter(|class| class.verdict == verdict);
    of.map(|class| class.class.as_str()).collect::<Vec<_>>().join(", ")
}

/// The verdict in words.
pub(crate) fn words(verdict: Verdict, classes: &[ClassAudit], controls: &Controls) -> String {
    if !controls.held_out_passes {
        return "void: held-out photographs fail this audit, so it would fail any images. The held-out side may show lesions of \
                the training side"
            .to_owned();
    }
    if !controls.planted_fails {
        return format!(
            "void: the audit found {} of {} planted copies, too few to tell. There may be too few held-out images",
            controls.planted_found, controls.planted
        );
    }
    let named = |verdict: Verdict| {
        let codes = with(classes, verdict);
        if codes.is_empty() { String::new() } else { format!(" ({codes})") }
    };
    match verdict {
        Verdict::Fail => format!(
            "FAIL: the images hold copies, or tell which photographs the generator learnt from{}",
            named(Verdict::Fail)
        ),
        Verdict::NoVerdict => format!(
            "no verdict: no sign of copies was found, but too few images or lesions were there to exclude it{}",
            named(Verdict::NoVerdict)
        ),
        Verdict::Pass => {
            "pass: no attack of this audit succeeded, and each would have been seen. Other attacks may".to_owned()
        }
    }
}
