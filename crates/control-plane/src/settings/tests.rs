use super::*;

#[test]
fn everything_has_a_default() {
    let settings = Settings::read(ServeArgs::default()).unwrap();
    assert_eq!(settings.database, Database::Sqlite("./novacula-data/novacula.sqlite".into()));
    assert_eq!((settings.listen.to_string().as_str(), settings.port), ("127.0.0.1", 3000));
    let rules = settings.rules;
    assert_eq!((rules.pending_upgrade_ttl_ms, rules.heartbeat_timeout_ms), (900_000, 30_000));
    assert_eq!(rules.sync_interval_max_ms, 60_000);
    assert_eq!((rules.sync_interval_ms, rules.max_artifact_bytes), (5_000, 512 * 1024 * 1024));
}

#[test]
fn a_bad_value_is_told_by_its_name() {
    let some = |value: &str| Some(value.to_owned());
    for (name, args) in [
        ("PORT", ServeArgs { port: some("65536"), ..ServeArgs::default() }),
        ("PORT", ServeArgs { port: some(""), ..ServeArgs::default() }),
        ("LISTEN", ServeArgs { listen: some("localhost"), ..ServeArgs::default() }),
        ("DATA_DIR", ServeArgs { data_dir: some(""), ..ServeArgs::default() }),
        ("PENDING_UPGRADE_TTL_MS", ServeArgs { pending_upgrade_ttl_ms: some("15m"), ..ServeArgs::default() }),
        ("HEARTBEAT_TIMEOUT_MS", ServeArgs { heartbeat_timeout_ms: some("0"), ..ServeArgs::default() }),
        ("HEARTBEAT_TIMEOUT_MS", ServeArgs { heartbeat_timeout_ms: some("5000"), ..ServeArgs::default() }),
        ("SYNC_INTERVAL_MS", ServeArgs { sync_interval_ms: some("-1"), ..ServeArgs::default() }),
        ("SYNC_INTERVAL_MAX_MS", ServeArgs { sync_interval_max_ms: some("4999"), ..ServeArgs::default() }),
        ("SYNC_INTERVAL_MAX_MS", ServeArgs { sync_interval_max_ms: some("900001"), ..ServeArgs::default() }),
        ("MAX_ARTIFACT_BYTES", ServeArgs { max_artifact_bytes: some("0"), ..ServeArgs::default() }),
        ("PUBLIC_URL", ServeArgs { public_url: some("cp.example"), ..ServeArgs::default() }),
        ("TRUSTED_PROXIES", ServeArgs { trusted_proxies: some("10.0.0.1,proxy"), ..ServeArgs::default() }),
        ("OIDC_ISSUER", ServeArgs { oidc_client_id: some("x"), ..ServeArgs::default() }),
        ("OIDC_CLIENT_ID", ServeArgs { oidc_issuer: some("https://idp.example"), ..ServeArgs::default() }),
        ("PUBLIC_URL", ServeArgs { public_url: None, ..with_oidc("https://idp.example") }),
        ("OIDC_ISSUER", with_oidc("http://idp.example")),
        ("OIDC_ISSUER", with_oidc("idp")),
        (
            "OIDC_CLIENT_SECRET_FILE",
            ServeArgs { oidc_client_secret_file: some("/nowhere"), ..with_oidc("https://idp.example") },
        ),
        ("DATABASE_URL", ServeArgs { database_url: some("mysql:x"), ..ServeArgs::default() }),
        ("WEBHOOK_ALLOW_PRIVATE", ServeArgs { outgoing: webhooks("yes"), ..ServeArgs::default() }),
        ("TLS_KEY_FILE", ServeArgs { tls_cert_file: Some("c.pem".into()), ..ServeArgs::default() }),
        ("TLS_CERT_FILE", ServeArgs { tls_key_file: Some("k.pem".into()), ..ServeArgs::default() }),
        ("DATABASE_URL", ServeArgs { database_url: some("postgres://h:port/d"), ..ServeArgs::default() }),
        ("DATABASE_URL", ServeArgs { database_url: some("mysql://h/d"), ..ServeArgs::default() }),
    ] {
        let line = Settings::read(args).unwrap_err();
        assert!(line.contains(name) && !line.contains('\n'), "{name}: {line}");
    }
}

fn webhooks(allow_private: &str) -> OutgoingArgs {
    OutgoingArgs { webhook_allow_private: Some(allow_private.to_owned()), ..OutgoingArgs::default() }
}

fn with_oidc(issuer: &str) -> ServeArgs {
    ServeArgs {
        oidc_issuer: Some(issuer.to_owned()),
        oidc_client_id: Some("novacula".to_owned()),
        public_url: Some("https://cp.example".to_owned()),
        ..ServeArgs::default()
    }
}

#[test]
fn a_provider_and_proxies_are_taken_and_the_secret_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "hunter2\n").unwrap();
    for issuer in
        ["https://idp.example", "http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"]
    {
        let args = ServeArgs {
            oidc_client_secret_file: Some(file.display().to_string()),
            trusted_proxies: Some("10.0.0.0/8, ::1".to_owned()),
            ..with_oidc(issuer)
        };
        let settings = Settings::read(args).unwrap();
        assert!(settings.rules.is_https);
        assert!(!format!("{settings:?}").contains("hunter2"));
        let oidc = settings.oidc.unwrap();
        assert_eq!(oidc.client_secret.as_deref(), Some("hunter2"));
        assert_eq!(oidc.redirect.as_str(), "https://cp.example/api/v1/session/oidc/callback");
    }
    std::fs::write(&file, "\n").unwrap();
    let empty = Some(file.display().to_string());
    let args = ServeArgs { oidc_client_secret_file: empty, ..with_oidc("https://idp.example") };
    assert!(Settings::read(args).unwrap_err().contains("OIDC_CLIENT_SECRET_FILE"));
}

#[test]
fn a_database_elsewhere_and_a_public_url_are_taken() {
    let args = ServeArgs {
        database_url: Some("sqlite:/srv/n.db".into()),
        public_url: Some("https://cp.example/".into()),
        ..ServeArgs::default()
    };
    let settings = Settings::read(args).unwrap();
    assert_eq!(settings.database, Database::Sqlite("/srv/n.db".into()));
    assert_eq!(settings.rules.public_url.as_deref(), Some("https://cp.example"));
}
