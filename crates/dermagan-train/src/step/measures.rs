//! What one training step measures: the only place that knows the names and their order.

use burn::tensor::Tensor;

/// Defines [`Measures`] with its columns, so that a field, its name in files and its place cannot differ.
macro_rules! measures {
    ($($(#[$doc:meta])* $field:ident = $column:literal,)*) => {
        /// What one step measures. `T` is a one-element tensor on the device, a value on the host, or a mean.
        ///
        /// Probabilities are on the scale of the loss ([`Loss::certainty`](crate::Loss::certainty)). With a
        /// relativistic loss a probability is that of telling a real image from the fake it is paired with.
        ///
        /// Files hold the values in the order of the fields. New fields come last: checkpoints of older programs hold
        /// fewer.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct Measures<T = f32> {
            $($(#[$doc])* pub $field: T,)*
        }

        impl Measures<()> {
            /// The column of each field in `stats.jsonl`, in order, under StyleGAN's names where they mean the same.
            pub const COLUMNS: [&'static str; [$($column),*].len()] = [$($column),*];
            /// Number of fields.
            pub const COUNT: usize = Self::COLUMNS.len();
        }

        impl<T> Measures<T> {
            /// The values in the order of the columns.
            pub fn into_array(self) -> [T; Measures::COUNT] {
                [$(self.$field),*]
            }

            /// From values in the order of the columns.
            pub fn from_array(values: [T; Measures::COUNT]) -> Self {
                let [$($field),*] = values;
                Self { $($field),* }
            }
        }
    };
}

measures! {
    /// The discriminator's loss, without penalties.
    d_loss = "Loss/D/loss",
    /// The generator's loss.
    g_loss = "Loss/G/loss",
    /// Mean probability of being real, of real images.
    real_probability = "Loss/probs/real",
    /// The same of fakes, before the discriminator's step.
    fake_probability = "Loss/probs/fake",
    /// The same of the same fakes, after the discriminator's step.
    fake_probability_after = "Loss/probs/fake_after",
    /// Mean logit of real images.
    real_score = "Loss/scores/real",
    /// Mean logit of fakes.
    fake_score = "Loss/scores/fake",
    /// Mean sign of the real logits, -1 to 1: what an adaptive augmentation follows (Karras et al. 2020).
    real_sign = "Loss/signs/real",
    /// γ/2 · mean |∇D|² on real images; 0 in steps without the penalty.
    r1 = "Loss/D/r1",
    /// The same on fakes.
    r2 = "Loss/D/r2",
}

impl Measures<Tensor<1>> {
    /// All values as one tensor that is still on the device.
    pub(super) fn pack(self) -> Tensor<1> {
        Tensor::cat(self.into_array().into_iter().collect(), 0)
    }
}

impl Measures<f32> {
    /// From what [`Players::step`](crate::Players::step) returned, read back to the host. Returns also what follows the
    /// measures.
    ///
    /// # Panics
    /// When there are fewer values than measures.
    pub fn unpack(values: &[f32]) -> (Self, &[f32]) {
        let (measures, rest) = values
            .split_first_chunk::<{ Measures::COUNT }>()
            .expect("a step returns all of its measures");
        (Self::from_array(*measures), rest)
    }

    /// The column of the first value that is not finite.
    pub fn not_finite(self) -> Option<&'static str> {
        let columns = Measures::COLUMNS.into_iter().zip(self.into_array());
        columns.into_iter().find_map(|(column, value)| (!value.is_finite()).then_some(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_order_and_the_first_that_is_not_finite_is_named() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let (measures, rest) = Measures::unpack(&values);
        assert_eq!((measures.d_loss, measures.r2, rest), (0.0, 9.0, &[10.0, 11.0][..]));
        assert_eq!(measures.into_array()[7], measures.real_sign);
        assert_eq!(Measures::COLUMNS[7], "Loss/signs/real");
        assert_eq!(measures.not_finite(), None);
        let broken = Measures { g_loss: f32::NAN, ..measures };
        assert_eq!(broken.not_finite(), Some("Loss/G/loss"));
    }
}
