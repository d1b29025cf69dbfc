//! The choice between several forms of an operation on a GPU: the fastest form that computes correctly.
//!
//! burn selects its kernels by speed alone, but a kernel can be wrong on one driver and right on another. With
//! cubecl-spirv 0.11.3, all kernels with shared memory were wrong on drivers that lack an extension
//! (`scripts/wrong-kernels`): every matrix product but one, and the convolutions that are built on products. The kernel
//! that a process used depended on the load of the machine while burn measured, and so did its gradients.
//!
//! Here the simplest form, a kernel that sums directly, is the reference. Another form is used only if it gives the
//! same result in less time, on this device and for operands of this shape.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Cube, DType, TensorMetadata};
use dermagan_base::distance::{distance, norm};

/// The environment variable that names a form instead of a measurement. An operation without that form uses its direct
/// form.
pub const FORCE: &str = "DERMAGAN_CONV";
/// The names of all forms.
pub const FORMS: [&str; 3] = ["direct", "tuned", "product"];
/// The largest relative difference of a correct form, for float32 and for float16.
const TOLERANCES: (f64, f64) = (1e-3, 2e-2);
/// The number of timed runs, of which the shortest counts, and the number of computations per run. The time of a single
/// launch would mostly be the wait for it.
const RUNS: usize = 3;
const REPEATS: usize = 4;
/// A single computation that takes so many seconds is measured well enough: the wait for a launch takes less than a
/// hundredth of it. On a rasteriser nearly all take longer.
const LONG: f64 = 0.02;
/// The factor by which the time of another form must be shorter. If two forms are equally fast, all processes should
/// choose the same one.
const CLEARLY: f64 = 0.9;

/// One form of an operation.
pub struct Form<'a> {
    /// Its name.
    pub name: &'static str,
    /// Computes the result; `None` if this form does not support the operands.
    pub compute: &'a dyn Fn() -> Option<FloatTensor<Cube>>,
}

/// A form that this device computes wrongly. It is not used.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongForm {
    /// The operation and the shapes of its operands.
    pub operation: String,
    /// The form's name.
    pub form: &'static str,
    /// The norm of the difference over the norm of the result of the direct form.
    pub difference: f64,
}

impl fmt::Display for WrongForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, form, difference } = self;
        write!(
            f,
            "{operation}: the form {form} differs from the direct form by {difference:.1e} of its norm"
        )
    }
}

/// The choices and measurements of this process.
#[derive(Default)]
struct Known {
    /// The name of the chosen form of every operation, device and shape.
    chosen: HashMap<String, &'static str>,
    wrong: Vec<WrongForm>,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// The forms that this process has found wrong so far.
pub fn wrong_forms() -> Vec<WrongForm> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.as_ref().map(|known| known.wrong.clone()).unwrap_or_default()
}

/// The result of the operation on `operands` with `options`, computed by the first of `forms`, or by another one that is
/// correct and faster.
///
/// # Panics
/// When even the first form does not support the operands.
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
        #[expect(clippy::expect_used, reason = "it supports every shape")]
        forms.first().and_then(|form| (form.compute)()).expect("a direct form")
    };
    if let Ok(name) = std::env::var(FORCE) {
        return by_name(&name).unwrap_or_else(direct);
    }
    let [a, b] = operands;
    // The choice of kernels also depends on the memory layout of the operands.
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
        // Results that are all zero or not finite cannot distinguish a right form from a wrong one. Zeros occur in the
        // gradient of a class embedding that is not in use yet, infinities while the loss scale is being searched.
        return reference;
    }
    let (mut name, mut fastest) = (forms[0].name, f64::INFINITY);
    let mut wrong = Vec::new();
    for (i, form) in forms.iter().enumerate() {
        if i > 0 {
            let Some(found) = (form.compute)() else { continue };
            let difference = distance(&values(found), &expected) / size;
            let tolerance = if a.dtype() == DType::F16 { TOLERANCES.1 } else { TOLERANCES.0 };
            // False for NaN too.
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

/// The time of a computation in the shortest run, in seconds.
fn seconds(form: &Form<'_>, device: &<Cube as burn::backend::BackendTypes>::Device) -> f64 {
    let run = |computations: usize| {
        let start = Instant::now();
        (0..computations).for_each(|_| drop((form.compute)()));
        let waited = Cube::sync(device);
        let took = start.elapsed().as_secs_f64() / computations as f64;
        waited.map_or(f64::INFINITY, |()| took)
    };
    // The first run compiles and tunes the kernels.
    let _ = run(1);
    let once = run(1);
    if once > LONG {
        return once;
    }
    (0..RUNS).map(|_| run(REPEATS)).fold(once, f64::min)
}

/// The values of a tensor; empty if it cannot be read, which counts as a wrong form.
fn values(tensor: FloatTensor<Cube>) -> Vec<f32> {
    let data = burn_std::future::block_on(Cube::float_into_data(tensor));
    data.ok().and_then(|data| data.convert::<f32>().try_to_vec().ok()).unwrap_or_default()
}
