//! The verdict of an audit in a sentence.

use super::report::{ClassAudit, Controls};
use super::verdict::Verdict;

/// The verdict in words. `learnt` says why the generator has seen held-out photographs, if it has.
pub(crate) fn words(
    verdict: Verdict,
    classes: &[ClassAudit],
    all: &ClassAudit,
    controls: &Controls,
    learnt: Option<&str>,
) -> String {
    if all.identical > 0 {
        let n = all.identical;
        let images =
            if n == 1 { "image equals a training image" } else { "images equal training images" };
        return format!("FAIL: {n} {images}, pixel by pixel");
    }
    if let Some(learnt) = learnt {
        return format!("void: {learnt}");
    }
    if !controls.held_out_passes {
        return "void: held-out photographs fail this audit, so it would fail any images. The held-out side may show lesions of \
                the training side under other ids"
            .to_owned();
    }
    if !controls.planted_fails {
        return format!(
            "void: the audit found {} of {} planted copies, too few to tell. There may be too few held-out images, or images that \
             look alike",
            controls.planted_found, controls.planted
        );
    }
    let rows = || if classes.is_empty() { std::slice::from_ref(all) } else { classes };
    let with = |verdict: Verdict| {
        let codes: Vec<&str> = rows()
            .iter()
            .filter(|class| class.verdict == verdict)
            .map(|class| class.class.as_str())
            .collect();
        codes.join(", ")
    };
    match verdict {
        Verdict::Fail => {
            let failed = classes.iter().chain([all]).filter(|class| class.verdict == Verdict::Fail);
            let each = failed.map(|class| format!("{} ({})", class.class, class.failed().join(", ")));
            format!("FAIL: {}", each.collect::<Vec<_>>().join("; "))
        }
        Verdict::NoVerdict => format!(
            "no verdict: no test failed, but there are too few images or lesions for some ({})",
            with(Verdict::NoVerdict)
        ),
        Verdict::Pass => {
            "pass: no test of this audit failed, and each would have seen copies. Other attacks may succeed".to_owned()
        }
    }
}
