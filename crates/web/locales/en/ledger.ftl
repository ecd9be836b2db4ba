# Who looked, and review of the ledger

looked-title = Who looked at this record
looked-hint = Everybody who read or wrote this person's record. If something looks wrong, tell the facility manager or the contact point.
looked-empty = Nobody looked at the record in this period.
to-notebook = Back to the notebook
windows = Period
window-week = 1 week
window-month = 1 month
window-quarter = 3 months
window-year = 1 year
days-from = From
days-until = Until
accesses = Accesses
accesses-count = { $n ->
        [one] { $n } access
        *[other] { $n } accesses
    }
access-when = When
access-who = Who
access-whose = Whose
access-what = What
access-why = Purpose and basis
emergency-mark = Emergency
action-on = { $kind }: { $action }
action-count = {" "}({ $n })
review-title = Ledger review
review-hint = Choose a period to review who looked at whose record. The review itself is kept in the ledger.
review-institution = Institution
subject-number = No. { $id }
review-subject = Person's ID (optional)
review-actor = Staff member's ID (optional)
review-bad-id = That is not an ID. Paste it exactly as it is shown.
review-empty = The ledger holds nothing of this kind. Try another period or other conditions.
counts-title = Counts by person
counts-hint = How often each person's record was accessed in the period.
counts-count = Accesses
