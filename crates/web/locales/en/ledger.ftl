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
counts-hint = Accesses over the period, and how often each person's record was accessed.
counts-count = Accesses
counts-course = Accesses over time
counts-day = Day
counts-people = By person
days-span = { $from } to { $until }

who-sees-title = Who can see this record
who-sees-hint = Choose a class of information to see who may look at it under the rules as they stand, and why. Who did look is shown under "Who looked at this record".
who-sees-class = Class of information
who-sees-choose = Choose one
who-sees-count = { $n ->
    [one] { $n } person can see it
   *[other] { $n } people can see it
 }
who-sees-empty = Nobody can see it now.
who-sees-because = Why
who-sees-more = There are many: not all are listed.
who-sees-emergency = { $n ->
    [one] { $n } more could
   *[other] { $n } more could
 } after declaring an emergency. A declaration is recorded and reviewed.
standing-citizen = citizen
standing-program = program
