//! Where artifacts are kept, and where executors fetch them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{Certificate, ClientOptions};
use object_store::path::Path;
use object_store::{BackoffConfig, RetryConfig};

use super::{bad, number, truth};
use crate::artifacts::Bucket;

/// As written.
#[derive(Args, Clone, Debug, Default)]
pub struct ArtifactArgs {
    /// Where executors fetch artifacts instead of here, such as a CDN before the bucket or folder [default: none]
    #[arg(long, env = "ARTIFACT_BASE_URL", value_name = "URL")]
    pub artifact_base_url: Option<String>,
    /// The bucket that artifacts are kept in; its credentials are in AWS_* [default: a folder in the data directory]
    #[arg(long, env = "S3_BUCKET", value_name = "NAME")]
    pub s3_bucket: Option<String>,
    /// The S3-compatible store that has it [default: Amazon's, in the region]
    #[arg(long, env = "S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// The region that it is in [default: AWS_REGION, else us-east-1]
    #[arg(long, env = "S3_REGION", value_name = "REGION")]
    pub s3_region: Option<String>,
    /// What the names of artifacts begin with in the bucket, such as novacula/artifacts [default: nothing]
    #[arg(long, env = "S3_PREFIX", value_name = "PREFIX")]
    pub s3_prefix: Option<String>,
    /// The certificates (PEM) that the store is trusted by [default: those of this host]
    #[arg(long, env = "S3_CA_FILE", value_name = "FILE")]
    pub s3_ca_file: Option<PathBuf>,
    /// Executors are sent to the bucket by signed URLs, instead of fetching through here [default: false]
    #[arg(long, env = "S3_SIGNED_URLS", value_name = "true|false")]
    pub s3_signed_urls: Option<String>,
    /// For how long a signed URL begins a download [default: 900000]
    #[arg(long, env = "S3_SIGNED_URL_TTL_MS", value_name = "MS")]
    pub s3_signed_url_ttl_ms: Option<String>,
}

/// As read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArtifactSettings {
    /// Where executors fetch instead.
    pub base_url: Option<String>,
    /// The bucket.
    pub bucket: Option<BucketSettings>,
}

/// The bucket. Its credentials are read where it is opened, and kept nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSettings {
    name: String,
    endpoint: Option<String>,
    region: Option<String>,
    prefix: Path,
    ca_file: Option<PathBuf>,
    signed_for: Option<Duration>,
}

/// A store signs for a week at most.
const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

pub(super) fn read(args: ArtifactArgs) -> Result<ArtifactSettings, String> {
    let base_url = args.artifact_base_url.map(|url| {
        plain_url(&url).ok_or_else(|| {
            let expected = "a URL such as https://cdn.example/novacula";
            bad("ARTIFACT_BASE_URL", "--artifact-base-url", expected, without_person(&url))
        })
    });
    let base_url = base_url.transpose()?;
    let is_signed = truth("S3_SIGNED_URLS", args.s3_signed_urls)?;
    let lives = number("S3_SIGNED_URL_TTL_MS", args.s3_signed_url_ttl_ms, 900_000, 1_000, WEEK_MS)?;
    if is_signed && base_url.is_some() {
        return Err(
            "S3_SIGNED_URLS must not be true with ARTIFACT_BASE_URL: executors fetch there, unsigned"
                .to_owned(),
        );
    }
    let Some(name) = args.s3_bucket else {
        let alone = [
            ("S3_ENDPOINT", args.s3_endpoint.is_some()),
            ("S3_REGION", args.s3_region.is_some()),
            ("S3_PREFIX", args.s3_prefix.is_some()),
            ("S3_CA_FILE", args.s3_ca_file.is_some()),
            ("S3_SIGNED_URLS", is_signed),
        ];
        return match alone.into_iter().find(|(_, is_given)| *is_given) {
            Some((variable, _)) => Err(format!("{variable} must be given with S3_BUCKET, which is missing")),
            None => Ok(ArtifactSettings { base_url, bucket: None }),
        };
    };
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    if !(3..=63).contains(&name.len()) || !name.chars().all(is_name) {
        let expected = "3 to 63 lower-case letters, digits, dots and hyphens";
        return Err(bad("S3_BUCKET", "--s3-bucket", expected, &name));
    }
    let endpoint = args.s3_endpoint.map(|url| {
        plain_url(&url).ok_or_else(|| {
            let expected = "a URL such as https://s3.example, without the bucket";
            bad("S3_ENDPOINT", "--s3-endpoint", expected, without_person(&url))
        })
    });
    if let Some(region) = args.s3_region.as_ref().filter(|region| !is_region(region)) {
        return Err(bad("S3_REGION", "--s3-region", "a region such as eu-central-1", region));
    }
    let prefix = args.s3_prefix.unwrap_or_default();
    let prefix = Path::parse(prefix.trim_matches('/')).map_err(|_| {
        bad("S3_PREFIX", "--s3-prefix", "names with / between, such as novacula/artifacts", &prefix)
    })?;
    Ok(ArtifactSettings {
        base_url,
        bucket: Some(BucketSettings {
            name,
            endpoint: endpoint.transpose()?,
            region: args.s3_region,
            prefix,
            ca_file: args.s3_ca_file,
            signed_for: is_signed.then(|| Duration::from_millis(lives)),
        }),
    })
}

/// http or https, with neither a name and a password nor a query in it, and without a slash at its end.
fn plain_url(url: &str) -> Option<String> {
    let parsed = url.parse::<axum::http::Uri>().ok()?;
    let is_plain = matches!(parsed.scheme_str(), Some("http" | "https"))
        && parsed.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && parsed.query().is_none();
    is_plain.then(|| url.trim_end_matches('/').to_owned())
}

/// A password in a URL is not repeated.
fn without_person(url: &str) -> &str {
    if url.contains('@') { "one with a name or a password in it" } else { url }
}

fn is_region(region: &str) -> bool {
    !region.is_empty() && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

impl BucketSettings {
    /// Opens it with the credentials of the environment, without a call yet.
    ///
    /// # Errors
    /// One sentence: which value, and what is wrong with it.
    pub fn open(self) -> Result<Bucket, String> {
        // Another part of this process may have chosen the same before.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let store = self.store(AmazonS3Builder::from_env())?;
        Ok(Bucket::new(store, self.prefix, self.signed_for))
    }

    fn store(&self, from_environment: AmazonS3Builder) -> Result<AmazonS3, String> {
        // Bodies are as long as artifacts and as slow as executors: only silence ends them.
        let mut client = ClientOptions::new()
            .with_timeout_disabled()
            .with_read_timeout(Duration::from_secs(30))
            .with_allow_http(self.endpoint.as_ref().is_some_and(|url| url.starts_with("http:")));
        if let Some(file) = &self.ca_file {
            let wrong = |e: &dyn std::fmt::Display| {
                format!("S3_CA_FILE must be a file with certificates, PEM; {}: {e}", file.display())
            };
            let pem = std::fs::read(file).map_err(|e| wrong(&e))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| wrong(&e))?;
            if certificates.is_empty() {
                return Err(wrong(&"there is none in it"));
            }
            client = client.with_no_system_certificates(true);
            for certificate in certificates {
                client = client.with_root_certificate(certificate);
            }
        }
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 3,
            retry_timeout: Duration::from_secs(20),
        };
        let mut builder =
            from_environment.with_bucket_name(&self.name).with_client_options(client).with_retry(retry);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        builder.build().map_err(|e| format!("S3_BUCKET cannot be used with what AWS_* says: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    fn bucket() -> ArtifactArgs {
        ArtifactArgs { s3_bucket: some("artifacts"), ..ArtifactArgs::default() }
    }

    #[test]
    fn artifacts_are_in_the_folder_unless_a_bucket_is_named() {
        assert_eq!(read(ArtifactArgs::default()), Ok(ArtifactSettings::default()));
        let args = ArtifactArgs {
            s3_endpoint: some("http://127.0.0.1:9000/"),
            s3_prefix: some("/novacula/artifacts/"),
            s3_signed_urls: some("true"),
            ..bucket()
        };
        let bucket = read(args).unwrap().bucket.unwrap();
        assert_eq!(bucket.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(bucket.prefix.as_ref(), "novacula/artifacts");
        assert_eq!(bucket.signed_for, Some(Duration::from_secs(900)));
    }

    #[test]
    fn a_base_url_is_taken_without_the_slash_at_its_end() {
        let args = ArtifactArgs { artifact_base_url: some("https://cdn.example/nova/"), ..bucket() };
        assert_eq!(read(args).unwrap().base_url.as_deref(), Some("https://cdn.example/nova"));
    }

    #[test]
    fn a_bad_value_is_told_in_one_line_that_repeats_no_password() {
        let base = |url: &str| ArtifactArgs { artifact_base_url: some(url), ..ArtifactArgs::default() };
        for (name, args) in [
            ("ARTIFACT_BASE_URL", base("cdn.example")),
            ("ARTIFACT_BASE_URL", base("ftp://cdn.example")),
            ("ARTIFACT_BASE_URL", base("https://jane:hunter2@cdn.example")),
            ("ARTIFACT_BASE_URL", base("https://cdn.example/?token=x")),
            ("S3_BUCKET", ArtifactArgs { s3_bucket: some(""), ..bucket() }),
            ("S3_BUCKET", ArtifactArgs { s3_bucket: some("a/b/c"), ..bucket() }),
            ("S3_BUCKET", ArtifactArgs { s3_prefix: some("x"), ..ArtifactArgs::default() }),
            ("S3_BUCKET", ArtifactArgs { s3_signed_urls: some("true"), ..ArtifactArgs::default() }),
            ("S3_ENDPOINT", ArtifactArgs { s3_endpoint: some("s3.example"), ..bucket() }),
            ("S3_ENDPOINT", ArtifactArgs { s3_endpoint: some("https://a:hunter2@s3.example"), ..bucket() }),
            ("S3_REGION", ArtifactArgs { s3_region: some("eu central"), ..bucket() }),
            ("S3_PREFIX", ArtifactArgs { s3_prefix: some("a//b"), ..bucket() }),
            ("S3_SIGNED_URLS", ArtifactArgs { s3_signed_urls: some("yes"), ..bucket() }),
            (
                "S3_SIGNED_URLS",
                ArtifactArgs {
                    s3_signed_urls: some("true"),
                    s3_bucket: some("abc"),
                    ..base("https://c.example")
                },
            ),
            ("S3_SIGNED_URL_TTL_MS", ArtifactArgs { s3_signed_url_ttl_ms: some("604800001"), ..bucket() }),
        ] {
            let line = read(args).unwrap_err();
            assert!(
                line.contains(name) && !line.contains('\n') && !line.contains("hunter2"),
                "{name}: {line}"
            );
        }
    }

    #[test]
    fn half_a_credential_and_a_file_without_certificates_stop_the_start() {
        let settings = read(bucket()).unwrap().bucket.unwrap();
        let half = AmazonS3Builder::new().with_access_key_id("AK");
        let line = settings.store(half).unwrap_err();
        assert!(line.starts_with("S3_BUCKET cannot be used with what AWS_* says"), "{line}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "nothing").unwrap();
        for ca_file in [file, folder.path().join("nowhere")] {
            let settings = BucketSettings { ca_file: Some(ca_file), ..settings.clone() };
            let line = settings.store(AmazonS3Builder::new()).unwrap_err();
            assert!(line.starts_with("S3_CA_FILE must be a file with certificates"), "{line}");
        }
    }
}
