//! Which shards of a step this process computes, and with whom it sums.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::Tensor;
use dermagan_model::tensor::{from_slice, to_vec};

use crate::error::TrainError;
use crate::group::members::{Alone, Group};
use crate::group::sum::{Tree, all_reduce};

/// Which logical shards of a step this process computes, and with whom it sums.
#[derive(Clone)]
pub struct Team {
    group: Arc<dyn Group>,
    shards: usize,
}

/// The parameters of a network with their gradients.
pub type Named = Vec<(String, Tensor<1>)>;

impl Team {
    /// One process that computes all `shards`, 1 or another power of two.
    pub fn alone(shards: usize) -> Self {
        Self { group: Arc::new(Alone), shards }
    }

    /// The processes of a group that share `shards`, 1 or another power of two.
    ///
    /// # Errors
    /// When the shards cannot be shared equally.
    pub fn of(group: Arc<dyn Group>, shards: usize) -> Result<Self, TrainError> {
        let size = group.size();
        if !shards.is_multiple_of(size) {
            let next = match size.is_power_of_two() {
                true => {
                    format!("start a new run with shards = {size} or more, or use fewer processes")
                }
                false => "use 1, 2, 4, … processes".to_owned(),
            };
            return Err(TrainError::Invalid(format!(
                "shards = {shards}: {size} processes cannot share the shards of a step equally; {next}"
            )));
        }
        Ok(Self { group, shards })
    }

    /// Number of shards that this process computes.
    pub fn own_shards(&self) -> usize {
        self.shards / self.group.size()
    }

    /// The images of a batch of `batch` images that this process computes.
    pub fn images(&self, batch: usize) -> Range<usize> {
        let count = batch / self.group.size();
        self.group.rank() * count..(self.group.rank() + 1) * count
    }

    /// The means over all shards of tensors, from their sums over this process's shards. The order of addition is that
    /// of the tree of all shards ([`sum`](crate::group::sum)). With one shard the tensors are returned as they are.
    pub fn mean(&self, sums: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
        if self.shards == 1 {
            return sums;
        }
        // A power of two: the division is exact.
        let share = 1.0 / self.shards as f64;
        self.over_members(sums).into_iter().map(|sum| sum.mul_scalar(share)).collect()
    }

    fn over_members(&self, sums: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
        if self.group.size() == 1 {
            return sums;
        }
        let places: Vec<_> = sums.iter().map(|sum| (sum.dims()[0], sum.device())).collect();
        let mut values = Vec::with_capacity(places.iter().map(|(length, _)| length).sum());
        sums.into_iter().for_each(|sum| values.extend(to_vec(sum)));
        all_reduce(&*self.group, &mut values);
        let mut rest = &values[..];
        let mut next = |(length, device)| {
            let (own, after) = rest.split_at(length);
            rest = after;
            from_slice(own, &device)
        };
        places.into_iter().map(&mut next).collect()
    }
}

impl Tree<Named> {
    /// Adds the gradients of the next shard.
    pub fn push_gradients(&mut self, gradients: Named) {
        self.push(gradients, |left, right| {
            let pairs = left.into_iter().zip(right);
            pairs.map(|((name, a), (_, b))| (name, a + b)).collect()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::threads;

    #[test]
    fn shards_are_shared_in_order_and_equally_or_refused() {
        let of = |size: usize, shards: usize| {
            let members = threads::members(size).into_iter();
            members.map(|group| Team::of(group, shards)).collect::<Result<Vec<_>, _>>()
        };
        let images =
            |teams: Vec<Team>| teams.iter().map(|team| team.images(16)).collect::<Vec<_>>();
        assert_eq!(images(of(2, 4).unwrap()), [0..8, 8..16]);
        assert_eq!(images(of(1, 1).unwrap()), vec![0..16; 1]);
        assert_eq!(of(2, 8).unwrap()[1].own_shards(), 4);
        let error = of(4, 2).err().unwrap().to_string();
        assert!(
            error.contains("shards = 2: 4 processes") && error.contains("shards = 4"),
            "{error}"
        );
        let error = of(3, 4).err().unwrap().to_string();
        assert!(error.contains("use 1, 2, 4"), "{error}");
    }
}
