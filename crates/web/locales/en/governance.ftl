# Rules: registers, procedures, duties, documents, roles, controls

nav-rules = Rules
rules-title = Rules
crumbs = Where you are
required = required
print = For printing
print-back = Back to the page
print-hint = Use your browser's print function; it fits on A4 paper.
print-written = Written by { $name }, { $time }, version { $version }
pages = Other pages
previous-page = Previous page
list-and = {", "}
list-or = " or "
who-anyone = every staff member
who-citizen = citizen users
who-applicant = who applied
subject-record = the person's record
period-years = { $n ->
        [one] { $n } year
        *[other] { $n } years
    }
period-months = { $n ->
        [one] { $n } month
        *[other] { $n } months
    }
period-days = { $n ->
        [one] { $n } day
        *[other] { $n } days
    }
period-hours = { $n ->
        [one] { $n } hour
        *[other] { $n } hours
    }
period-minutes = { $n ->
        [one] { $n } minute
        *[other] { $n } minutes
    }
period-joint = {" "}
form-has-faults = Correct what is marked in red and send it again. What you typed is still there.
input-when = Fill this in when "{ $field }" is "{ $is }".
input-derived = Computed from other fields.
input-choose = Please choose
input-more = More places
input-file-hint = PDF, PNG, JPEG, office and text files of up to 8 MB.
input-file-kept = Take the mark away to remove a file when you send the form.
input-unknown = This is not in the list. Type a part of the name and choose from the list.
input-several = More than one thing is called like this. Type more of the name.
input-subject-hint = A name, or the address of the person's page.
input-subject-unknown = Nobody was found, or you may not search. Give the address of the person's page.
input-subject-several = More than one person is called like this. Open the person's page and give its address.
registers-title = Registers
registers-empty = There is no register for you.
register-keeper = Kept by: { $who }
register-open = Open the register
register-truncated = There are many entries; only the newest are shown.
register-empty = There are no entries yet.
register-none-found = No entry matches.
filter-words = Search for words
filter-struck = Show struck entries too
entries-count = { $n ->
        [one] { $n } entry
        *[other] { $n } entries
    }
entry-add = Add an entry
entry-add-button = Add
entry-new-title = { $name }: new entry
entry-amend-title = { $name }: amend an entry
entry-unnamed = (no name)
entry-entered = Entered
entry-added = added
entry-amended = amended
entry-struck = struck out
entry-amend = Amend
entry-amend-reason = Why it is amended
entry-amend-button = Amend
entry-strike = Strike out
entry-strike-title = Strike out an entry
entry-strike-hint = A struck entry stays readable, with the reason.
entry-strike-last = You are striking out this entry. It cannot be undone.
entry-strike-reason = Why it is struck out
entry-strike-look = Look once more
entry-strike-button = Strike out
entry-is-struck = This entry was struck out.
entry-case = Open the procedure behind it
entry-history = History
entry-reason = Reason: { $reason }
entry-version = version { $n }
reviews-title = { $name }: reviews
reviews-link = Reviews
reviews-empty = There are no reviews yet.
review-now = Review the register
review-now-hint = Look through the whole register first, then record what you found.
review-result = Result
review-in-order = in order
review-not-in-order = not in order
review-finding = What you found
review-finding-hint = Needed when something is not in order: what it is and what is done about it.
review-button = Record the review
done-entry-added = The entry was added.
done-entry-amended = The entry was amended. What it said before is kept.
done-entry-struck = The entry was struck out. It stays readable.
done-reviewed = The review was recorded.
