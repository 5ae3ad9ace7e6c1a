//! The settings of the OpenID provider.

use std::net::IpAddr;

use openidconnect::{IssuerUrl, RedirectUrl};

use super::bad;
use crate::oidc::{CALLBACK, OidcSettings};

/// Reads them together, because none is of use alone.
pub(super) fn read(
    issuer: Option<String>,
    client_id: Option<String>,
    secret_file: Option<&str>,
    public_url: Option<&str>,
) -> Result<Option<OidcSettings>, String> {
    let Some(issuer) = issuer else {
        return match client_id.is_some() || secret_file.is_some() {
            true => {
                Err("OIDC_CLIENT_ID and OIDC_CLIENT_SECRET_FILE need OIDC_ISSUER, the URL of the provider"
                    .to_owned())
            }
            false => Ok(None),
        };
    };
    let client_id =
        client_id.filter(|id| !id.is_empty()).ok_or("OIDC_ISSUER needs OIDC_CLIENT_ID, found none")?;
    let public_url =
        public_url.ok_or("OIDC_ISSUER needs PUBLIC_URL, because people are sent back there; found none")?;
    let unfit = || bad("OIDC_ISSUER", "--oidc-issuer", "an https URL", &issuer);
    let is_safe = issuer.starts_with("https://") || is_loopback(&issuer);
    let client_secret = secret_file.map(read_secret).transpose()?;
    Ok(Some(OidcSettings {
        issuer: IssuerUrl::new(issuer.clone()).ok().filter(|_| is_safe).ok_or_else(unfit)?,
        client_id,
        client_secret,
        redirect: RedirectUrl::new(format!("{public_url}{CALLBACK}")).map_err(|_| unfit())?,
    }))
}

/// Plain http to this very machine, where a provider runs for a trial.
fn is_loopback(url: &str) -> bool {
    let host = url.parse::<axum::http::Uri>().ok().filter(|uri| uri.scheme_str() == Some("http"));
    let host = host.and_then(|uri| uri.host().map(|host| host.trim_matches(['[', ']']).to_owned()));
    host.is_some_and(|host| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

fn read_secret(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        format!("OIDC_CLIENT_SECRET_FILE must be a file that can be read, `{path}` cannot: {e}")
    })?;
    match text.trim() {
        "" => Err(format!("OIDC_CLIENT_SECRET_FILE must hold the secret, `{path}` is empty")),
        secret => Ok(secret.to_owned()),
    }
}
