//! Pure: which names and passwords are taken, and who may make whom what.

use novacula_protocol::people::Role;

const MAX_LOGIN_NAME: usize = 64;
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 12..=256;

/// A login name: 1 to 64 letters, digits, `.`, `_`, `-` and `@`.
///
/// # Errors
/// One sentence: what was expected, what was found.
pub fn login_name(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    if length == 0 || length > MAX_LOGIN_NAME {
        return Err(format!("`name` must have 1 to {MAX_LOGIN_NAME} characters, it has {length}"));
    }
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    match name.chars().find(|c| !is_taken(*c)) {
        Some(c) => Err(format!(
            "`name` must be of letters, digits, `.`, `_`, `-` and `@`, it has the character U+{:04X}",
            u32::from(c)
        )),
        None => Ok(()),
    }
}

/// A password is only asked to be long.
///
/// # Errors
/// One sentence: what was expected, what was found; never the password.
pub fn password(password: &str) -> Result<(), String> {
    let length = password.chars().count();
    match PASSWORD_LENGTH.contains(&length) {
        true => Ok(()),
        false => Err(format!(
            "a password must have {} to {} characters, it has {length}",
            PASSWORD_LENGTH.start(),
            PASSWORD_LENGTH.end()
        )),
    }
}

/// What somebody is in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The role.
    pub role: Role,
    /// They may publish.
    pub is_release_manager: bool,
}

/// Why somebody may not be made what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotYours {
    /// Owners and the right to publish are an owner's to give and to take.
    #[error("only an owner makes, changes and removes owners")]
    Owners,
    /// Whoever lets others publish has to be an owner, so that no admin gets the right alone.
    #[error("only an owner gives and takes the right to publish releases")]
    ReleaseManagers,
    /// Everybody else is for admins.
    #[error("this needs the role owner or admin")]
    Anybody,
}

/// Whether an actor of this role may make somebody who is `from` into `to`; nothing stands for not being in the account.
///
/// # Errors
/// Whose it is to do.
pub fn may_make(actor: Role, from: Option<Standing>, to: Option<Standing>) -> Result<(), NotYours> {
    let is_owner = |standing: Option<Standing>| standing.is_some_and(|standing| standing.role == Role::Owner);
    let publishes = |standing: Option<Standing>| standing.is_some_and(|s| s.is_release_manager);
    match actor {
        Role::Owner => Ok(()),
        Role::Admin if is_owner(from) || is_owner(to) => Err(NotYours::Owners),
        // Whoever leaves the account leaves the right behind.
        Role::Admin if to.is_some() && publishes(from) != publishes(to) => Err(NotYours::ReleaseManagers),
        Role::Admin => Ok(()),
        Role::Editor | Role::Viewer => Err(NotYours::Anybody),
    }
}

/// Whether an actor may change how a user logs in, or whether at all: that works in every account the user is in, so it
/// is for who could remove them from each. `memberships` are the roles of actor and user, account by account.
#[must_use]
pub fn may_take_over(memberships: &[(Option<Role>, Role)]) -> bool {
    !memberships.is_empty()
        && memberships.iter().all(|(actor, user)| {
            let standing = Standing { role: *user, is_release_manager: false };
            actor.is_some_and(|actor| may_make(actor, Some(standing), None).is_ok())
        })
}

#[cfg(test)]
mod tests {
    use Role::{Admin, Editor, Owner, Viewer};

    use super::*;

    #[test]
    fn a_login_name_is_short_and_plain() {
        for name in ["a", "owner", "Jane.Doe_1-2@example.com", &"x".repeat(64)] {
            assert_eq!(login_name(name), Ok(()), "{name}");
        }
        for name in ["", &"x".repeat(65), "a b", "ä", "a/b", "a\n", "<script>", "a'--", "a\u{202e}b", "a\0"]
        {
            assert!(login_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_password_is_only_asked_to_be_long() {
        for (length, is_taken) in [(0, false), (11, false), (12, true), (256, true), (257, false)] {
            for c in ["a", "ü", " "] {
                let sentence = password(&c.repeat(length));
                assert_eq!(sentence.is_ok(), is_taken, "{length} of {c}");
            }
        }
        assert!(!password("hunter2").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn owners_make_owners_and_admins_everybody_else() {
        let plain = |role| Some(Standing { role, is_release_manager: false });
        let publishing = |role| Some(Standing { role, is_release_manager: true });
        for (sentence, from, to, by_admin) in [
            ("adds an editor", None, plain(Editor), Ok(())),
            ("adds an admin", None, plain(Admin), Ok(())),
            ("adds an owner", None, plain(Owner), Err(NotYours::Owners)),
            ("makes a viewer an admin", plain(Viewer), plain(Admin), Ok(())),
            ("makes an admin an owner", plain(Admin), plain(Owner), Err(NotYours::Owners)),
            ("makes an owner an editor", plain(Owner), plain(Editor), Err(NotYours::Owners)),
            ("removes an owner", plain(Owner), None, Err(NotYours::Owners)),
            ("removes an admin", plain(Admin), None, Ok(())),
            ("adds a release manager", None, publishing(Viewer), Err(NotYours::ReleaseManagers)),
            ("lets one publish", plain(Editor), publishing(Editor), Err(NotYours::ReleaseManagers)),
            ("lets one publish no more", publishing(Editor), plain(Editor), Err(NotYours::ReleaseManagers)),
            ("changes the role of one who publishes", publishing(Viewer), publishing(Editor), Ok(())),
            ("removes one who publishes", publishing(Editor), None, Ok(())),
        ] {
            assert_eq!(may_make(Owner, from, to), Ok(()), "an owner {sentence}");
            assert_eq!(may_make(Admin, from, to), by_admin, "an admin {sentence}");
            for other in [Editor, Viewer] {
                assert_eq!(may_make(other, from, to), Err(NotYours::Anybody), "{other} {sentence}");
            }
        }
    }

    #[test]
    fn how_somebody_logs_in_is_for_who_is_above_them_everywhere() {
        for (sentence, memberships, expected) in [
            ("an owner of the only account", &[(Some(Owner), Owner)][..], true),
            ("an admin over an editor", &[(Some(Admin), Editor)], true),
            ("an admin over an owner", &[(Some(Admin), Owner)], false),
            ("an owner here and nobody there", &[(Some(Owner), Viewer), (None, Viewer)], false),
            ("an owner here and an admin there", &[(Some(Owner), Viewer), (Some(Admin), Viewer)], true),
            (
                "an owner here and an admin there, of an owner",
                &[(Some(Owner), Viewer), (Some(Admin), Owner)],
                false,
            ),
            ("an editor", &[(Some(Editor), Viewer)], false),
            ("anybody over who is nowhere", &[], false),
        ] {
            assert_eq!(may_take_over(memberships), expected, "{sentence}");
        }
    }
}
