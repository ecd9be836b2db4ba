//! Keys of the parameters that the program reads. Loading a pack checks that each is there with the
//! right shape, so that no rule is found missing in the middle of work.

/// What shape a parameter's value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Number,
    Switch,
    Numbers,
    Text,
}

macro_rules! parameters {
    ($($name:ident = $key:literal $shape:ident;)*) => {
        $(#[doc = concat!("`", $key, "`: its meaning and unit stand in `pack.yaml`.")]
        pub const $name: &str = $key;)*
        pub(crate) const REQUIRED: &[(&str, Shape)] = &[$(($key, Shape::$shape),)*];
    };
}

parameters! {
    SIGN_IN_DELAYS_SECONDS = "sign-in.delays-seconds" Numbers;
    SIGN_IN_LOCK_AFTER_FAILURES = "sign-in.lock-after-failures" Number;
    SIGN_IN_LOCK_MINUTES = "sign-in.lock-minutes" Number;
    SIGN_IN_FIRST_PASSWORD_HOURS = "sign-in.first-password-hours" Number;
    SIGN_IN_FIRST_PASSWORD_BITS = "sign-in.first-password-bits" Number;
    SIGN_IN_NOTICE_JA = "sign-in.notice-ja" Text;
    SIGN_IN_NOTICE_EN = "sign-in.notice-en" Text;
    SINGLE_SIGN_ON_MOST_AGE_MINUTES = "single-sign-on.most-age-minutes" Number;
    SINGLE_SIGN_ON_SECOND_FACTOR_METHODS = "single-sign-on.second-factor-methods" Text;
    SINGLE_SIGN_ON_SECOND_FACTOR_CLASSES = "single-sign-on.second-factor-classes" Text;
    PASSWORD_LEAST_CHARACTERS = "password.least-characters" Number;
    PASSWORD_LEAST_CHARACTERS_WITH_SECOND_FACTOR = "password.least-characters-with-second-factor" Number;
    PASSWORD_LEAST_CHARACTERS_PRIVILEGED = "password.least-characters-privileged" Number;
    PASSWORD_LEAST_KINDS = "password.least-kinds" Number;
    PASSWORD_LEAST_STRENGTH = "password.least-strength" Number;
    PASSWORD_LIFETIME_DAYS = "password.lifetime-days" Number;
    PASSWORD_HISTORY = "password.history" Number;
    SECOND_FACTOR_REQUIRED_OF = "second-factor.required-of" Text;
    SECOND_FACTOR_REPLACEMENT_HOURS = "second-factor.replacement-hours" Number;
    SECOND_FACTOR_REPLACEMENT_PROCEDURE = "second-factor.replacement-procedure" Text;
    URGENT_ESCALATE_MINUTES = "urgent.escalate-minutes" Number;
    URGENT_ESCALATE_TO = "urgent.escalate-to" Text;
    DRAFTS_NO_COPY_ON = "drafts.no-copy-on" Text;
    STEP_UP_THINGS = "step-up.things" Text;
    STEP_UP_MINUTES = "step-up.minutes" Number;
    SESSION_IDLE_MINUTES = "session.idle-minutes" Number;
    SESSION_ABSOLUTE_HOURS = "session.absolute-hours" Number;
    SESSION_MOST_PER_ACCOUNT = "session.most-per-account" Number;
    ACCOUNTS_MOST_ADMINISTRATORS = "accounts.most-administrators" Number;
    ACCOUNTS_SHARED_IDS = "accounts.shared-ids" Switch;
    ACCOUNTS_UNUSED_DAYS = "accounts.unused-days" Number;
    ACCOUNTS_UNUSED_STOP_DAYS = "accounts.unused-stop-days" Number;
    ACCOUNTS_REISSUE_PROCEDURE = "accounts.reissue-procedure" Text;
    ACCOUNTS_REVIEW_MONTHS = "accounts.review-months" Number;
    ACCOUNTS_EMERGENCY_HOURS = "accounts.emergency-hours" Number;
    ACCOUNTS_EMERGENCY_MAIL_TO = "accounts.emergency-mail-to" Text;
    PRIVILEGES_MOST_HOURS = "privileges.most-hours" Number;
    PRIVILEGES_ONLY_BY_GRANT = "privileges.only-by-grant" Switch;
    BREAK_GLASS_HOURS = "break-glass.hours" Number;
    BREAK_GLASS_REVIEW_DAYS = "break-glass.review-days" Number;
    BREAK_GLASS_LEAST_REASON_CHARACTERS = "break-glass.least-reason-characters" Number;
    SEARCH_PAGE_SIZE = "search.page-size" Number;
    SEARCH_MOST_PEOPLE = "search.most-people" Number;
    SEARCH_MOST_SUBJECTS_IN_QUERY = "search.most-subjects-in-query" Number;
    SEARCH_LEAST_NAME_CHARACTERS = "search.least-name-characters" Number;
    RECORDS_AMEND_NOTE_REQUIRED = "records.amend-note-required" Switch;
    RECORDS_LARGEST_FILE_MEGABYTES = "records.largest-file-megabytes" Number;
    CONSENT_MOST_YEARS = "consent.most-years" Number;
    PROXIES_MOST_YEARS = "proxies.most-years" Number;
    RETENTION_RECORDS_YEARS = "retention.records-years" Number;
    RETENTION_LEDGER_YEARS = "retention.ledger-years" Number;
    RETENTION_KEY_BACKUP_DAYS = "retention.key-backup-days" Number;
    CLOCK_MOST_ERROR_MILLISECONDS = "clock.most-error-milliseconds" Number;
    TERMINALS_CERTIFICATE_DAYS = "terminals.certificate-days" Number;
    TERMINALS_RENEW_DAYS = "terminals.renew-days" Number;
    LEDGER_REVIEW_MONTHS = "ledger.review-months" Number;
}
