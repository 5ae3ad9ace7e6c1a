//! Several plans at once.

use super::*;

#[test]
fn of_plans_that_overlap_one_comes_first() {
    for (sentence, plans, expected) in [
        ("the older of equal ones", &[("a", 0, &[][..], &[][..]), ("b", 0, &[], &[])][..], "a b"),
        ("the higher priority", &[("a", 0, &[], &[]), ("b", 1, &[], &[]), ("c", -1, &[], &[])], "b a c"),
        ("an older one that yields comes after", &[("a", 0, &["b"], &[]), ("b", 0, &[], &[])], "b a"),
        (
            "over several",
            &[("a", 0, &["b"], &[]), ("b", 0, &["c"], &[]), ("c", 0, &[], &[]), ("d", 0, &[], &[])],
            "c b a d",
        ),
        ("priority weighs more than yielding", &[("a", 5, &["b"], &[]), ("b", 0, &[], &[])], "a b"),
        ("yielding to who is gone means nothing", &[("a", 0, &["x"], &[]), ("b", 0, &[], &[])], "a b"),
        ("yielding to oneself neither", &[("a", 0, &["a"], &[]), ("b", 0, &[], &[])], "a b"),
        (
            "a circle goes by age",
            &[("a", 0, &["b"], &[]), ("b", 0, &["a"], &[]), ("c", 0, &[], &[])],
            "c a b",
        ),
    ] {
        let plans = Account::with_plans(plans).plans;
        for turn in 0..plans.len() {
            let mut given = plans.clone();
            given.rotate_left(turn);
            let order = order(given.iter().map(Standing::from));
            let names: Vec<_> = order
                .iter()
                .map(|id| plans.iter().find(|plan| plan.id == *id).unwrap().name.as_str())
                .collect();
            assert_eq!(names.join(" "), expected, "{sentence}");
        }
    }
}

#[test]
fn a_plan_yields_to_living_plans_that_do_not_yield_to_it() {
    let yields = |names: &[&str], priority: i32| {
        with(&[("/spec/yieldsTo", json!(names)), ("/spec/priority", json!(priority))])
    };
    let account = Account::with_plans(&[
        ("a", 0, &["b"], &[]),
        ("b", 0, &["c"], &[]),
        ("c", 0, &["to-1.34"], &[]),
        ("low", -3, &["to-1.34"], &[]),
        ("high", 7, &["to-1.34"], &[]),
    ]);
    for (sentence, plan, path, said) in [
        (
            "a circle of two",
            yields(&["c"], 0),
            "spec.yieldsTo",
            "but `to-1.34` yields to `c` yields to `to-1.34`",
        ),
        (
            "of four",
            yields(&["a"], 0),
            "spec.yieldsTo",
            "`to-1.34` yields to `a` yields to `b` yields to `c` yields to `to-1.34`",
        ),
        (
            "a lower one",
            yields(&["low"], 0),
            "spec.yieldsTo[0]",
            "`low` has -3 and this one 0, so this one comes first",
        ),
        (
            "one that is not there",
            yields(&["high", "x"], 0),
            "spec.yieldsTo[1]",
            "there is no `x`; there are: `a`, `b`, `c`, `low`, `high`",
        ),
        ("one twice", yields(&["a", "a"], 0), "spec.yieldsTo[1]", "`a` stands twice"),
        ("too many", yields(&["a"; 17], 0), "spec.yieldsTo", "must be at most 16 plans, there are 17"),
    ] {
        let refused = refused(&account, &plan);
        assert_eq!(refused.path, path, "{sentence}: {refused}");
        assert!(refused.reason.contains(said), "{sentence}: {refused}");
    }
    assert!(account.check(&yields(&["high"], 0)).is_ok(), "which comes first anyway");
    let account = Account::with_plans(&[("c", 1, &["to-1.34"], &[])]);
    assert!(account.check(&yields(&["c"], 0)).is_ok(), "of different priorities there is no circle");
}

#[test]
fn plans_that_have_the_same_executors_are_named_with_who_comes_first() {
    let account = Account::with_plans(&[
        ("older", 0, &[], &[1, 2]),
        ("higher", 5, &[], &[11]),
        ("lower", -1, &[], &[3, 21]),
        ("elsewhere", 9, &[], &[21]),
    ]);
    let warnings = account.check(&plan()).unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "plan `higher` (priority 5) has 1 executor of this one and comes first: `prod-11`",
            "plan `older` (priority 0) has 2 executors of this one and comes first: `canary-1`, `canary-2`",
            "this plan comes before plan `lower` (priority -1) and has 1 executor of it: `canary-3`",
        ]
    );
    let all: Vec<u128> = (1..=18).collect();
    let account = Account::with_plans(&[("all", 0, &[], &all)]);
    let warnings = account.check(&plan()).unwrap().warnings;
    assert_eq!(
        warnings[1],
        "other plans have all executors of this one: it does nothing until they have ended"
    );
}
