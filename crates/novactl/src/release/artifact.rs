//! An artifact and its signature, checked before a byte is sent, with the same code that control plane and agent use.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use novacula_protocol::signature::{MAX_SIGNATURE_BYTES, ReleaseSignature, TrustedKeys};
use novacula_protocol::spec::Kind;
use novacula_protocol::trusted_comment::TrustedComment;
use novacula_protocol::{Refusal, RefusalCode};
use semver::Version;
use sha2::{Digest, Sha256};

use crate::ending::{Ending, Failure};

const COMMENT_START: &str = "trusted comment: ";

/// Where an artifact and its signature lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    artifact: PathBuf,
    signature: PathBuf,
}

/// Reads `ARTIFACT[=SIGFILE]`; a file whose own name has a `=` is found as it is.
pub fn place(text: &str) -> Result<Place, String> {
    let (artifact, signature) = match text.rsplit_once('=') {
        Some((artifact, signature)) if !Path::new(text).exists() => (artifact, signature.to_owned()),
        _ => (text, format!("{text}.minisig")),
    };
    if artifact.is_empty() || signature.is_empty() {
        return Err(format!("expected ARTIFACT or ARTIFACT=SIGFILE, found `{text}`"));
    }
    Ok(Place { artifact: artifact.into(), signature: signature.into() })
}

/// An artifact whose labels agree with what it is published as.
#[derive(Debug)]
pub struct Artifact {
    pub path: PathBuf,
    pub file: File,
    pub size: u64,
    pub sha256: String,
    pub signature: String,
    pub target: String,
}

impl Artifact {
    /// Opens and checks. With no keys built in, only the labels are: the bytes are the control plane's to verify.
    pub fn check(place: &Place, kind: Kind, version: &Version, keys: &TrustedKeys) -> Result<Self, Failure> {
        let named = |refusal: Refusal| {
            let mut failure = Failure::from(refusal);
            failure.problem.message = format!("{}: {}", place.artifact.display(), failure.problem.message);
            failure
        };
        let text = read_signature(place)?;
        let signature = ReleaseSignature::parse(&text).map_err(named)?;
        let comment = unverified_comment(&text).map_err(named)?;
        comment.must_be(kind, version, &comment.target).map_err(named)?;

        let file = File::open(&place.artifact).map_err(|e| unreadable(&place.artifact, &e))?;
        let metadata = file.metadata().map_err(|e| unreadable(&place.artifact, &e))?;
        if !metadata.is_file() || metadata.len() == 0 {
            return Err(Failure::new(
                Ending::Failed,
                "artifact_unreadable",
                format!(
                    "the artifact {} must be a file with bytes in it, it is not",
                    place.artifact.display()
                ),
            ));
        }
        let mut verifier = match keys.names().next() {
            Some(_) => Some(signature.verifier(keys).map_err(named)?),
            None => None,
        };
        let (size, sha256) = read_through(&file, |bytes| {
            if let Some(verifier) = &mut verifier {
                verifier.update(bytes);
            }
        })
        .map_err(|e| unreadable(&place.artifact, &e))?;
        if let Some(verifier) = verifier {
            verifier.finish().map_err(named)?;
        }
        Ok(Self { path: place.artifact.clone(), file, size, sha256, signature: text, target: comment.target })
    }
}

/// The comment as it stands there; what it says counts only once the signature over it is verified.
fn unverified_comment(text: &str) -> Result<TrustedComment, Refusal> {
    let mut lines = text.lines().skip(1);
    // `ED`, prehashed, and `Ed`, legacy, as base64 begins them.
    if lines.next().is_some_and(|line| line.starts_with("RW")) {
        return Err(Refusal::new(
            RefusalCode::SignatureLegacy,
            "the signature must be prehashed (`minisign -S -H`), it is a legacy one",
        ));
    }
    let comment = lines.next().and_then(|line| line.strip_prefix(COMMENT_START)).unwrap_or_default();
    TrustedComment::parse(comment)
}

fn read_signature(place: &Place) -> Result<String, Failure> {
    let path = &place.signature;
    let mut bytes = Vec::new();
    let limit = MAX_SIGNATURE_BYTES as u64 + 1;
    match File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
        Ok(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && place.artifact.exists() => Err(Failure::new(
            Ending::Failed,
            "signature_missing",
            format!(
                "the signature of {} must be at {}, nothing is there: sign it with packaging/release.sh, or name its \
                 place as ARTIFACT=SIGFILE",
                place.artifact.display(),
                path.display()
            ),
        )),
        Err(_) if !place.artifact.exists() => {
            Err(unreadable(&place.artifact, &std::io::ErrorKind::NotFound.into()))
        }
        Err(e) => Err(unreadable(path, &e)),
    }
}

fn read_through(mut file: &File, mut each: impl FnMut(&[u8])) -> std::io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut block = vec![0; 256 * 1024];
    file.seek(SeekFrom::Start(0))?;
    loop {
        let read = match file.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hash.update(&block[..read]);
        each(&block[..read]);
        size += read as u64;
    }
    let hex = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((size, hex))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Ending::Failed,
        "artifact_unreadable",
        format!("the file {} must be readable, it is not ({error})", path.display()),
    )
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test writes what is to be published")]
mod tests {
    use super::*;

    /// Over the five bytes `bytes`, by a key that was thrown away.
    const SIGNATURE: &str = "\
untrusted comment: signature of a throw-away key
RUT5e2NXcdNhLDiRNGqbsd5OT9VIMqL+Y50xpnmUFa8eIX2ESpGNmVO7lDKFF0af9+EkE924MTYiCVR4qpdLwcibDOAwndvizgw=
trusted comment: kind:agent version:1.1.0 target:x86_64-unknown-linux-musl
xxChxiRvM1MxC73gELKGWCquqCPpi7gJqbfPwMWzDQfww837DTVSgDwE5VI18GdCc7VJ5LcnM1H4TAg2nYYJDw==
";

    fn check_without_keys(signature: &str, version: &str) -> Result<Artifact, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("artifact");
        std::fs::write(&path, "bytes").unwrap();
        std::fs::write(dir.path().join("artifact.minisig"), signature).unwrap();
        let keys = TrustedKeys::from_texts([]).unwrap();
        let version = version.parse().unwrap();
        Artifact::check(&place(path.to_str().unwrap()).unwrap(), Kind::Agent, &version, &keys)
    }

    #[test]
    fn without_keys_the_labels_are_checked_and_the_bytes_are_hashed() {
        let artifact = check_without_keys(SIGNATURE, "1.1.0").unwrap();
        assert_eq!((artifact.size, artifact.target.as_str()), (5, "x86_64-unknown-linux-musl"));
        assert_eq!(artifact.sha256, "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9");
        assert_eq!(check_without_keys(SIGNATURE, "1.2.0").unwrap_err().problem.code, "wrong_version");
        let legacy = SIGNATURE.replacen("\nRU", "\nRW", 1);
        assert_eq!(check_without_keys(&legacy, "1.1.0").unwrap_err().problem.code, "signature_legacy");
    }

    #[test]
    fn a_signature_lies_beside_its_artifact_or_where_it_is_said_to_be() {
        let at = |artifact: &str, signature: &str| Place {
            artifact: artifact.into(),
            signature: signature.into(),
        };
        assert_eq!(place("a").unwrap(), at("a", "a.minisig"));
        assert_eq!(place("a=b").unwrap(), at("a", "b"));
        assert!(place("a=").is_err() && place("=b").is_err() && place("").is_err());
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("version=1.1.0");
        std::fs::write(&odd, "bytes").unwrap();
        let odd = odd.to_str().unwrap();
        assert_eq!(place(odd).unwrap(), at(odd, &format!("{odd}.minisig")));
        assert_eq!(place(&format!("{odd}=b")).unwrap(), at(odd, "b"));
    }
}
