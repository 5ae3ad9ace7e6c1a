//! Which version is meant, and who gets there.

use super::*;

#[test]
fn the_version_is_the_one_that_is_named_or_the_highest_that_begins_so() {
    let account = Account::usual();
    for (asked, expected) in [
        ("1.34.2", Ok("1.34.2")),
        ("1.34", Ok("1.34.10")),
        ("1", Ok("1.35.0")),
        ("1.36.0-rc.1", Ok("1.36.0-rc.1")),
        ("1.36", Err("of 1.36 there are only pre-releases; write 1.36.0-rc.1 in full")),
        (
            "1.34.3",
            Err(
                "must be a published version, there is no 1.34.3; near it there are 1.33.0, 1.34.0, 1.34.2, 1.34.10, 1.35.0, 1.36.0-rc.1",
            ),
        ),
        ("1.37.0", Err("must be a published version, 1.37.0 is draft; near it there are 1.34.10, 1.35.0")),
        ("1.34.11", Err("1.34.11 is yanked")),
        ("2", Err("none begins with 2; near it there are 1.34.10, 1.35.0, 1.36.0-rc.1, 3.0.0")),
        ("9.0.0", Err("there is no 9.0.0")),
        (
            "latest",
            Err("must be a version such as 1.34.2, or its beginning such as 1.34 or 1, it is `latest`"),
        ),
        ("v1.34", Err("it is `v1.34`")),
        ("1.034", Err("it is `1.034`")),
        ("1.", Err("it is `1.`")),
        ("", Err("it is ``")),
        ("1\u{1b}[2J", Err("it is `1\\u{1b}[2J`")),
        ("99999999999999999999", Err("it is `99999999999999999999`")),
    ] {
        let verdict = account.check(&with(&[("/spec/targetVersion", json!(asked))]));
        match expected {
            Ok(version) => assert_eq!(verdict.unwrap().target_version.to_string(), version, "{asked}"),
            Err(said) => {
                let refused = verdict.unwrap_err();
                assert_eq!(refused.path, "spec.targetVersion", "{asked}");
                assert!(refused.reason.contains(said), "{asked}: {refused}");
            }
        }
    }
    let nothing = Account { releases: Vec::new(), ..Account::usual() };
    let refused = refused(&nothing, &plan());
    assert!(refused.reason.ends_with("nothing is published for executors of kind agent"), "{refused}");
}

#[test]
fn a_version_that_nobody_can_reach_is_refused_and_one_that_some_cannot_is_warned_of() {
    let account = Account::usual();
    let refused = refused(&account, &with(&[("/spec/targetVersion", json!("3.0.0"))]));
    assert_eq!(refused.path, "spec.targetVersion");
    let said = "3.0.0 is for nobody: `canary-1` has no way there: the way to 3.0.0 goes over 2.x";
    assert!(refused.reason.contains(said), "{refused}");
    let back = account.check(&with(&[("/spec/targetVersion", json!("1.33.0"))])).unwrap();
    assert_eq!(back.warnings, ["all its executors run the target version already"]);

    let mut account = Account::usual();
    account.executors[0].current_version = "2.0.0".parse().unwrap();
    account.executors[1].target = "another".to_owned();
    let checked = account.check(&plan()).unwrap();
    assert_eq!(
        checked.warnings,
        [
            "`canary-1` stays where it is: it runs 2.0.0, which is newer than 1.34.10; so it is, or alike, with 1 more"
        ]
    );
    account.executors.iter_mut().for_each(|executor| executor.current_version = "2.0.0".parse().unwrap());
    let refused = account.check(&plan()).unwrap_err();
    assert!(refused.reason.contains("is for nobody: `canary-1` runs 2.0.0, which is newer"), "{refused}");
}
