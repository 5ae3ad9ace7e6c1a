//! Pure: groups of executors, each all that its selector takes.

use jiff::Timestamp;
use novacula_protocol::people::{self, ExecutorGroupRequest, Selector};
use uuid::Uuid;

use crate::{said, selector};

/// One group as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// Unique inside the account.
    pub name: String,
    /// Whom it takes.
    pub selector: Selector,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

impl Group {
    /// Takes over what a person asks for, if it can be meant.
    ///
    /// # Errors
    /// One sentence: what was expected, what was found.
    pub fn set(&mut self, asked: ExecutorGroupRequest) -> Result<(), String> {
        said::name(&asked.name)?;
        if asked.selector == Selector::default() {
            return Err("`selector` must name at least one label, it is empty: a group of everybody would put the whole \
                        fleet into one wave"
                .to_owned());
        }
        selector::checked(&asked.selector)?;
        self.name = asked.name;
        self.selector = asked.selector;
        Ok(())
    }

    /// What people see.
    #[must_use]
    pub fn shown(&self, executors: u32) -> people::ExecutorGroup {
        people::ExecutorGroup {
            id: self.id.to_string(),
            name: self.name.clone(),
            selector: self.selector.clone(),
            executors,
            created_by: self.created_by.clone(),
            created_at: self.created_at,
        }
    }
}
