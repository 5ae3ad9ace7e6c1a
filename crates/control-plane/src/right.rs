//! Pure: who may do what. Every operation names its right; nothing else in this crate asks for a role.

use novacula_protocol::people::Role;

use crate::store::Person;

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Anybody of the account may look.
    See,
    /// Asks for upgrades and steers them: an editor's work.
    Steer,
    /// Puts releases into the catalogue and takes them back.
    Publish,
    /// Decides who may sync and who is in the account.
    Administer,
    /// Concerns the account as a whole.
    Own,
    /// Concerns other accounts too.
    House,
    /// A person's own affairs.
    Myself,
    /// How a person is here at all, which they may look after also where they can do nothing else.
    Session,
    /// An executor with its key.
    Executor,
    /// An executor with its key, or anybody of the account.
    Fetch,
    /// A host with an enrolment token.
    Enrol,
    /// Everybody, without a name.
    Nobody,
}

impl Right {
    /// Every right.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 12] = [
        Self::See,
        Self::Steer,
        Self::Publish,
        Self::Administer,
        Self::Own,
        Self::House,
        Self::Myself,
        Self::Session,
        Self::Executor,
        Self::Fetch,
        Self::Enrol,
        Self::Nobody,
    ];

    /// Who has it, as it completes "this call needs …".
    pub(crate) fn holder(self) -> &'static str {
        match self {
            Self::See | Self::Myself | Self::Session => "a person's token",
            Self::Steer => "the role owner, admin or editor",
            Self::Publish => "a release manager",
            Self::Administer => "the role owner or admin",
            Self::Own => "the role owner",
            Self::House => "the role owner in the founding account",
            Self::Executor => "an executor's key",
            Self::Fetch => "an executor's key or a person's token",
            Self::Enrol => "an enrolment token",
            Self::Nobody => "nothing",
        }
    }

    /// People have it.
    pub(crate) fn is_for_people(self) -> bool {
        !matches!(self, Self::Executor | Self::Enrol | Self::Nobody)
    }

    /// Whoever has it can use it also in a suspended account, and before a one-time password is changed.
    pub(crate) fn outlives_suspension(self) -> bool {
        matches!(self, Self::House | Self::Session)
    }

    /// Some people have it and others have not.
    pub(crate) fn is_for_some(self) -> bool {
        matches!(self, Self::Steer | Self::Publish | Self::Administer | Self::Own | Self::House)
    }
}

/// Whether this person has the right.
pub(crate) fn permits(person: &Person, right: Right) -> bool {
    match right {
        Right::See | Right::Myself | Right::Session | Right::Fetch | Right::Nobody => true,
        Right::Steer => person.role >= Role::Editor,
        Right::Publish => person.is_release_manager,
        Right::Administer => person.role >= Role::Admin,
        Right::Own => person.role == Role::Owner,
        Right::House => person.role == Role::Owner && person.is_in_founding_account,
        Right::Executor | Right::Enrol => false,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn person(role: Role) -> Person {
        Person {
            account_id: Uuid::nil(),
            user_id: Uuid::nil(),
            name: "somebody".to_owned(),
            role,
            is_release_manager: false,
            is_in_founding_account: false,
        }
    }

    #[test]
    fn who_may_do_what() {
        use Right::{
            Administer, Enrol, Executor, Fetch, House, Myself, Nobody, Own, Publish, See, Session, Steer,
        };
        let everybody = [See, Myself, Session, Fetch, Nobody];
        let release_manager = Person { is_release_manager: true, ..person(Role::Viewer) };
        let house_owner = Person { is_in_founding_account: true, ..person(Role::Owner) };
        let house_admin = Person { is_in_founding_account: true, ..person(Role::Admin) };
        for (sentence, who, more) in [
            ("a viewer looks", person(Role::Viewer), vec![]),
            ("an editor steers", person(Role::Editor), vec![Steer]),
            ("an admin also decides who syncs", person(Role::Admin), vec![Steer, Administer]),
            ("an owner also speaks for the account", person(Role::Owner), vec![Steer, Administer, Own]),
            ("a release manager publishes, even a viewer", release_manager, vec![Publish]),
            ("the first owner keeps the house", house_owner, vec![Steer, Administer, Own, House]),
            ("an admin does not, whatever the account", house_admin, vec![Steer, Administer]),
        ] {
            for right in Right::ALL {
                let expected = everybody.contains(&right) || more.contains(&right);
                assert_eq!(permits(&who, right), expected, "{sentence}: {right:?}");
            }
            assert!(!permits(&who, Executor) && !permits(&who, Enrol), "{sentence}: no person is a machine");
        }
    }
}
