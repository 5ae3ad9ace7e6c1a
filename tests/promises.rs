//! The page of promises names tests: every one of them exists.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_page_of_promises_names_exists_and_every_row_has_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/promises.md")).expect("the page can be read");
    let mut code = String::new();
    for folder in ["src", "tests", "crates"] {
        read_all(&root.join(folder), &mut code);
    }
    let mut named = 0;
    for row in page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| id") && !line.starts_with("| what"))
    {
        assert!(!row.contains("not met"), "{row}");
        let tests = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default();
        assert!(tests.contains('`'), "no test is named: {row}");
        // A name with so many words is that of a test; shorter ones are files and targets.
        for name in tests.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 2) {
            assert!(code.contains(&format!("fn {name}()")), "there is no test {name}");
            named += 1;
        }
    }
    assert!(named > 40, "the page names {named} tests");
}

fn read_all(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() {
            read_all(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(&path).expect("a file can be read"));
        }
    }
}
