//! Is anybody there, and who stands in front?

use super::OutsideError;
use super::proxy::Proxy;
use super::site::Request;
use super::visit::{Visit, shown};

/// Asks what is offered.
pub(super) fn look(visit: &mut Visit<'_>) -> Result<(), OutsideError> {
    let endpoint = &visit.site.endpoint;
    let answer = visit
        .ask(&Request::new("OPTIONS", endpoint))
        .map_err(|source| OutsideError::Unasked { at: endpoint.clone(), source })?;
    if let Some(to) = answer.field("Location").filter(|_| (300..400).contains(&answer.status)) {
        let to = shown(to.split('?').next().unwrap_or_default(), 200);
        let status = answer.status;
        return Err(OutsideError::Elsewhere { at: endpoint.clone(), status, to });
    }
    if visit.options.proxy.is_none() {
        let refused = || visit.site.ask_nonsense().ok();
        visit.proxy = Proxy::of_answer(&answer)
            .or_else(|| refused().and_then(|answer| Proxy::of_refusal(&answer)))
            .unwrap_or(Proxy::Unknown);
    }
    if visit.proxy == Proxy::Unknown {
        visit.sound(format!(
            "{endpoint} answers; no proxy is recognised in front of it (if there is one, say --proxy)"
        ));
    } else {
        visit.sound(format!("{endpoint} answers, through {}", visit.proxy.name()));
    }
    Ok(())
}
