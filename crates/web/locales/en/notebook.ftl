# The notebook: unread and seen, narrowing, searching

home-unread = People with something unread
home-others = Other people you care for
home-others-own = The others
home-all-read = Nothing is unread.
home-unfinished = Unfinished, or awaiting your confirmation
home-waiting = { $n ->
    [one] One thing waits for you
   *[other] { $n } things wait for you
 }
unread = Unread
unread-count = { $n } unread
addressed-count = { $n } for you
addressed = For you
unread-hint = What others wrote about the last { $n } days and you have not opened.
newest-written = { $kind }, { $who }
unfinished-draft = Draft
unfinished-awaits = Awaiting confirmation
seen-count = { $n ->
    [one] Seen by one
   *[other] Seen by { $n }
 }
seen-title = Seen by
seen-none = Nobody but the author has seen it yet.
seen-hint = Who opened this version, and when they first did.
choices-timeline = Records shown
choice-all = All
choice-unread = Unread only
filter-title = Narrow down
filter-institution = Institution
filter-author = Written by
filter-author-me = Me
filter-author-chosen = The one chosen
filter-from = From
filter-until = Until
filter-clear = Show everything again
filter-on = Some records are not shown.
timeline-empty-filter = No record fits these conditions.
timeline-empty-unread = Nothing is unread.
find-title = Search this notebook
find-words = Words
find-hint = Looks through notes, conditions and medicines. Several words, separated by spaces, must all be there. The search is recorded in the ledger.
find-button = Search this notebook
find-none = No record with “{ $words }” was found.
find-none-yet = Searched back to { $time }; nothing found so far.
find-reached = Searched back to { $time }.
find-on = Search further back
find-end = Searched back to the first record.
template-title = Way of writing
template-hint = Choosing one puts its headings into the field. Choosing again later discards what was typed.
template-free = Free text
priority-routine = Ordinary
priority-urgent = Important
priority-stat = Urgent: to be read at once
recipient-hint = Their names are put on the note. The whole care team can read it even if nobody is chosen.
reply = Reply
reply-title = Write a reply
reply-shows = Show what it answers
reply-called = { $name } ({ $time })
reply-unnamed = An earlier note
look-shared = Shared with
look-shared-none = There is no care team yet. It is shared with your own institution and the person.
look-shared-hint = By consent and occupation some of them may not see it. The person and their proxies can read it too.
code-urgent = Important
code-asap = Soon
code-stat = Urgent
code-routine = Ordinary
label-importance = Importance
label-recipient = For
label-reply = Reply to
summary-title = Summary (medicines, conditions, contacts)
summary-medicines = Medicines now
summary-medicines-hint = Prescribed or confirmed within the last 120 days and marked active. Other medicines may be in use.
summary-conditions = Conditions
summary-blood = Blood group
summary-contacts = Family and other contacts
summary-records = Show the records
summary-none = Nothing recorded
summary-more = There are many records: this is made of the newest 200. Look for older conditions and medicines in the notebook.
card-title = Emergency card
card-hint = One sheet for an ambulance or another clinic. Print it on A4 with your browser. Handle the paper as the rules say.
card-name = Name
card-made = Made { $time }
card-care = As recorded when it was made; later changes are not in it.
check-ups-title = Check-ups over the years
check-ups-empty = There are no check-up results.
check-ups-day = Day of the check-up
