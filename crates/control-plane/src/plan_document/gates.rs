//! What can be wrong with gates.

use std::net::IpAddr;

use axum::http::Uri;
use novacula_protocol::people::{DocumentRefused, GateSpec, WaveSpec};

use super::{at, names};
use crate::outgoing::address::{Place, place};
use crate::said;

const MOST_GATES: usize = 16;
const MOST_SEVERITIES: usize = 16;
const MAX_URL: usize = 2_048;
/// Every wave has them.
const OURS: [&str; 3] = ["online", "reconciled", "restarts"];

pub(super) fn checked(wave_place: usize, wave: &WaveSpec) -> Result<(), DocumentRefused> {
    let gates = &wave.gates;
    if gates.len() > MOST_GATES {
        let count = gates.len();
        return Err(DocumentRefused::at(
            at(wave_place, "gates"),
            format!("must be at most {MOST_GATES}, there are {count}"),
        ));
    }
    for (place_of, gate) in gates.iter().enumerate() {
        let refused = |field: &str, reason: String| {
            Err(DocumentRefused::at(at(wave_place, &format!("gates[{place_of}]{field}")), reason))
        };
        let name = gate.name();
        let field = if matches!(gate, GateSpec::Restarts { .. }) { ".type" } else { ".name" };
        if let Err(why) = said::text("it", name, said::MAX_NAME) {
            return refused(field, why.replacen("it must", "must", 1));
        }
        let is_theirs = !matches!(gate, GateSpec::Restarts { .. });
        if is_theirs && OURS.contains(&name) {
            return refused(field, format!("must be another name, every wave has a gate `{name}`"));
        }
        if let Some(twin) = gates[..place_of].iter().position(|before| before.name() == name) {
            let name = names::short(name);
            return refused(field, format!("must be unique in its wave, `{name}` is gates[{twin}] already"));
        }
        if name == "approval" && !wave.validation.automated {
            let reason = "must be another name: a wave that is not `validation.automated` has a gate `approval` already";
            return refused(field, reason.to_owned());
        }
        match gate {
            GateSpec::Restarts { .. } | GateSpec::Approval { .. } => {}
            GateSpec::Http { url, .. } => address(url).or_else(|why| refused(".url", why))?,
            GateSpec::Prometheus { url, severities, labels, .. } => {
                address(url).or_else(|why| refused(".url", why))?;
                if url.contains('?') {
                    return refused(
                        ".url",
                        "must be the address of a Prometheus, without a query".to_owned(),
                    );
                }
                let count = severities.len();
                if !(1..=MOST_SEVERITIES).contains(&count) {
                    let reason = format!("must be 1 to {MOST_SEVERITIES} severities, there are {count}");
                    return refused(".severities", reason);
                }
                for (at, severity) in severities.iter().enumerate() {
                    if let Err(why) = said::text("it", severity, said::MAX_NAME) {
                        return refused(&format!(".severities[{at}]"), why.replacen("it must", "must", 1));
                    }
                }
                said::labels(labels).or_else(|why| refused(".labels", format!("cannot be meant: {why}")))?;
            }
        }
    }
    Ok(())
}

/// Something that can be asked: http or https, and nothing secret in it, since whoever sees the plan sees the address.
fn address(url: &str) -> Result<(), String> {
    if url.len() > MAX_URL {
        return Err(format!("must have at most {MAX_URL} characters, it has {}", url.len()));
    }
    let expected =
        || format!("must be an address such as https://example.com/health, it is `{}`", names::short(url));
    let uri = url.parse::<Uri>().map_err(|_| expected())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(expected()) };
    if authority.as_str().contains('@') {
        // Which is not shown again.
        return Err("must be without user and password: whoever sees the plan would see them".to_owned());
    }
    if !matches!(scheme, "http" | "https") {
        return Err(format!("must begin with http:// or https://, it begins with {scheme}://"));
    }
    if authority.host().is_empty() || authority.as_str().ends_with(':') || url.contains('#') {
        return Err(expected());
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(ip) if place(ip) == Place::Never => {
            Err(format!("must be an address of a service, {ip} is link-local, metadata or reserved"))
        }
        _ => Ok(()),
    }
}
