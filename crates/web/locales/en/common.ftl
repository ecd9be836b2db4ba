# Texts of every page, of signing in and of errors

skip-to-content = Skip to content
sign-out = Sign out
nav-main = Main menu
nav-home = My people
nav-home-own = My own and my family's records
nav-search = Find a person
nav-review = Ledger review
nav-accounts = Accounts
session-until = You are signed out automatically if nothing is done until { $time }.
footer = Everything that is read or written is kept in the ledger.
next-page = Next page
to-start = To the start page
go-back = Go back without writing
go-on = Continue
stop = Cancel
show = Show
rewrite = Change it
age-years = { $n ->
        [one] { $n } year
        *[other] { $n } years
    }
age-months = { $n ->
        [one] { $n } month
        *[other] { $n } months
    }
age-between = { $range } years
word-yes = Yes
word-no = No
sign-in-title = Sign in
sign-in = Sign in
sign-in-needed = Please sign in to see this page.
sign-in-already = If you are signed in already, open it here
sign-in-failed = Sign-in did not work. Check your user ID and password and try again.
sign-in-wait = There were too many failed tries. Please wait a while before you try again. If it is urgent, contact your facility manager.
sign-in-notice-title = Before you sign in
sign-in-notice = Only people who have been given access may use this system. Who looked at whose record and when is kept in the ledger, and the person concerned can see it.
sign-in-help = If you forgot your password or cannot sign in, contact your institution's facility manager.
login = User ID
password = Password
news-changed = There are new records.
news-load = Load them
news-over = Your session is over. Please sign in again to go on.
keys-title = Keyboard shortcuts
keys-text = While you are not typing, these keys work.
keys-key = Key
keys-does = What it does
keys-search = Search for a person
keys-note = Write a note (in a person's notebook)
keys-home = Go to the first page
keys-help = Open this list
keys-off = Switch the keys off
keys-on = Switch the keys on
keys-are-off = The keys are switched off.
carried-signed-out = Your session had ended, but what you typed is not lost. Sign in again within 30 minutes, as the person who typed it, to go on from there.
carried-locked = The screen was locked, but what you typed is not lost. Unlock it to go on from there.
carried-provider = Another tab opens. Once you are signed in, come back to this tab and press "Go on with what I typed".
carried-open = Go on with what I typed
carried-title = What you had typed
carried-text = What you typed was not sent, so it is not saved yet. Look through it, change it where needed, then go on.
carried-files = Attached files could not be kept. Please choose them again on the next page.
carried-typed = What you typed
typed-text = Text of the note
typed-reason = Reason
typed-title = Title
carried-send = Go on with this
signed-in-title = About your sign-ins
signed-in-failed = { $n ->
        [one] There was { $n } failed try
        *[other] There were { $n } failed tries
    } since your last sign-in.
signed-in-last = Your last sign-in was { $time }.
signed-in-ended = { $n ->
        [one] No more sign-ins may be open at once, so your oldest one was ended.
        *[other] No more sign-ins may be open at once, so your { $n } oldest ones were ended.
    } If that surprises you, look at “Where you are signed in”.
signed-in-next = If that was not you, somebody may have tried to use your account. Tell your facility manager at once.
done-document-kept = The document was added and is shared with the care team.
done-confirmed = Confirmed.
done-amended = Amended. What it said before is kept.
done-withdrawn = Withdrawn. What it said before is kept.
done-discarded = The draft was thrown away.
done-vital-signs = The vital signs were recorded.
done-emergency = Emergency access has begun. Look only at what is needed.
done-stopped = The account was stopped; its running sessions have ended.
done-resumed = The account can be used again.
problem-400-title = What was sent could not be read
problem-400-next = Go back and try again. If it happens again, contact the help desk.
problem-401-title = Your sign-in is over
problem-401-next = Sign in in another tab with the button below, then reload this tab and send the form again. What you typed is sent as it was.
problem-403-title = You are not permitted to do this
problem-403-next = Your occupation, care team or circumstances do not allow this page. If you need it, talk to your facility manager.
problem-404-title = Not found
problem-404-next = The address is wrong, or it is something that may not be shown to you. Please look for it again from the start page.
problem-405-title = This page cannot be opened directly
problem-405-next = Please begin again from the start page.
problem-408-title = It took too long to arrive
problem-408-next = Check your connection and try again. Nothing was changed.
problem-409-title = Somebody changed it first, or it can no longer be changed
problem-409-next = Your change was not saved. Open the record again, look at what it says now, and then repeat your change.
problem-410-title = This record is no longer there
problem-410-next = It was withdrawn, or erased at the end of its retention period. Ask your facility manager for details.
problem-413-title = Too much was sent at once
problem-413-next = Shorten the text, or send it in parts.
problem-422-title = Please check what you typed
problem-422-next = Nothing was changed. Correct it and send it again.
problem-429-title = Too many requests in a short time
problem-429-next = Wait about a minute, then try again.
problem-500-title = A fault of the system
problem-500-next = Nothing was changed. Try again later, and contact the help desk if it happens again.
problem-503-title = It cannot be shown safely just now
problem-503-next = The system is busy or cannot keep its ledger, so it refuses. Try again in a few minutes. If it is urgent, use the telephone or another way.
problem-forged-title = Refused: it was sent from another site
problem-forged-next = Close the page or link you came from and begin from this system's own start page.
sign-in-new-tab = Sign in in another tab
form-told = { $text } ({ $said })
fault-at = { $place }: { $rule }
rule-broken = the content breaks a rule; please check what was entered
