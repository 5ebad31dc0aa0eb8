//! How much of the agent a client has: connections, and bytes that wait to be judged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Derivation;
use crate::limits::Limits;

/// Whose share it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Guest {
    /// A build.
    Build(Derivation),
    /// A user, by number.
    User(u32),
    /// All users to whom the policy gives nothing.
    Strangers,
}

/// The user whose hook asks for all builds.
pub(super) const ROOT: u32 = 0;

impl Guest {
    /// Users other than root, of whom one can be many, share half of the room: the other is for builds and for who asks for them.
    fn has_half(&self) -> bool {
        match self {
            Self::Build(_) => false,
            Self::User(uid) => *uid != ROOT,
            Self::Strangers => true,
        }
    }
}

/// There is no more room, for this client or for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom(pub(super) &'static str);

/// The room that there is.
pub(super) struct Room {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: Share,
    /// Those who share half of it.
    users: Share,
    guests: HashMap<Guest, Share>,
}

#[derive(Clone, Copy, Default)]
struct Share {
    connections: u32,
    bytes: u64,
}

impl Room {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            limits: limits.clone(),
            taken: Mutex::default(),
        })
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> u32 {
        self.taken().all.connections
    }

    /// A place for one more connection.
    pub(super) fn enter(self: &Arc<Self>, guest: &Guest) -> Result<Seat, NoRoom> {
        let mut taken = self.taken();
        let own = taken.guests.get(guest).copied().unwrap_or_default();
        if own.connections >= self.limits.connections_per_client {
            return Err(NoRoom("this client has as many connections as it can have"));
        }
        if taken.all.connections >= self.limits.connections {
            return Err(NoRoom("there are as many connections as there can be"));
        }
        if guest.has_half() {
            if taken.users.connections >= self.limits.connections.div_ceil(2) {
                return Err(NoRoom("users have as many connections as they can have"));
            }
            taken.users.connections += 1;
        }
        taken.all.connections += 1;
        taken.guests.entry(guest.clone()).or_default().connections += 1;
        drop(taken);
        Ok(Seat {
            room: Arc::clone(self),
            guest: guest.clone(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection.
pub(super) struct Seat {
    room: Arc<Room>,
    guest: Guest,
}

impl Seat {
    /// Whose it is.
    pub(super) fn guest(&self) -> &Guest {
        &self.guest
    }

    /// Nothing yet of the bytes that may wait.
    pub(super) fn waiting(&self) -> Waiting<'_> {
        let (seat, bytes) = (self, 0);
        Waiting { seat, bytes }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.all.connections = taken.all.connections.saturating_sub(1);
        if self.guest.has_half() {
            taken.users.connections = taken.users.connections.saturating_sub(1);
        }
        if let Some(own) = taken.guests.get_mut(&self.guest) {
            own.connections = own.connections.saturating_sub(1);
            if own.connections == 0 {
                taken.guests.remove(&self.guest);
            }
        }
    }
}

/// Bytes that wait to be judged.
pub(super) struct Waiting<'a> {
    seat: &'a Seat,
    bytes: u64,
}

impl Waiting<'_> {
    /// So many more: as they arrive, not as they are announced, so that nobody takes room by announcing.
    pub(super) fn add(&mut self, bytes: u64) -> Result<(), NoRoom> {
        let room = &self.seat.room;
        let mut taken = room.taken();
        let all = taken.all.bytes.saturating_add(bytes);
        let half = self.seat.guest.has_half();
        let users = taken
            .users
            .bytes
            .saturating_add(if half { bytes } else { 0 });
        let own = taken.guests.entry(self.seat.guest.clone()).or_default();
        let own_bytes = own.bytes.saturating_add(bytes);
        if own_bytes > room.limits.waiting_bytes_per_client {
            return Err(NoRoom("this client has as much waiting as it can have"));
        }
        if all > room.limits.waiting_bytes {
            return Err(NoRoom("there is as much waiting as there can be"));
        }
        if half && users > room.limits.waiting_bytes.div_ceil(2) {
            return Err(NoRoom("users have as much waiting as they can have"));
        }
        own.bytes = own_bytes;
        taken.all.bytes = all;
        taken.users.bytes = users;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut taken = self.seat.room.taken();
        taken.all.bytes = taken.all.bytes.saturating_sub(self.bytes);
        if self.seat.guest.has_half() {
            taken.users.bytes = taken.users.bytes.saturating_sub(self.bytes);
        }
        if let Some(own) = taken.guests.get_mut(&self.seat.guest) {
            own.bytes = own.bytes.saturating_sub(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Arc<Room> {
        Room::new(&Limits {
            connections: 3,
            connections_per_client: 2,
            waiting_bytes: 10,
            waiting_bytes_per_client: 7,
            ..Limits::default()
        })
    }

    fn build(name: &str) -> Guest {
        let path = format!("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-{name}.drv");
        Guest::Build(Derivation::parse(&path).unwrap())
    }

    #[test]
    fn one_client_does_not_take_the_places_of_all() {
        let room = room();
        let first = room.enter(&build("one")).unwrap();
        let _second = room.enter(&build("one")).unwrap();
        assert!(room.enter(&build("one")).is_err());
        let _other = room.enter(&build("two")).unwrap();
        assert!(room.enter(&build("three")).is_err());
        drop(first);
        assert_eq!(room.connections(), 2);
        room.enter(&build("three")).unwrap();
        assert_eq!(room.connections(), 2);
    }

    #[test]
    fn bytes_count_as_they_arrive_and_no_more_when_they_are_judged() {
        let room = room();
        let (one, two) = (build("one"), build("two"));
        let (first, second) = (room.enter(&one).unwrap(), room.enter(&one).unwrap());
        let other = room.enter(&two).unwrap();
        let mut waiting = first.waiting();
        waiting.add(5).unwrap();
        assert!(second.waiting().add(3).is_err());
        let mut others = other.waiting();
        others.add(5).unwrap();
        assert!(waiting.add(1).is_err());
        drop(others);
        waiting.add(1).unwrap();
        drop(waiting);
        second.waiting().add(7).unwrap();
        assert!(second.waiting().add(u64::MAX).is_err());
    }

    #[test]
    fn all_users_together_leave_half_of_the_room_to_root_and_to_builds() {
        let room = Room::new(&Limits {
            connections: 4,
            waiting_bytes: 10,
            ..Limits::default()
        });
        let first = room.enter(&Guest::User(1)).unwrap();
        let second = room.enter(&Guest::Strangers).unwrap();
        assert!(room.enter(&Guest::User(2)).is_err());
        let root = room.enter(&Guest::User(ROOT)).unwrap();
        let built = room.enter(&build("one")).unwrap();
        let (mut one, mut two) = (first.waiting(), second.waiting());
        one.add(3).unwrap();
        two.add(2).unwrap();
        assert!(two.add(1).is_err());
        let (mut three, mut four) = (root.waiting(), built.waiting());
        three.add(3).unwrap();
        four.add(2).unwrap();
        assert!(four.add(1).is_err());
        drop(one);
        two.add(3).unwrap();
        drop(two);
        drop(second);
        room.enter(&Guest::User(2)).unwrap();
        room.enter(&Guest::User(3)).unwrap();
    }
}
