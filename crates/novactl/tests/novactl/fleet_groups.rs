//! `novactl fleet group …` and `novactl executor label` against the real control plane.

use serde_json::{Value, json};

use crate::control_plane::Way;
use crate::novactl::novactl;

#[test]
fn labels_by_people_count_until_they_are_taken_back() {
    let way = Way::new();
    let host = way.enrol("host-1", "1.0.0");
    let label = |labels: &[&str]| way.novactl(&[&["executor", "label", "host-1"], labels].concat());
    let said = label(&["ring=canary", "site=", "--reason", "it has a spare"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("by people      ring=canary site="), "{said:?}");
    assert!(said.stdout.contains("by its host    none"), "{said:?}");
    host.sync("1.0.0", &Value::Null);
    let listed = way.novactl(&["executor", "list", "--label", "ring=canary", "--json"]);
    assert_eq!(listed.json()["items"][0]["name"], "host-1", "its host says nothing of it");
    assert_eq!(label(&["ring-", "--json"]).json()["labelsByPeople"], json!({"site": ""}));
    let told = way.novactl(&["activity", "list", "--action", "executor.labelsChanged", "--json"]);
    let reasons: Vec<_> =
        told.json()["items"].as_array().unwrap().iter().map(|it| it["reason"].clone()).collect();
    assert_eq!(reasons, ["", "it has a spare"]);
    assert_eq!(label(&["ring=\u{1b}[2J"]).code, 1, "what a host may not say people may not say either");
    for wrong in [&["ring"][..], &["=x"], &["a=b", "a-"], &[]] {
        let said = novactl("http://127.0.0.1:1", &[&["executor", "label", "host-1"], wrong].concat());
        assert_eq!(said.code, 2, "{wrong:?}: {said:?}");
    }
}

#[test]
fn a_group_is_made_counted_renamed_and_deleted() {
    let way = Way::new();
    for name in ["a", "b", "c"] {
        way.enrol(name, "1.0.0");
    }
    for name in ["a", "b"] {
        assert_eq!(way.novactl(&["executor", "label", name, "site=berlin"]).code, 0);
    }
    let made = way.novactl(&["fleet", "group", "create", "berlin", "--selector", "site in (berlin,potsdam)"]);
    assert!(made.code == 0 && made.stdout.contains("2 now"), "{made:?}");
    let again = way.novactl(&["fleet", "group", "create", "berlin", "--selector", "site=x", "--json"]);
    assert_eq!((again.code, again.problem()["code"].as_str()), (4, Some("name_taken")), "{again:?}");
    let listed = way.novactl(&["fleet", "group", "list"]);
    assert!(listed.stdout.contains("berlin  2          site in (berlin,potsdam)"), "{listed:?}");
    let executors = way.novactl(&["executor", "list", "--group", "berlin", "--json"]);
    let names: Vec<_> =
        executors.json()["items"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    let misspelt = way.novactl(&["executor", "list", "--group", "berlim"]);
    assert!(misspelt.code == 1 && misspelt.stderr.contains("`berlim`"), "{misspelt:?}");
    let change =
        ["fleet", "group", "change", "berlin", "--name", "all of us", "--selector", "site", "--json"];
    let changed = way.novactl(&change);
    assert_eq!((&changed.json()["name"], &changed.json()["executors"]), (&json!("all of us"), &json!(2)));
    let id = changed.json()["id"].as_str().unwrap().to_owned();
    assert!(way.novactl(&["fleet", "group", "show", &id]).stdout.contains("takes          site"));
    assert_eq!(way.novactl(&["fleet", "group", "change", &id]).code, 2);
    let deleted = way.novactl(&["fleet", "group", "delete", "all of us"]);
    assert_eq!(deleted.stdout, "the group all of us is deleted\n", "{deleted:?}");
    let gone = way.novactl(&["fleet", "group", "show", &id, "--json"]);
    assert_eq!((gone.code, gone.problem()["code"].as_str()), (1, Some("group_not_found")), "{gone:?}");
    for everybody in ["", " ", "=x"] {
        let said = way.novactl(&["fleet", "group", "create", "x", "--selector", everybody]);
        assert_eq!(said.code, 2, "{everybody:?}: {said:?}");
    }
}
