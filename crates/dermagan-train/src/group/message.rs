//! What the leader of a group tells the others while they wait for it.

use crate::group::members::Group;

/// The message that there is nothing more to do.
const END: u8 = 0;
/// The message that a state follows, from which to train.
const STATE: u8 = 1;

/// Sends a run's state, the bytes of a checkpoint, to the members that wait in [`receive`].
pub fn send_state(group: &dyn Group, state: Vec<u8>) {
    let mut message = vec![STATE];
    message.extend(state);
    group.broadcast(0, &mut message);
}

/// Tells the members that wait in [`follow`](crate::follow) that the work is over. The leader calls it once, after
/// everything else, whatever the outcome.
pub fn dismiss(group: &dyn Group) {
    if group.size() > 1 {
        group.broadcast(0, &mut vec![END]);
    }
}

/// Waits for the leader. Returns the state to train from, or `None` if there is nothing more to do.
pub fn receive(group: &dyn Group) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    group.broadcast(0, &mut message);
    (message.first() == Some(&STATE)).then(|| message.split_off(1))
}
