use novacula_protocol::{Stage, Status};

use super::super::find;
use super::*;

fn attempt(id: &str, swapped: bool) -> EndedAttempt {
    EndedAttempt {
        upgrade_id: id.to_owned(),
        attempt: 1,
        from_version: None,
        target_version: None,
        stage: Stage::Failed,
        status: Status::Failed,
        bytes: (0, 0),
        error: None,
        swapped,
        untold: true,
        at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn a_record_with_one_bit_changed_counts_as_none_and_is_set_aside_by_the_next_write() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(dir.path()).unwrap();
    records.lock().unwrap().raise_floor(&Version::new(1, 2, 3)).unwrap();
    let path = dir.path().join(FLOOR);
    let good = fs::read(&path).unwrap();
    for position in 0..good.len() {
        let mut bad = good.clone();
        bad[position] ^= 1;
        disk::replace(&path, &bad, 0o600).unwrap();
        assert_eq!(records.floor().unwrap(), None, "byte {position}");
    }
    records.lock().unwrap().raise_floor(&Version::new(1, 2, 4)).unwrap();
    assert!(dir.path().join("floor.json.unreadable").exists());
    assert_eq!(records.floor().unwrap(), Some(Version::new(1, 2, 4)));
}

#[test]
fn of_damaged_attempts_every_one_counts_that_can_be_made_out() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(dir.path()).unwrap();
    let mut locked = records.lock().unwrap();
    locked.remember(attempt("one", true)).unwrap();
    locked.remember(attempt("two", true)).unwrap();
    let path = dir.path().join(ATTEMPTS);
    let text = fs::read_to_string(&path).unwrap();
    let from_the_future = text.replacen("\"FAILED\"", "\"TELEPORTED\"", 1);
    disk::replace(&path, from_the_future.as_bytes(), 0o600).unwrap();
    let known = records.ended().unwrap();
    assert!(find(&known, "two", 1).is_some());
    assert_eq!(known.len(), 1);
}

#[test]
fn the_floor_only_rises() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(dir.path()).unwrap();
    let mut locked = records.lock().unwrap();
    for floor in [Version::new(1, 2, 0), Version::new(1, 1, 0)] {
        locked.raise_floor(&floor).unwrap();
    }
    assert_eq!(records.floor().unwrap(), Some(Version::new(1, 2, 0)));
}

#[test]
fn an_attempt_that_swapped_is_never_forgotten_and_refusals_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(dir.path()).unwrap();
    let mut locked = records.lock().unwrap();
    locked.remember(attempt("swapped", true)).unwrap();
    for n in 0..REFUSALS_KEPT + 5 {
        locked.remember(attempt(&format!("refused-{n}"), false)).unwrap();
    }
    let ended = records.ended().unwrap();
    assert_eq!(ended.len(), REFUSALS_KEPT + 1);
    assert!(find(&ended, "swapped", 1).is_some());
    assert!(find(&ended, "swapped", 2).is_none());
    assert!(find(&ended, "refused-4", 1).is_none());
    assert!(find(&ended, "refused-5", 1).is_some());
}

#[test]
fn the_first_end_of_an_attempt_is_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(dir.path()).unwrap();
    let mut locked = records.lock().unwrap();
    locked.remember(attempt("one", true)).unwrap();
    locked.remember(EndedAttempt { stage: Stage::Completed, ..attempt("one", true) }).unwrap();
    assert_eq!(records.ended().unwrap(), [attempt("one", true)]);
    locked.told("one", 1).unwrap();
    assert!(!records.ended().unwrap()[0].untold);
}

#[test]
fn starts_are_counted_within_one_boot() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(dir.path()).unwrap();
    let mut locked = records.lock().unwrap();
    assert_eq!(locked.count_start("a").unwrap(), 0);
    assert_eq!(locked.count_start("a").unwrap(), 1);
    assert_eq!(locked.count_start("b").unwrap(), 0);
}
