//! The executors of one thread: whose turn it is, and what each was last told is kept.

/// What an executor says when it syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What it said before.
    Idle,
    /// Another label every time.
    Relabelled,
    /// The next stage of its upgrade or, at the last one, one more line of the log: always something to keep.
    Advancing,
    /// More bytes of its upgrade, and sometimes the next stage.
    Upgrading,
}

/// Which role an executor has, by its number alone: whoever seeds the database has to know it as well.
#[derive(Clone, Copy, Debug)]
pub struct Roles {
    /// So many of 100, the first, are upgrading.
    pub upgrading: u32,
    /// So many of 100, the last, are [`Self::changing`].
    pub others: u32,
    /// Theirs.
    pub changing: Role,
}

impl Roles {
    pub fn of(self, number: u32) -> Role {
        let of_a_hundred = number % 100;
        if of_a_hundred < self.upgrading {
            Role::Upgrading
        } else if of_a_hundred >= 100 - self.others {
            self.changing
        } else {
            Role::Idle
        }
    }
}

/// One sync: sent again it is the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sync {
    /// Of the executor.
    pub number: u32,
    /// How often it has said something new, this time counted.
    pub count: u32,
    /// What it does.
    pub role: Role,
}

#[derive(Clone, Copy)]
struct Executor {
    acknowledged: u32,
    sent: u32,
    is_waiting: bool,
}

/// Some executors with consecutive numbers.
pub struct Fleet {
    first: u32,
    next: usize,
    roles: Roles,
    said: u32,
    executors: Vec<Executor>,
}

impl Fleet {
    /// `said`: so often each has said something new before.
    pub fn new(first: u32, count: u32, said: u32, roles: Roles) -> Self {
        let executor = Executor { acknowledged: said, sent: said, is_waiting: false };
        Self { first, next: 0, roles, said, executors: vec![executor; count as usize] }
    }

    /// Whose turn it is. There are more executors than connections, so one of them waits for no answer.
    pub fn next(&mut self) -> Sync {
        loop {
            let index = self.next;
            self.next = if index + 1 == self.executors.len() { 0 } else { index + 1 };
            let executor = &mut self.executors[index];
            if executor.is_waiting {
                continue;
            }
            executor.is_waiting = true;
            let number = self.first + u32::try_from(index).unwrap_or(u32::MAX);
            let role = self.roles.of(number);
            if role != Role::Idle {
                executor.sent += 1;
            }
            return Sync { number, count: executor.sent, role };
        }
    }

    /// The sync was answered well.
    pub fn answered(&mut self, sync: Sync) {
        let executor = &mut self.executors[(sync.number - self.first) as usize];
        executor.is_waiting = false;
        executor.acknowledged = sync.count;
    }

    /// It was not.
    pub fn given_up(&mut self, sync: Sync) {
        self.executors[(sync.number - self.first) as usize].is_waiting = false;
    }

    /// The most often that one of them has said something new by now.
    pub fn said(&self) -> u32 {
        self.executors.iter().map(|executor| executor.sent).max().unwrap_or(self.said)
    }

    /// Number, last change that was answered, and last that was sent, of all that had one at every sync.
    pub fn changes(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        let said_something = move |(number, executor): (u32, &Executor)| {
            let is_changing = self.roles.of(number) == self.roles.changing;
            (is_changing && executor.acknowledged > self.said).then_some((
                number,
                executor.acknowledged,
                executor.sent,
            ))
        };
        (self.first..).zip(&self.executors).filter_map(said_something)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: Roles = Roles { upgrading: 10, others: 20, changing: Role::Relabelled };

    #[test]
    fn who_does_what_follows_from_the_number_alone() {
        let count = |role| (0..1_000).filter(|number| ROLES.of(*number) == role).count();
        assert_eq!((count(Role::Upgrading), count(Role::Relabelled), count(Role::Idle)), (100, 200, 700));
    }

    #[test]
    fn nobody_speaks_before_it_was_answered() {
        let mut fleet = Fleet::new(99, 3, 0, ROLES);
        let (first, second) = (fleet.next(), fleet.next());
        assert_eq!((first.number, second.number), (99, 100));
        fleet.answered(second);
        assert_eq!((fleet.next().number, fleet.next().number), (101, 100));
    }

    #[test]
    fn what_was_sent_and_what_was_answered_are_told_apart() {
        let mut fleet = Fleet::new(99, 1, 5, ROLES);
        let first = fleet.next();
        fleet.answered(first);
        let second = fleet.next();
        fleet.given_up(second);
        assert_eq!((first.count, second.count), (6, 7));
        assert_eq!(fleet.changes().collect::<Vec<_>>(), [(99, 6, 7)]);
    }
}
