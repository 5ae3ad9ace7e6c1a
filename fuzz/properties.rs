//! What must hold for any bytes whatever, told once: the fuzz targets run it on what they invent, and
//! `tests/mutations.rs` on what is kept in `corpus/` and on mutations of it.
//!
//! Every function takes the bytes that an attacker, a faulty disk or a typo could have chosen, and says how they
//! ended. It panics when a promise is broken.

use jiff::Timestamp;
use novacula_agent::config::{Access, Config, is_loopback};
use novacula_agent::control_plane::ControlPlane;
use novacula_agent::upgrade::admit::{Admission, Admitted, Standing, admit};
use novacula_agent::upgrade::trial::Trial;
use novacula_protocol::reach::hop_between;
use novacula_protocol::signature::{MAX_SIGNATURE_BYTES, ReleaseSignature, TrustedKeys};
use novacula_protocol::spec::{Direction, Kind, PendingUpgrade};
use novacula_protocol::sync::{Offer, SyncResponse, clamp_interval_ms};
use novacula_protocol::trusted_comment::TrustedComment;
use novacula_protocol::{Refusal, RefusalCode};
use semver::Version;
use sha2::{Digest as _, Sha256};

/// How bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// They mean nothing, and it is said why where somebody listens.
    Refused,
    /// They mean something, and that holds what it must.
    Taken,
}

/// A sentence for people that may quote strangers: one line, and nothing in it writes to a terminal or turns it around.
fn is_a_sentence(text: &str) {
    let unsafe_to_show = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || turns
    };
    assert!(!text.trim().is_empty(), "a sentence says something");
    assert!(!text.contains(unsafe_to_show), "a sentence is one printable line: {text:?}");
}

fn is_a_refusal(refusal: &Refusal, codes: &[RefusalCode]) {
    assert!(codes.contains(&refusal.code), "{refusal} where one of {codes:?} was expected");
    is_a_sentence(&refusal.message);
}

/// A spec is read, written and read again as the same; what is admitted of it keeps every rule of admission.
pub fn spec(bytes: &[u8]) -> End {
    let offer = serde_json::from_slice::<Offer>(bytes);
    let Ok(spec) = serde_json::from_slice::<PendingUpgrade>(bytes) else {
        assert!(!matches!(offer, Ok(Offer::Understood(_))), "an offer is understood as a spec or not at all");
        return End::Refused;
    };
    assert_eq!(offer.ok(), Some(Offer::Understood(Box::new(spec.clone()))));
    let written = serde_json::to_string(&spec).expect("a spec can be written");
    let read: PendingUpgrade = serde_json::from_str(&written).expect("a written spec can be read");
    assert_eq!(read, spec, "written as {written}");
    let header = spec.header().clone();
    // The first host is the one that the spec was made for: its answer depends on the rest of the spec.
    let second_before = Timestamp::from_second(header.expires_at.as_second().saturating_sub(1));
    let second_before = second_before.unwrap_or(Timestamp::MIN);
    let here = header.from_version.clone();
    let floor = Version::new(here.major, here.minor, 1);
    let there = Version::new(1, 5, 0);
    let mut end = End::Refused;
    for (version, floor, now) in [
        (&here, None, second_before),
        (&here, Some(floor), second_before),
        (&there, None, Timestamp::UNIX_EPOCH),
    ] {
        let host = Standing { floor, ..idle_host(version, now) };
        match admit(spec.clone(), &host) {
            Admission::Admitted(admitted) => {
                keeps_the_rules(&admitted, &host);
                assert_eq!(PendingUpgrade::Agent(admitted.spec().clone()), spec);
                end = End::Taken;
            }
            Admission::Refused(refusal) => is_a_refusal(&refusal, RefusalCode::ALL),
            Admission::Abandoned | Admission::Paused => {}
            other => panic!("nothing is in hand, on trial or ended here, yet: {other:?}"),
        }
    }
    end
}

/// A host with nothing in hand, on trial or ended.
#[must_use]
pub fn idle_host(version: &Version, now: Timestamp) -> Standing<'_> {
    Standing {
        version,
        floor: None,
        ended: &[],
        on_trial: false,
        in_hand: None,
        held: None,
        allow_plain_http: false,
        now,
    }
}

fn keeps_the_rules(admitted: &Admitted, host: &Standing<'_>) {
    let spec = admitted.spec();
    let header = &spec.header;
    let target = &header.target_version;
    assert!(header.attempt >= 1 && !header.upgrade_id.is_empty() && spec.size >= 1);
    assert!(header.expires_at > host.now, "a stale spec was admitted");
    assert_eq!(header.from_version, *host.version);
    assert!(target.build.is_empty() && header.from_version.build.is_empty());
    let is_marked_right = match header.direction {
        Direction::Upgrade => target > host.version,
        Direction::Downgrade => target < host.version,
    };
    assert!(is_marked_right, "{} to {target} was admitted as {:?}", host.version, header.direction);
    assert!(host.floor.as_ref().is_none_or(|floor| target >= floor), "below the floor");
    assert!(hop_between(host.version, target).is_none(), "too far");
    assert!(spec.sha256.len() == 64 && !spec.sha256.contains(|c| !matches!(c, '0'..='9' | 'a'..='f')));
    let url = spec.download_url.to_ascii_lowercase();
    assert!(url.starts_with("https://") || url.starts_with("http://"), "{url}");
}

/// An answer is read, written and read again as the same, and never hurries or silences an executor.
pub fn sync_answer(bytes: &[u8]) -> End {
    let Ok(answer) = serde_json::from_slice::<SyncResponse>(bytes) else { return End::Refused };
    assert!((1_000..=900_000).contains(&clamp_interval_ms(answer.sync_interval_ms)));
    let written = serde_json::to_string(&answer).expect("an answer can be written");
    let mut read: SyncResponse = serde_json::from_str(&written).expect("a written answer can be read");
    if matches!(answer.pending_upgrade, Some(Offer::NotUnderstood(_))) {
        // Nobody acts on it: a field that stood twice or a long fraction may have become plainer on the way.
        assert!(read.pending_upgrade.is_some());
        read.pending_upgrade.clone_from(&answer.pending_upgrade);
    }
    assert_eq!(read, answer, "written as {written}");
    End::Taken
}

const ARTIFACT: &[u8] = include_bytes!("fixtures/artifact");
const SIGNATURE: &str = include_str!("fixtures/artifact.minisig");
const KEY: &str = include_str!("fixtures/throw-away.pub");

/// A signature text that can be read never verifies other bytes than the signed ones, nor another trusted comment.
pub fn signature(bytes: &[u8]) -> End {
    let Ok(text) = std::str::from_utf8(bytes) else { return End::Refused };
    let signature = match ReleaseSignature::parse(text) {
        Ok(signature) => signature,
        Err(refusal) => {
            is_a_refusal(&refusal, &[RefusalCode::SignatureMalformed]);
            return End::Refused;
        }
    };
    assert!(text.len() <= MAX_SIGNATURE_BYTES);
    let keys = TrustedKeys::from_texts([("throw-away", KEY)]).expect("the fixture is a public key");
    let check = |parts: &[&[u8]]| {
        let mut verifier = signature.verifier(&keys)?;
        parts.iter().for_each(|part| verifier.update(part));
        verifier.finish()
    };
    let (one_short, last) = ARTIFACT.split_at(ARTIFACT.len() - 1);
    for other in [&[one_short][..], &[ARTIFACT, b"\0"], &[last, one_short], &[]] {
        let refusal = check(other).expect_err("other bytes than the signed ones were verified");
        is_a_refusal(&refusal, &BEFORE_ANY_COMMENT);
    }
    match check(&[one_short, last]) {
        Ok(comment) => {
            let signed_line = SIGNATURE.lines().nth(2);
            assert_eq!(text.lines().nth(2), signed_line, "a comment that nobody signed was verified");
            let signed = signed_line.and_then(|line| line.strip_prefix("trusted comment: "));
            assert_eq!(TrustedComment::parse(signed.unwrap_or_default()), Ok(comment));
            End::Taken
        }
        Err(refusal) => {
            is_a_refusal(&refusal, &[&BEFORE_ANY_COMMENT[..], &[RefusalCode::SignatureIncomplete]].concat());
            End::Refused
        }
    }
}

const BEFORE_ANY_COMMENT: [RefusalCode; 3] =
    [RefusalCode::UntrustedKey, RefusalCode::SignatureLegacy, RefusalCode::SignatureMismatch];

/// A trusted comment is read, written and read again as the same, and is only ever what it says.
pub fn trusted_comment(bytes: &[u8]) -> End {
    let Ok(text) = std::str::from_utf8(bytes) else { return End::Refused };
    let comment = match TrustedComment::parse(text) {
        Ok(comment) => comment,
        Err(refusal) => {
            is_a_refusal(&refusal, &[RefusalCode::SignatureIncomplete]);
            return End::Refused;
        }
    };
    assert_eq!(TrustedComment::parse(&comment.render()).as_ref(), Ok(&comment));
    assert!(comment.version.build.is_empty());
    for kind in [Kind::Agent, Kind::Operator] {
        match comment.must_be(kind, &comment.version, &comment.target) {
            Ok(()) => assert_eq!(comment.kind, kind.as_str()),
            Err(refusal) => is_a_refusal(&refusal, &[RefusalCode::WrongKind]),
        }
        let next = Version::new(comment.version.major, comment.version.minor, comment.version.patch ^ 1);
        let codes = [RefusalCode::WrongKind, RefusalCode::WrongVersion];
        let refusal = comment.must_be(kind, &next, &comment.target).expect_err("another version");
        is_a_refusal(&refusal, &codes);
        let codes = [RefusalCode::WrongKind, RefusalCode::WrongTarget];
        let refusal = comment.must_be(kind, &comment.version, "elsewhere!").expect_err("another target");
        is_a_refusal(&refusal, &codes);
    }
    End::Taken
}

/// A config is one sentence or a config that can be used, and never shows its key.
pub fn config(bytes: &[u8]) -> End {
    let Ok(text) = std::str::from_utf8(bytes) else { return End::Refused };
    // Whoever writes the config may name any file; here, no file shall be read.
    if text.contains("access_token_file") || text.contains('\\') && text.contains("file") {
        return End::Refused;
    }
    let config = match Config::parse(text) {
        Ok(config) => config,
        Err(sentence) => {
            is_a_sentence(&sentence);
            return End::Refused;
        }
    };
    config.warnings.iter().for_each(|warning| is_a_sentence(warning));
    is_a_sentence(&config.name);
    assert!(config.name.len() <= 128 && config.data_dir.is_absolute());
    assert!((1_000..=900_000).contains(&config.sync_interval_ms) && config.max_bytes_per_second != Some(0));
    let there = &config.control_plane;
    let key = match &there.access {
        Access::Key(key) | Access::EnrolmentToken(key) => {
            assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "a key cannot end a header");
            key.clone()
        }
        Access::Stored => String::new(),
    };
    let shown = format!("{:?}", there.access);
    assert!(key.len() < 16 || !shown.contains(&key), "a key is never shown");
    is_a_sentence(&there.url);
    assert!(!there.url.ends_with('/'));
    // A file with certificates is read when the client is made, and no file shall be.
    let there = novacula_agent::config::ControlPlaneConfig { ca_file: None, ..there.clone() };
    let there = ControlPlane::new(&there, key, &Version::new(1, 0, 0));
    assert!(
        there.is_ok(),
        "what the config takes for a URL can be used as one: {}",
        config.control_plane.url
    );
    if !config.control_plane.allow_plain_http {
        let url = config.control_plane.url.to_ascii_lowercase();
        let host = url.strip_prefix("http://").map(|rest| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let after_user = authority.rsplit('@').next().unwrap_or_default();
            let end = after_user.find(']').map(|at| at + 1).or(after_user.find(':'));
            &after_user[..end.unwrap_or(after_user.len())]
        });
        assert!(host.is_none_or(is_loopback), "the key would travel in the clear to {url}");
    }
    End::Taken
}

/// A trial record is only read as it was written, whole; what it says is written as the same bytes for ever after.
pub fn trial_record(bytes: &[u8]) -> End {
    let end = is_read_as_written(bytes);
    // No luck finds a checksum: the same bytes once more, as the body of a record that is otherwise in order.
    let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut whole = format!("novacula-record 1 sha256={sum}\n").into_bytes();
    whole.extend_from_slice(bytes);
    whole.push(b'\n');
    if is_read_as_written(&whole) == End::Taken { End::Taken } else { end }
}

fn is_read_as_written(bytes: &[u8]) -> End {
    let Some(trial) = Trial::from_record(bytes) else { return End::Refused };
    let body = bytes.splitn(2, |byte| *byte == b'\n').nth(1).and_then(|rest| rest.strip_suffix(b"\n"));
    let body = body.expect("a record is a line, a body and the end of a line");
    let sum: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        bytes.starts_with(format!("novacula-record 1 sha256={sum}\n").as_bytes()),
        "read without its checksum"
    );
    let written = trial.to_record().expect("a record can be written");
    let again = Trial::from_record(&written).expect("a written record can be read");
    assert_eq!(again, trial);
    // A newer version may have written more into it, or in another order; what this one writes stays as it is.
    assert_eq!(again.to_record().expect("a record can be written"), written);
    End::Taken
}
