//! What can be wrong with gates.

use axum::http::Uri;
use novacula_protocol::people::{DocumentRefused, GateSpec, WaveSpec};

use super::{at, names};
use crate::outgoing::address::{self, Leave};
use crate::rollout::gates::{APPROVAL, ONLINE, RECONCILED, RESTARTS};
use crate::said;

const MOST_GATES: usize = 16;
const MOST_SEVERITIES: usize = 16;
/// Every wave has them.
const OURS: [&str; 3] = [ONLINE, RECONCILED, RESTARTS];

pub(super) fn checked(wave_place: usize, wave: &WaveSpec, leave: Leave) -> Result<(), DocumentRefused> {
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
        // An approval that is asked for twice is one.
        let is_approval = matches!(gate, GateSpec::Approval { .. });
        if name == APPROVAL && !is_approval && !wave.validation.automated {
            let reason =
                "must be another name: a wave that is not `validation.automated` has a gate `approval`";
            return refused(field, reason.to_owned());
        }
        match gate {
            GateSpec::Restarts { .. } | GateSpec::Approval { .. } => {}
            GateSpec::Http { url, .. } => may_ask(url, leave).or_else(|why| refused(".url", why))?,
            GateSpec::Prometheus { url, severities, labels, .. } => {
                may_ask(url, leave).or_else(|why| refused(".url", why))?;
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

/// Something that may be asked, and nothing secret in it: whoever sees the plan sees the address.
fn may_ask(url: &str, leave: Leave) -> Result<(), String> {
    if url.parse::<Uri>().ok().and_then(|uri| Some(uri.authority()?.as_str().contains('@'))) == Some(true) {
        // What is not shown again.
        return Err("must be without user and password: whoever sees the plan would see them".to_owned());
    }
    match address::url(url, leave) {
        Ok(_) => Ok(()),
        Err(why) => match why.strip_prefix("`url` ") {
            Some(must) => Err(must.to_owned()),
            None => Err(format!("cannot be asked: {why}")),
        },
    }
}
