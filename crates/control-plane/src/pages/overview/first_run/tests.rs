use super::*;

const NOBODY_CANNOT: [Option<String>; 3] = [None, None, None];

fn empty(url: &str) -> FirstRun {
    FirstRun::new(url, None, &[], None, None, NOBODY_CANNOT)
}

#[test]
fn a_word_stays_one_word_of_a_shell_whatever_is_in_it() {
    for (text, expected) in [
        ("host-1.example", "host-1.example"),
        ("https://cp.example:8443", "https://cp.example:8443"),
        ("", "''"),
        ("-rf", "'-rf'"),
        ("a b", "'a b'"),
        ("$(reboot)", "'$(reboot)'"),
        ("it's; rm -r /", r"'it'\''s; rm -r /'"),
    ] {
        assert_eq!(quoted(text), expected);
    }
}

#[test]
fn who_is_reached_without_tls_is_told_what_an_agent_makes_of_it() {
    for (url, is_told) in [
        ("http://cp.example", true),
        ("http://cp.example:3000", true),
        ("https://cp.example", false),
        ("http://localhost:3000", false),
        ("http://127.0.0.1:3000", false),
        ("http://[::1]:3000", false),
        ("http://localhost.evil.example", true),
    ] {
        assert_eq!(empty(url).steps[1].about.contains("allow_plain_http = true"), is_told, "{url}");
    }
}

#[test]
fn what_is_run_on_a_host_and_for_a_release_is_what_the_documents_say() {
    let steps = empty("https://cp.example").steps;
    let operations = include_str!("../../../../../../docs/operations.md");
    assert!(operations.contains(&steps[1].commands[1].lines), "{}", steps[1].commands[1].lines);
    let engineering = include_str!("../../../../../../docs/release-engineering.md");
    let (script, rest) = steps[0].commands[0].lines.split_once(' ').unwrap();
    let (version, rest) = rest.split_once(' ').unwrap();
    assert!(version == VERSION && engineering.contains(script), "{script} {version}");
    assert!(engineering.contains(rest), "{rest}");
}
