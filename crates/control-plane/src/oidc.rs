//! People who are known elsewhere: the authorization code flow of OpenID Connect, with PKCE.
//!
//! One secret in a short-lived cookie binds a login to the browser that began it: state, nonce and code verifier are
//! derived from it, so nothing is remembered here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm as Alg, CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, TokenResponse,
};
use tokio::sync::Mutex;

use crate::session::derived;

/// The cookie that binds a login to its browser, and how long a login may take.
pub(crate) const COOKIE: &str = "novacula-oidc";
pub(crate) const LONGEST: SignedDuration = SignedDuration::from_mins(10);
/// Where the provider sends people back to, below the control plane's URL.
pub(crate) const CALLBACK: &str = "/api/v1/session/oidc/callback";

/// What the provider says of itself is asked for anew after this; its keys also when one is unknown, but not more often
/// than once a minute.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(1);
const ASKED_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);
const TIMEOUT: Duration = Duration::from_secs(10);
const MOST_BYTES: u64 = 1 << 20;

/// Signatures that only the provider can make; none, and none with the secret that we know too.
const TRUSTED_ALGS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

/// As configured.
#[derive(Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// The provider.
    pub issuer: IssuerUrl,
    /// Who we are there.
    pub client_id: String,
    /// How we show it.
    pub client_secret: Option<String>,
    /// Where people come back to.
    pub redirect: RedirectUrl,
}

impl std::fmt::Debug for OidcSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} (secret not shown)", self.client_id, self.issuer.as_str())
    }
}

/// The provider, as far as it is known.
pub(crate) struct Oidc {
    settings: OidcSettings,
    http: ureq::Agent,
    known: Mutex<Option<(Arc<CoreProviderMetadata>, Timestamp)>>,
}

/// Whom the provider means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Somebody {
    pub subject: String,
    /// Only where the provider says that it has checked.
    pub verified_email: Option<String>,
}

/// Why nobody is logged in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OidcFailure {
    /// It did not answer, or not as a provider.
    #[error("the OpenID provider does not answer as one: {0}")]
    Unreachable(String),
    /// It answered no, or something that must not be believed.
    #[error("the OpenID provider's answer is not taken: {0}")]
    Refused(String),
}

type Ask<T> = Result<T, OidcFailure>;

impl Oidc {
    pub(crate) fn new(settings: OidcSettings) -> Self {
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // The secret is for the endpoints that the provider names, and for no place they send on to.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        Self { settings, http, known: Mutex::new(None) }
    }

    /// Where to send a browser that holds this secret.
    pub(crate) async fn begin(&self, secret: &str, now: Timestamp) -> Ask<String> {
        let provider = self.provider(now, KNOWN_FOR).await?;
        let verifier = PkceCodeVerifier::new(derived(secret, "verifier"));
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let (state, nonce) = (state(secret), nonce(secret));
        let client = client(&provider, &self.settings);
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || nonce,
            )
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        Ok(url.into())
    }

    /// Whom the provider's answer to the browser with this secret means.
    pub(crate) async fn finish(
        &self,
        secret: &str,
        answer: &HashMap<String, String>,
        now: Timestamp,
    ) -> Ask<Somebody> {
        let issuer = self.settings.issuer.as_str();
        if answer.get("iss").is_some_and(|iss| iss != issuer) {
            return Err(OidcFailure::Refused("it comes from another provider".to_owned()));
        }
        let Some(code) = answer.get("code") else {
            let error = answer.get("error").map_or("it brings no code", String::as_str);
            return Err(OidcFailure::Refused(error.chars().take(100).collect()));
        };
        let provider = self.provider(now, KNOWN_FOR).await?;
        let token = self.exchange(&provider, code.clone(), derived(secret, "verifier")).await?;
        match believe(&provider, &self.settings, &token, secret, now) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                let provider = self.provider(now, ASKED_AGAIN_AFTER).await?;
                believe(&provider, &self.settings, &token, secret, now)
            }
            believed => believed,
        }
        .map_err(|e| OidcFailure::Refused(chain(&e)))
    }

    /// What the provider says of itself, not older than so much.
    async fn provider(&self, now: Timestamp, oldest: SignedDuration) -> Ask<Arc<CoreProviderMetadata>> {
        let mut known = self.known.lock().await;
        if let Some((provider, asked_at)) = known.as_ref()
            && now.duration_since(*asked_at).abs() < oldest
        {
            return Ok(Arc::clone(provider));
        }
        let (issuer, http) = (self.settings.issuer.clone(), self.http.clone());
        let ask = move || CoreProviderMetadata::discover(&issuer, &|request| send(&http, request));
        let asked =
            tokio::task::spawn_blocking(ask).await.map_err(|e| OidcFailure::Unreachable(e.to_string()))?;
        let provider = Arc::new(asked.map_err(|e| OidcFailure::Unreachable(chain(&e)))?);
        *known = Some((Arc::clone(&provider), now));
        Ok(provider)
    }

    async fn exchange(
        &self,
        provider: &Arc<CoreProviderMetadata>,
        code: String,
        verifier: String,
    ) -> Ask<CoreIdToken> {
        let (provider, settings, http) = (Arc::clone(provider), self.settings.clone(), self.http.clone());
        let ask = move || {
            let client = client(&provider, &settings);
            let request = client
                .exchange_code(AuthorizationCode::new(code))
                .map_err(|e| OidcFailure::Unreachable(chain(&e)))?
                .set_pkce_verifier(PkceCodeVerifier::new(verifier));
            let answer = request.request(&|request| send(&http, request)).map_err(|e| match e {
                RequestTokenError::ServerResponse(e) => OidcFailure::Refused(e.to_string()),
                e => OidcFailure::Unreachable(chain(&e)),
            })?;
            answer.id_token().cloned().ok_or_else(|| OidcFailure::Refused("it brings no ID token".to_owned()))
        };
        tokio::task::spawn_blocking(ask).await.map_err(|e| OidcFailure::Unreachable(e.to_string()))?
    }
}

/// What comes back in the browser's address, if it is the browser with this secret.
pub(crate) fn state(secret: &str) -> String {
    derived(secret, "state")
}

fn nonce(secret: &str) -> Nonce {
    Nonce::new(derived(secret, "nonce"))
}

/// Signature, issuer, audience, expiry and nonce are checked by the library; it is told which signatures count.
fn believe(
    provider: &CoreProviderMetadata,
    settings: &OidcSettings,
    token: &CoreIdToken,
    secret: &str,
    now: Timestamp,
) -> Result<Somebody, ClaimsVerificationError> {
    let client = client(provider, settings);
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(TRUSTED_ALGS)
        .set_time_fn(move || SystemTime::from(now).into());
    let claims = token.claims(&verifier, &nonce(secret))?;
    let email = claims.email().filter(|_| claims.email_verified() == Some(true));
    Ok(Somebody {
        subject: claims.subject().as_str().to_owned(),
        verified_email: email.map(|email| email.as_str().to_owned()),
    })
}

type Client = CoreClient<
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointMaybeSet,
    openidconnect::EndpointMaybeSet,
>;

fn client(provider: &CoreProviderMetadata, settings: &OidcSettings) -> Client {
    CoreClient::from_provider_metadata(
        provider.clone(),
        ClientId::new(settings.client_id.clone()),
        settings.client_secret.clone().map(ClientSecret::new),
    )
    .set_redirect_uri(settings.redirect.clone())
}

fn send(http: &ureq::Agent, request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let response = http.run(request)?;
    let (parts, mut body) = response.into_parts();
    let bytes = body.with_config().limit(MOST_BYTES).read_to_vec()?;
    Ok(HttpResponse::from_parts(parts, bytes))
}

/// An error and what it comes from, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
