//! Are the norms of the gradients what they usually are? A gradient that a device lost is zero; one that it
//! computed from the wrong buffer is often far too large. Both are seen in its norm, which costs four kernel
//! launches per player, and no wait: the norms are read back with the losses.

/// Steps that make a range; until then it is so many times as wide.
const LEARNT: u64 = 32;
const EARLY: f64 = 100.0;
/// A norm is suspicious above so many times the largest of its range. Gradients of GANs have heavy tails.
const ABOVE: f64 = 10.0;
/// And below the smallest over so many: gradients of few numbers pass zero.
const BELOW: f64 = 1e4;
/// A norm that has never been above this share of its player's whole gradient is rounding, such as that of the head's
/// bias under a relativistic loss: it may be anything.
const ROUNDING: f64 = 1e-6;
/// A range forgets this share of its width, in logarithms, with every step.
const FORGET: f64 = 0.005;

/// The running range of one parameter's gradient norm, as natural logarithms.
#[derive(Clone, Copy, Debug)]
struct Range {
    low: f64,
    high: f64,
    seen: u64,
    /// Whether the gradient has been zero with good reason.
    may_be_zero: bool,
}

/// Watches the gradient norms of a run, parameter by parameter.
#[derive(Clone, Debug)]
pub struct Guard {
    ranges: Vec<Option<Range>>,
    /// The player that each parameter belongs to.
    players: Vec<usize>,
}

/// A norm far outside its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suspicion {
    /// Which of the norms.
    pub parameter: usize,
    /// The norm.
    pub norm: f64,
    /// The range that it has had so far.
    pub usual: (f64, f64),
}

impl Guard {
    /// A guard that has seen nothing. `players`: the number of the player that each parameter belongs to.
    pub fn new(players: Vec<usize>) -> Self {
        Self { ranges: vec![None; players.len()], players }
    }

    /// Whether it has seen nothing yet.
    pub fn is_empty(&self) -> bool {
        self.ranges.iter().all(Option::is_none)
    }

    /// The first of a step's squared norms that is far outside its range. Infinite gradients are not suspicious where
    /// they are how a loss scale is found (`scaled`).
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
            // Lost, or no number.
            let none = !(norm > 0.0 && norm.is_finite());
            (far || none).then_some(Suspicion { parameter, norm, usual: (low, high) })
        })
    }

    /// Takes it that the suspicion was unfounded: a gradient that was zero may be zero again.
    pub fn accept(&mut self, found: &Suspicion) {
        if let Some(Some(range)) = self.ranges.get_mut(found.parameter)
            && found.norm == 0.0
        {
            range.may_be_zero = true;
        }
    }

    /// Takes a step's squared norms into the ranges.
    pub fn learn(&mut self, squares: &[f32]) {
        for (range, square) in self.ranges.iter_mut().zip(squares) {
            let norm = f64::from(*square).sqrt();
            // Before its class is told, a class's vector has no gradient: a range begins with the first.
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
        assert_eq!(guard.judge(&[2500.0, 1.0, 0.0], false), None, "the last is rounding");
        for bad in [0.0, f32::NAN, f32::INFINITY, 1e6] {
            let found = guard.judge(&[4.0, bad, 1e-16], false).unwrap();
            assert_eq!(found.parameter, 1, "{bad}");
            assert_eq!(guard.judge(&[bad, 1.0, 1e-16], false).unwrap().parameter, 0, "{bad}");
        }
    }

    #[test]
    fn heavy_tails_scalars_that_pass_zero_and_rare_penalties_are_usual() {
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
    fn a_gradient_that_begins_late_is_no_alarm_and_its_loss_is() {
        let mut guard = Guard::new(vec![0; 2]);
        for square in [0.0, 0.0, 1e-9, 1e-6, 1e-3, 1.0] {
            let squares = [1.0, square];
            assert_eq!(guard.judge(&squares, false), None);
            guard.learn(&squares);
        }
        assert_eq!(guard.judge(&[1.0, 0.0], false).unwrap().parameter, 1);
    }

    #[test]
    fn a_zero_with_good_reason_and_a_loss_scale_in_search_are_usual() {
        let mut guard = learnt((0..40).map(|_| 1.0));
        let found = guard.judge(&[0.0, 1.0, 1e-16], false).unwrap();
        guard.accept(&found);
        assert_eq!(guard.judge(&[0.0, 1.0, 1e-16], false), None);
        // What is infinite hides nothing that comes after it.
        assert_eq!(guard.judge(&[1.0, f32::INFINITY, 1e-16], true), None);
        let mut guard = learnt((0..40).map(|_| 1.0));
        guard.learn(&[1.0, 1.0, 1.0]);
        assert_eq!(guard.judge(&[f32::INFINITY, 0.0, 1.0], true).unwrap().parameter, 1);
    }
}
