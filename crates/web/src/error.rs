//! What goes wrong, and what is answered: one table for pages and FHIR.
//!
//! A handler gives back a [`Fault`]; the outermost layer of its surface turns it into a page or an
//! `OperationOutcome`. The operator's detail goes to the log here and nowhere else.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mimamori_app::wants_step_up;
use mimamori_domain::{Error, ErrorKind, SubjectId};
use mimamori_fhir::{Issue, IssueCode};

/// How one kind of failure is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) kind: ErrorKind,
    pub(crate) status: StatusCode,
    pub(crate) issue: IssueCode,
    /// Whether the application's message is of use to whoever asked.
    pub(crate) tells: bool,
    /// For programs, when there is nothing more exact to say.
    said: &'static str,
}

macro_rules! answers {
    ($($kind:ident $status:ident $issue:ident $tells:literal $said:literal;)*) => {
        [$(Answer {
            kind: ErrorKind::$kind,
            status: StatusCode::$status,
            issue: IssueCode::$issue,
            tells: $tells,
            said: $said,
        },)*]
    };
}

/// Every kind of failure.
pub(crate) static ANSWERS: [Answer; 10] = answers! {
    Invalid UNPROCESSABLE_ENTITY Invalid true "the content breaks a rule; nothing was changed";
    Unauthenticated UNAUTHORIZED Login false "a valid bearer token is needed";
    Forbidden FORBIDDEN Forbidden false "not permitted";
    NotFound NOT_FOUND NotFound false "not found";
    Gone GONE Deleted false "it is no longer there";
    Conflict CONFLICT Conflict true "it was changed meanwhile: read it again, then repeat the change";
    Busy TOO_MANY_REQUESTS Throttled false "too many requests: try again later";
    TooLarge PAYLOAD_TOO_LARGE TooLong true "more than the limit allows";
    Unavailable SERVICE_UNAVAILABLE Transient false "cannot be answered safely now: try again shortly";
    Internal INTERNAL_SERVER_ERROR Exception false "a fault of the server; nothing was changed";
};

/// Statuses the edge gives by itself.
static EDGE: [(StatusCode, IssueCode, &str); 9] = [
    (StatusCode::BAD_REQUEST, IssueCode::Structure, "the request could not be read"),
    (StatusCode::METHOD_NOT_ALLOWED, IssueCode::NotSupported, "this address does not take this method"),
    (
        StatusCode::NOT_ACCEPTABLE,
        IssueCode::NotSupported,
        "only JSON is served: Accept: application/fhir+json",
    ),
    (StatusCode::REQUEST_TIMEOUT, IssueCode::Timeout, "the body took too long to arrive"),
    (
        StatusCode::PRECONDITION_FAILED,
        IssueCode::Conflict,
        "the stated version is not the current one: read it again, then repeat the change",
    ),
    (
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        IssueCode::NotSupported,
        "this media type is not taken here: application/fhir+json, for a search \
         application/x-www-form-urlencoded",
    ),
    (
        StatusCode::PRECONDITION_REQUIRED,
        IssueCode::Required,
        "If-Match with the version you read is needed: If-Match: W/\"1\"",
    ),
    (StatusCode::URI_TOO_LONG, IssueCode::TooLong, "the address is too long: search by POST"),
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, IssueCode::TooLong, "the headers are too long"),
];

/// A status as an issue of an OperationOutcome.
pub(crate) fn issue(status: StatusCode) -> Issue {
    let of_kind = ANSWERS.iter().find(|a| a.status == status).map(|a| (a.issue, a.said));
    let of_edge = || EDGE.iter().find(|(s, ..)| *s == status).map(|(_, issue, said)| (*issue, *said));
    let other = || (IssueCode::Processing, status.canonical_reason().unwrap_or_default());
    let (code, said) = of_kind.or_else(of_edge).unwrap_or_else(other);
    Issue::error(code, said)
}

pub(crate) fn of_kind(kind: ErrorKind) -> &'static Answer {
    let [.., internal] = &ANSWERS;
    ANSWERS.iter().find(|a| a.kind == kind).unwrap_or(internal)
}

/// A failure on its way to the outermost layer, carried in the response's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    /// For the person, in English (`messages` has it in Japanese); empty when the status says all.
    pub(crate) message: String,
    /// What is wrong where in what was sent, as the application found it.
    pub(crate) faults: Vec<mimamori_domain::Fault>,
    /// Whose page was refused, where emergency access may be asked for.
    pub(crate) emergency: Option<SubjectId>,
    /// It goes on once the person has shown again who they are.
    pub(crate) step_up: bool,
}

/// A handler's answer.
pub(crate) type Answered = Result<Response, Fault>;

impl Fault {
    pub(crate) fn status(status: StatusCode) -> Self {
        Self { status, message: String::new(), faults: Vec::new(), emergency: None, step_up: false }
    }

    pub(crate) fn told(status: StatusCode, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::status(status) }
    }

    pub(crate) fn not_found() -> Self {
        Self::status(StatusCode::NOT_FOUND)
    }

    /// Offers emergency access to `subject` if this is a refusal.
    pub(crate) fn or_emergency(mut self, subject: SubjectId) -> Self {
        self.emergency = (self.status == StatusCode::FORBIDDEN).then_some(subject);
        self
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let answer = of_kind(error.kind());
        let detail = error.detail().unwrap_or_default();
        if answer.status.is_server_error() {
            tracing::error!(kind = ?error.kind(), detail, "a request could not be answered");
        } else {
            tracing::debug!(kind = ?error.kind(), detail, "a request was refused");
        }
        let message = if answer.tells { error.message() } else { "" };
        let faults = if answer.tells { error.faults().to_vec() } else { Vec::new() };
        Self { faults, step_up: wants_step_up(&error), ..Self::told(answer.status, message) }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Marks a response whose body is already what the person or program should get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rendered;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_status_and_issue() {
        use ErrorKind as K;
        let kinds = [
            K::Invalid,
            K::Unauthenticated,
            K::Forbidden,
            K::NotFound,
            K::Gone,
            K::Conflict,
            K::Busy,
            K::TooLarge,
            K::Unavailable,
            K::Internal,
        ];
        let mut statuses: Vec<_> = kinds.map(|kind| of_kind(kind).status.as_u16()).to_vec();
        assert_eq!(statuses, [422, 401, 403, 404, 410, 409, 429, 413, 503, 500]);
        statuses.extend(EDGE.iter().map(|(s, ..)| s.as_u16()));
        statuses.sort_unstable();
        let all = statuses.len();
        statuses.dedup();
        assert_eq!(statuses.len(), all, "a status must mean one thing");
    }

    #[test]
    fn what_the_operator_should_know_is_not_told() {
        let fault = Fault::from(Error::internal("the disk said no"));
        assert_eq!(fault.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(fault.message, "");
        let fault = Fault::from(Error::conflict("version 3 is current").with_detail("row 7"));
        assert_eq!((fault.status.as_u16(), fault.message.as_str()), (409, "version 3 is current"));
    }

    #[test]
    fn emergency_access_is_offered_for_refusals_only() {
        let subject = SubjectId::random();
        let offered = |error: Error| Fault::from(error).or_emergency(subject).emergency;
        assert_eq!(offered(Error::forbidden()), Some(subject));
        assert_eq!(offered(Error::not_found()), None);
    }
}
