//! What the members of a group do next: they all do the same.

use crate::group::members::Group;

/// What a member wants to do next. The largest wish of all members decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Wish {
    /// The next step.
    Step,
    /// To end, because the run has seen all of its images.
    End,
    /// To end early, with a checkpoint, because a signal asked for it.
    Stop,
    /// To end at once, because of an error.
    Fail,
}

/// What the members agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What all do next.
    pub wish: Wish,
    /// The first member that wished it.
    pub by: usize,
    /// Whether all members have the same state.
    pub same: bool,
}

/// The SHA-256 of a member's state, or zeros if it is not compared.
pub type State = [u8; 32];

/// Number of bytes of a vote.
const LENGTH: usize = 38;

/// Asks all members what to do next, and compares their `state`.
pub fn agree(group: &dyn Group, wish: Wish, state: State) -> Agreed {
    let mut own = Agreed { wish, by: group.rank(), same: true };
    let mut distance = 1;
    while distance < group.size() {
        let mut received = [0; LENGTH];
        group.exchange(group.rank() ^ distance, &encode(own, &state), &mut received);
        let (other, of_other) = decode(&received);
        let same = own.same && other.same && state == of_other;
        let first = [own, other].into_iter().max_by_key(|a| (a.wish, usize::MAX - a.by));
        own = Agreed { same, ..first.unwrap_or(own) };
        distance *= 2;
    }
    own
}

fn encode(vote: Agreed, state: &State) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    (bytes[0], bytes[1]) = (vote.wish as u8, u8::from(vote.same));
    bytes[2..6].copy_from_slice(&(vote.by as u32).to_le_bytes());
    bytes[6..].copy_from_slice(state);
    bytes
}

fn decode(bytes: &[u8; LENGTH]) -> (Agreed, State) {
    let wish = match bytes[0] {
        0 => Wish::Step,
        1 => Wish::End,
        2 => Wish::Stop,
        _ => Wish::Fail,
    };
    let by = u32::from_le_bytes(std::array::from_fn(|i| bytes[2 + i])) as usize;
    (Agreed { wish, by, same: bytes[1] == 1 }, std::array::from_fn(|i| bytes[6 + i]))
}

/// Tells all members whether this one can go on. If one cannot, all get its number and its error, those of the first if
/// there are several.
pub fn all_ready(group: &dyn Group, own: Result<(), String>) -> Result<(), (usize, String)> {
    let wish = if own.is_ok() { Wish::Step } else { Wish::Fail };
    let Agreed { wish, by, .. } = agree(group, wish, State::default());
    if wish == Wish::Step {
        return Ok(());
    }
    let mut text = own.err().unwrap_or_default().into_bytes();
    group.broadcast(by, &mut text);
    Err((by, String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::threads;

    #[test]
    fn the_largest_wish_of_the_first_member_decides_for_all() {
        let vote = |wishes: [Wish; 4]| {
            let all = threads::each(4, |group| agree(&*group, wishes[group.rank()], [1; 32]));
            assert!(all.iter().all(|one| *one == all[0] && one.same), "{all:?}");
            (all[0].wish, all[0].by)
        };
        use Wish::{End, Fail, Step, Stop};
        assert_eq!(vote([Step; 4]), (Step, 0));
        assert_eq!(vote([Step, Step, Stop, Stop]), (Stop, 2));
        assert_eq!(vote([End, Fail, Stop, Fail]), (Fail, 1));
    }

    #[test]
    fn every_member_learns_that_one_has_another_state() {
        for odd in 0..4 {
            let all = threads::each(4, |group| {
                let state = [u8::from(group.rank() == odd); 32];
                agree(&*group, Wish::Step, state).same
            });
            assert_eq!(all, [false; 4], "{odd}");
        }
    }

    #[test]
    fn all_get_the_error_of_the_first_member_that_has_one() {
        let with = |bad: &[usize]| {
            threads::each(4, |group| {
                let rank = group.rank();
                let own = if bad.contains(&rank) { Err(format!("no {rank}")) } else { Ok(()) };
                all_ready(&*group, own)
            })
        };
        assert_eq!(with(&[]), vec![Ok(()); 4]);
        assert_eq!(with(&[3, 2]), vec![Err((2, "no 2".to_owned())); 4]);
    }
}
