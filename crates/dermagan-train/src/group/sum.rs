//! Sums in a fixed order: a binary tree over the logical shards of a step. The leaves are the shards in their order, and
//! each node adds its left part to its right part.
//!
//! A member holds consecutive shards, which are a whole subtree, because the numbers of shards and of members are powers
//! of two. So each node is the sum of the same two numbers wherever it is computed.

use crate::group::members::Group;

/// Sums values in the order of the tree as they arrive. It holds one value per level of the tree.
#[derive(Debug)]
pub struct Tree<T> {
    /// Sums of whole subtrees with their numbers of leaves, which decrease.
    open: Vec<(usize, T)>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { open: Vec::new() }
    }
}

impl<T> Tree<T> {
    /// Adds the next leaf.
    pub fn push(&mut self, leaf: T, add: impl Fn(T, T) -> T) {
        let (mut leaves, mut sum) = (1, leaf);
        while let Some((_, left)) = self.open.pop_if(|(of, _)| *of == leaves) {
            sum = add(left, sum);
            leaves *= 2;
        }
        self.open.push((leaves, sum));
    }

    /// The sum; `None` unless the number of leaves was a power of two.
    pub fn sum(mut self) -> Option<T> {
        let (_, sum) = self.open.pop()?;
        self.open.is_empty().then_some(sum)
    }
}

/// Replaces the values of each member by their sums over all members, in the order of the tree. All members give the same
/// number of values, and there are 1, 2, 4, 8, … members. Every member gets the same bits.
///
/// In each round a member exchanges half of what it still sums with another one, until each has the sums of its part. The
/// parts are then collected in the reverse order (Rabenseifner 2004). A member sends 2 (n - 1) / n times its values.
pub fn all_reduce(group: &dyn Group, values: &mut Vec<f32>) {
    let (rank, size, count) = (group.rank(), group.size(), values.len());
    // Every part then has the same length.
    values.resize(count.next_multiple_of(size), 0.0);
    let mut received = vec![0.0; values.len() / 2];
    // This member sums `length` values from `from` on.
    let (mut from, mut length, mut distance) = (0, values.len(), 1);
    while distance < size {
        length /= 2;
        let is_left = rank & distance == 0;
        let [keep, give] = if is_left { [from, from + length] } else { [from + length, from] };
        let received = &mut received[..length];
        exchange(group, rank ^ distance, &values[give..give + length], received);
        for (own, other) in values[keep..keep + length].iter_mut().zip(&*received) {
            // The two parts of a node may be added in either order: the bits are the same.
            *own += *other;
        }
        from = keep;
        distance *= 2;
    }
    while distance > 1 {
        distance /= 2;
        let is_left = rank & distance == 0;
        let sibling = if is_left { from + length } else { from - length };
        let received = &mut received[..length];
        exchange(group, rank ^ distance, &values[from..from + length], received);
        values[sibling..sibling + length].copy_from_slice(received);
        from = from.min(sibling);
        length *= 2;
    }
    values.truncate(count);
}

/// Exchanges the same number of values with another member.
fn exchange(group: &dyn Group, with: usize, send: &[f32], receive: &mut [f32]) {
    group.exchange(with, bytemuck::cast_slice(send), bytemuck::cast_slice_mut(receive));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::threads;
    use dermagan_base::rng::Keyed;

    fn add(a: Vec<f32>, b: Vec<f32>) -> Vec<f32> {
        a.into_iter().zip(b).map(|(a, b)| a + b).collect()
    }

    #[test]
    fn a_sum_has_the_same_bits_at_any_number_of_members() {
        let shards = 8;
        for count in [0, 1, 5, 64, 1003] {
            let leaf = |i: usize| {
                let mut random = Keyed::new(1, "sum", i as u64);
                random
                    .normals(count, 0.0, 1.0)
                    .into_iter()
                    .map(move |v| v * 10f32.powi(i as i32 - 4))
            };
            let part = |from: usize, leaves: usize| {
                let mut tree = Tree::default();
                (from..from + leaves).for_each(|i| tree.push(leaf(i).collect(), add));
                tree.sum().unwrap()
            };
            let bits = |sum: Vec<f32>| sum.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            let expected = bits(part(0, shards));
            for size in [1, 2, 4, 8] {
                let own = shards / size;
                let sums = threads::each(size, |group| {
                    let mut values = part(own * group.rank(), own);
                    all_reduce(&*group, &mut values);
                    bits(values)
                });
                assert!(
                    sums.into_iter().all(|sum| sum == expected),
                    "{count} values, {size} members"
                );
            }
        }
    }

    #[test]
    fn the_order_is_that_of_a_tree_and_only_whole_trees_have_a_sum() {
        let words = |leaves: usize| {
            let mut tree = Tree::default();
            (0..leaves).for_each(|i| tree.push(i.to_string(), |a, b| format!("({a}+{b})")));
            tree.sum()
        };
        assert_eq!(words(1).unwrap(), "0");
        assert_eq!(words(4).unwrap(), "((0+1)+(2+3))");
        assert_eq!([words(0), words(3), words(6)], [None, None, None]);
    }
}
