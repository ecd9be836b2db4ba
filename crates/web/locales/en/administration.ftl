# Administration

accounts-title = Accounts
accounts-hint = The accounts of an institution's staff. Looking at them and changing them is kept in the ledger.
accounts-empty = This institution has no staff accounts.
accounts-count = { $n ->
        [one] { $n } account
        *[other] { $n } accounts
    }
account-institution = Institution
account-name = Name and user ID
account-occupation = Occupation
account-roles = Roles
account-state = State
account-last = Last sign-in
account-never = not yet
account-active = in use
account-stopped = stopped
account-do = Change
account-stop = Stop
account-mail-link = Mail
account-mail-title = Change a mail address
account-mail-text = Reminders of duties go to this address. The person may change it, too, under "Calendar and mail".
account-mail-hint = Leave it empty to send none.
account-resume = Resume
stop-title = Stop an account
stop-text = This account can no longer be used at once, and its running sessions end. What it wrote stays.
stop-reason-hint = For example: left the institution; suspected misuse, being looked into.
stop-button = Stop this account
resume-title = Resume an account
resume-text = A stopped account can be used again. Make sure that it is the right person and that the reason for stopping is gone.
resume-reason-hint = For example: back at work; the inquiry ended without findings.
resume-button = Resume this account
change-reason = Reason
list-comma = {", "}
