//! Which of several forms of an operation a GPU computes: the fastest of those that are right.
//!
//! burn chooses its kernels by their time alone, and a kernel can be wrong on one driver and right on another: with
//! cubecl-spirv 0.11.3 all that use shared memory were, where the driver lacks an extension
//! (`scripts/wrong-kernels`), and with them every matrix product but one and the convolutions that are built on
//! products. Which kernel a process got depended on how busy the machine was when burn measured, and so did its
//! gradients. Here the simplest form, a kernel that sums directly, is the reference: another form is used only if on
//! this device, for operands of this shape, it gives the same result, and in less time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Cube, DType, TensorMetadata};
use dermagan_base::distance::{distance, norm};

/// Names a form instead of measuring; an operation without that form computes its direct one.
pub const FORCE: &str = "DERMAGAN_CONV";
/// The forms that there are.
pub const FORMS: [&str; 3] = ["direct", "tuned", "product"];
/// Largest relative difference of a right form, of float32 and of float16.
const TOLERANCES: (f64, f64) = (1e-3, 2e-2);
/// Runs whose shortest counts, and how often a run computes: one launch alone is mostly the wait for it.
const RUNS: usize = 3;
const REPEATS: usize = 4;
/// Another form has to be so much faster: where both are alike, processes should choose alike.
const CLEARLY: f64 = 0.9;

/// One way to compute an operation; `None` where it cannot be.
pub struct Form<'a> {
    /// Its name.
    pub name: &'static str,
    /// Computes it.
    pub compute: &'a dyn Fn() -> Option<FloatTensor<Cube>>,
}

/// A form that this device computes wrongly, which is therefore not used.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongForm {
    /// The operation and its shapes.
    pub operation: String,
    /// The form's name.
    pub form: &'static str,
    /// Norm of the difference over norm of the direct form's result.
    pub difference: f64,
}

impl fmt::Display for WrongForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, form, difference } = self;
        write!(f, "{operation} in the form {form} is off by {difference:.1e} of its norm")
    }
}

/// What was found out in this process.
#[derive(Default)]
struct Known {
    /// The name of the chosen form of every operation, device and shape.
    chosen: HashMap<String, &'static str>,
    wrong: Vec<WrongForm>,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// The forms that were found wrong in this process so far.
pub fn wrong_forms() -> Vec<WrongForm> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.as_ref().map(|known| known.wrong.clone()).unwrap_or_default()
}

/// The operation's result on `operands` with `options`, by the first of `forms` or by a right and faster one of the others.
///
/// # Panics
/// When not even the first form can be computed.
pub fn compute(
    operation: &'static str,
    operands: [&FloatTensor<Cube>; 2],
    options: &dyn fmt::Debug,
    forms: &[Form<'_>],
) -> FloatTensor<Cube> {
    let by_name = |name: &str| {
        let form = forms.iter().find(|form| form.name == name)?;
        (form.compute)()
    };
    let direct = || {
        #[expect(clippy::expect_used, reason = "it takes every shape")]
        forms.first().and_then(|form| (form.compute)()).expect("a direct form")
    };
    if let Ok(name) = std::env::var(FORCE) {
        return by_name(&name).unwrap_or_else(direct);
    }
    let [a, b] = operands;
    // Kernels differ by how operands lie in memory, too.
    let key = format!(
        "{operation} {options:?} {:?} {:?} of {:?} on {:?}",
        a.meta,
        b.meta,
        a.dtype(),
        a.device()
    );
    let chosen = {
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().and_then(|known| known.chosen.get(&key).copied())
    };
    if let Some(name) = chosen {
        return by_name(name).unwrap_or_else(direct);
    }
    let reference = direct();
    let expected = values(reference.clone());
    let size = norm(&expected);
    if size == 0.0 || !size.is_finite() {
        // Nothing is told apart by zeros, such as the gradient of a class that is not told yet, or by infinities, such
        // as a loss scale in search finds.
        return reference;
    }
    let (mut name, mut fastest) = (forms[0].name, f64::INFINITY);
    let mut wrong = Vec::new();
    for (i, form) in forms.iter().enumerate() {
        if i > 0 {
            let Some(found) = (form.compute)() else { continue };
            let difference = distance(&values(found), &expected) / size;
            let tolerance = if a.dtype() == DType::F16 { TOLERANCES.1 } else { TOLERANCES.0 };
            // A NaN is not rounding.
            let right = difference <= tolerance;
            if !right {
                let operation = format!("{operation} of {:?} and {:?}", a.shape(), b.shape());
                wrong.push(WrongForm { operation, form: form.name, difference });
                continue;
            }
        }
        let took = seconds(form, &a.device());
        if took < fastest * if i > 0 { CLEARLY } else { 1.0 } {
            (name, fastest) = (form.name, took);
        }
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    known.chosen.insert(key, name);
    known.wrong.extend(wrong);
    reference
}

/// The shortest of some runs.
fn seconds(form: &Form<'_>, device: &<Cube as burn::backend::BackendTypes>::Device) -> f64 {
    let run = || {
        let start = Instant::now();
        (0..REPEATS).for_each(|_| drop((form.compute)()));
        let waited = Cube::sync(device);
        waited.map_or(f64::INFINITY, |()| start.elapsed().as_secs_f64())
    };
    // The first run compiles and tunes.
    let _ = run();
    (0..RUNS).map(|_| run()).fold(f64::INFINITY, f64::min)
}

/// A tensor's values; none where it cannot be read, which no form's are equal to.
fn values(tensor: FloatTensor<Cube>) -> Vec<f32> {
    let data = burn_std::future::block_on(Cube::float_into_data(tensor));
    data.ok().and_then(|data| data.convert::<f32>().try_to_vec().ok()).unwrap_or_default()
}
