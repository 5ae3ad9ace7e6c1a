//! What people look at before they sign with another key: the keys that an agent says it trusts.

use std::collections::BTreeSet;
use std::fs;

use novacula_lab::signing::trusted_keys;

use crate::bench::{Agent, control_plane};

#[test]
fn an_agent_says_at_every_sync_which_release_keys_are_built_into_it() {
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    let said = control_plane.hears("which keys are trusted", |sync| sync.trusted_keys.clone());
    // minisign writes the id into the first line of a public key, without the zeros it begins with.
    let id = |text: String| {
        text.lines().next().and_then(|line| Some(format!("{:0>16}", line.rsplit_once(' ')?.1)))
    };
    let built_in: BTreeSet<_> = fs::read_dir(trusted_keys())
        .unwrap()
        .map(|entry| id(fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap())
        .collect();
    assert_eq!(built_in.len(), 2);
    assert_eq!(said.into_iter().collect::<BTreeSet<_>>(), built_in);
}
