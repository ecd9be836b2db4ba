//! The registered terminal that a request comes from, by the certificate it showed.

use axum::extract::Request;
use axum::http::StatusCode;
use mimamori_app::Origin;
use mimamori_domain::ErrorKind;

use crate::error::Fault;
use crate::following::Refused;
use crate::settings::Web;

/// Looks the certificate up and notes the terminal with the request. Says whether the connection is to be
/// closed: whoever shows a certificate that is not in use gets an answer that says so, and nothing after it.
pub(crate) async fn recognise(web: &Web, request: &mut Request) -> bool {
    // The page that refuses needs its style.
    if request.uri().path().starts_with("/assets/") {
        return false;
    }
    let Some(origin) = request.extensions().get::<Origin>().filter(|o| o.certificate.is_some()) else {
        return false;
    };
    let asked = tokio::time::timeout(web.settings.answer_timeout, web.app.recognise(origin)).await;
    let fault = match asked {
        Ok(Ok(origin)) => {
            request.extensions_mut().insert(origin);
            return false;
        }
        Ok(Err(error)) if error.kind() == ErrorKind::Forbidden => {
            Fault::told(StatusCode::FORBIDDEN, error.message())
        }
        Ok(Err(error)) => Fault::from(error),
        Err(_) => Fault::status(StatusCode::SERVICE_UNAVAILABLE),
    };
    let close = fault.status == StatusCode::FORBIDDEN;
    request.extensions_mut().insert(Refused(fault));
    close
}
