//! Compares the norms of gradients with their usual ranges. A gradient that a device lost is zero. One that it computed
//! from the wrong buffer is often far too large. Both show in the norm, which costs four kernel launches per player and
//! no wait: the norms are read back with the losses.

/// Number of steps after which a range is known.
const LEARNT: u64 = 32;
/// Factor by which the limits are wider until the range is known.
const EARLY: f64 = 100.0;
/// A norm is suspicious if it exceeds the upper end of its range by this factor. Gradients of GANs have heavy tails.
const ABOVE: f64 = 10.0;
/// A norm is suspicious if it is below the lower end of its range by this factor. Gradients of few numbers pass zero.
const BELOW: f64 = 1e4;
/// A norm that has never exceeded this share of the norm of its player's whole gradient is rounding and never
/// suspicious. An example is that of the head's bias with a relativistic loss.
const ROUNDING: f64 = 1e-6;
/// Share by which an end of a range, as a logarithm, moves towards the newest norm in every step.
const FORGET: f64 = 0.005;

/// The running range of the norm of one parameter's gradient, as natural logarithms.
#[derive(Clone, Copy, Debug)]
struct Range {
    low: f64,
    high: f64,
    seen: u64,
    /// Whether the gradient was zero before, and a second computation confirmed it.
    may_be_zero: bool,
}

/// Watches the gradient norms of a run, one parameter at a time.
#[derive(Clone, Debug)]
pub struct Guard {
    ranges: Vec<Option<Range>>,
    /// Number of the player that each parameter belongs to.
    players: Vec<usize>,
}

/// A norm far outside its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suspicion {
    /// Index of the parameter.
    pub parameter: usize,
    /// Norm of its gradient.
    pub norm: f64,
    /// Smallest and largest usual norm.
    pub usual: (f64, f64),
}

impl Guard {
    /// A guard that has seen no norms. `players` holds the number of the player that each parameter belongs to.
    pub fn new(players: Vec<usize>) -> Self {
        Self { ranges: vec![None; players.len()], players }
    }

    /// Whether the guard has seen no norms yet.
    pub fn is_empty(&self) -> bool {
        self.ranges.iter().all(Option::is_none)
    }

    /// The first of a step's norms, given as `squares`, that is far outside its range. With a loss scale (`scaled`),
    /// infinite gradients are not suspicious, because the scale is adapted by them.
    pub fn judge(&self, squares: &[f32], scaled: bool) -> Option<Suspicion> {
        let total = |player: usize| {
            let own = self.ranges.iter().zip(&self.players).filter(|(_, of)| **of == player);
            own.filter_map(|(range, _)| *range).map(|r| r.high.exp().powi(2)).sum::<f64>().sqrt()
        };
        squares.iter().enumerate().find_map(|(parameter, square)| {
            let norm = f64::from(*square).sqrt();
            let range = self.ranges.get(parameter).copied().flatten()?;
            let (low, high) = (range.low.exp(), range.high.exp());
            if scaled && !norm.is_finite() || norm == 0.0 && range.may_be_zero {
                return None;
            }
            if high <= ROUNDING * total(self.players[parameter]) {
                return None;
            }
            let early = if range.seen < LEARNT { EARLY } else { 1.0 };
            let far = !(low / BELOW / early..=high * ABOVE * early).contains(&norm);
            // Zero, infinite or NaN.
            let broken = !(norm > 0.0 && norm.is_finite());
            (far || broken).then_some(Suspicion { parameter, norm, usual: (low, high) })
        })
    }

    /// Accepts a suspicious norm, because a second computation confirmed it. A gradient that was zero may be zero
    /// again.
    pub fn accept(&mut self, found: &Suspicion) {
        if let Some(Some(range)) = self.ranges.get_mut(found.parameter)
            && found.norm == 0.0
        {
            range.may_be_zero = true;
        }
    }

    /// Adds a step's squared norms to the ranges.
    pub fn learn(&mut self, squares: &[f32]) {
        for (range, square) in self.ranges.iter_mut().zip(squares) {
            let norm = f64::from(*square).sqrt();
            // A class embedding has no gradient before the conditioning begins. Its range begins with the first one.
            if !(norm > 0.0 && norm.is_finite()) {
                continue;
            }
            let log = norm.ln();
            let known =
                range.get_or_insert(Range { low: log, high: log, seen: 0, may_be_zero: false });
            let (low, high) = (known.low, known.high);
            known.low = log.min(low + FORGET * (log - low));
            known.high = log.max(high + FORGET * (log - high));
            known.seen += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermagan_base::rng::Keyed;

    fn learnt(norms: impl Iterator<Item = f64>) -> Guard {
        let mut guard = Guard::new(vec![0, 1, 1]);
        for norm in norms {
            let squares = [(norm * norm) as f32, 1.0, 1e-16 * norm as f32];
            assert_eq!(guard.judge(&squares, false), None);
            guard.learn(&squares);
        }
        guard
    }

    #[test]
    fn a_lost_gradient_and_a_far_larger_one_are_suspicious() {
        let guard = learnt((0..100).map(|i| 1.0 + f64::from(i % 7)));
        assert_eq!(guard.judge(&[2500.0, 1.0, 0.0], false), None, "the last norm is rounding");
        for bad in [0.0, f32::NAN, f32::INFINITY, 1e6] {
            let found = guard.judge(&[4.0, bad, 1e-16], false).unwrap();
            assert_eq!(found.parameter, 1, "{bad}");
            assert_eq!(guard.judge(&[bad, 1.0, 1e-16], false).unwrap().parameter, 0, "{bad}");
        }
    }

    #[test]
    fn heavy_tails_scalars_that_pass_zero_and_rare_penalties_are_not_suspicious() {
        let mut random = Keyed::new(1, "guard test", 0);
        let mut normal = || random.normals(1, 0.0, 1.0)[0].abs().max(1e-7);
        let mut guard = Guard::new(vec![0; 3]);
        let mut alarms = 0;
        for step in 0..20_000u32 {
            let tail = f64::from(normal()).exp();
            let penalty = if step % 16 == 0 { 30.0 } else { 1.0 };
            let squares = [normal().powi(2), (tail * tail) as f32, penalty];
            alarms += u32::from(guard.judge(&squares, false).is_some());
            guard.learn(&squares);
        }
        assert!(alarms <= 2, "{alarms} false alarms in 20,000 steps");
    }

    #[test]
    fn a_gradient_that_begins_late_is_not_suspicious_but_its_loss_is() {
        let mut guard = Guard::new(vec![0; 2]);
        for square in [0.0, 0.0, 1e-9, 1e-6, 1e-3, 1.0] {
            let squares = [1.0, square];
            assert_eq!(guard.judge(&squares, false), None);
            guard.learn(&squares);
        }
        assert_eq!(guard.judge(&[1.0, 0.0], false).unwrap().parameter, 1);
    }

    #[test]
    fn a_confirmed_zero_and_a_loss_scale_that_adapts_are_not_suspicious() {
        let mut guard = learnt((0..40).map(|_| 1.0));
        let found = guard.judge(&[0.0, 1.0, 1e-16], false).unwrap();
        guard.accept(&found);
        assert_eq!(guard.judge(&[0.0, 1.0, 1e-16], false), None);
        // An infinite norm does not hide a suspicious one after it.
        assert_eq!(guard.judge(&[1.0, f32::INFINITY, 1e-16], true), None);
        let mut guard = learnt((0..40).map(|_| 1.0));
        guard.learn(&[1.0, 1.0, 1.0]);
        assert_eq!(guard.judge(&[f32::INFINITY, 0.0, 1.0], true).unwrap().parameter, 1);
    }
}
