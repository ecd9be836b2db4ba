# Rules: documents, duties, roles, controls, clauses, the pack

asked-missing = Please fill this in.
asked-date = Please give a day like 2026-11-21.
states = Filter by state
names-more = { $n ->
        [one] and { $n } more
        *[other] and { $n } more
    }
docs-title = Documents
docs-empty = There is no document for you.
docs-unread = { $n ->
        [one] { $n } document waits for you to say that you have read it.
        *[other] { $n } documents wait for you to say that you have read them.
    }
docs-name = Document
docs-version = Current version
docs-state = State
docs-to-read = to be read
docs-policy = policy
docs-plan = plan
docs-rule = rules
docs-manual = manual
docs-contract = contract
docs-diagram = diagram
docs-form = form
docs-notice = notice
docs-missing = missing
docs-current = published
docs-review-by = review by { $date }
docs-review-late = review of { $date } is late
docs-kind = Kind
docs-keeper = Kept by
docs-posted = For
docs-readers = To be read by
docs-effective-from = in force from { $date }
docs-acknowledge-hint = When you have read and understood it, say so. The time and your name are kept.
docs-acknowledge = I have read it
docs-none = Nothing has been published yet.
docs-who-read = Who has read it
docs-open = { $n ->
        [one] { $n } person has not yet
        *[other] { $n } people have not yet
    }
docs-done = { $n ->
        [one] { $n } person has
        *[other] { $n } people have
    }
docs-versions = Versions
docs-file = file
docs-open-file = Open { $name }
docs-older = This is not the current version.
docs-pack = Hash of the policy pack it was published under:
publish-link = Publish a new version
publish-title = { $name }: new version
publish-hint = Give either the text or a file. Older versions are kept, and whoever must read it is asked again.
publish-last = Current version:
publish-label = Name of the version
publish-label-hint = At most 40 characters, like "3rd edition" or "2026-04".
publish-effective = In force from
publish-text = Text
publish-text-hint = Up to 200,000 characters; attach longer documents as a file.
publish-file = File
publish-button = Publish this version
duties-title = Duties
duties-months = Other months
duties-before = Month before
duties-after = Month after
duties-empty = There is no such duty in this month.
duties-due = Due
duties-what = Duty
duties-state = State
duty-overdue = overdue
duty-due = due
duty-upcoming = upcoming
duty-done = done
duty-skipped = skipped
duty-done-at = done { $time }
duty-skipped-by = skipped by { $name }
duty-skip = Skip
duty-skip-title = Skip a duty
duty-skip-hint = Skipping cannot be undone. When the duty is done after all, it counts as done.
duty-due-by = due { $date }
duty-reason = Why it is skipped
duty-reason-hint = Auditors will read it. Up to 1,000 characters.
duty-skip-button = Skip
duties-reminders = Put them into a calendar, or get mail
duty-job-unknown = This system does not do this job by itself yet. Do it as the rules say, then skip it here with the reason.
duty-job-failed = The run of { $time } failed.
job-checkpoint = signing of the ledger
job-ledger-verify = verification of the ledger
job-clock = measuring of the clock
job-mail-reminders = reminders by mail
job-failure-findings = { $n ->
    [one] The verification found one thing wrong. Tell whoever answers for the ledger.
   *[other] The verification found { $n } things wrong. Tell whoever answers for the ledger.
    }
job-failure-unavailable = The database or a file could not be used.
job-failure-clock-not-measured = How far the clock is off could not be measured. Check that time synchronisation (chrony) is running.
job-failure-mail-unreachable = The mail server could not be reached.
job-failure-mail-tls = The mail server's certificate or encryption was not as it must be.
job-failure-mail-sign-in = The mail server did not accept user name or password.
job-failure-mail-refused = { $n ->
    [one] One person's address was refused.
   *[other] { $n } people's addresses were refused.
    }
reminders-title = Calendar and mail
part-reminders-hint = Your duties in your own calendar, or by mail
reminders-hint = Be reminded of your duties in the calendar or the mail you use anyway.
calendar-heading = Calendar
calendar-hint = Make an address of your own and subscribe to it in your calendar: duties that are to come or overdue show on their last day.
calendar-none = There is no address yet.
calendar-button = Make an address
calendar-made-on = You have an address, made on { $date }.
calendar-fetched = Last read on: { $date }
calendar-not-fetched = No calendar has read it so far.
calendar-again = Replace it by a new address. The present one ends at once.
calendar-again-button = Make a new one
calendar-again-missing = To make a new address, tick that the present one ends.
calendar-made-title = Address of your calendar
calendar-once = This address is shown only now. Subscribe to it before you leave this page.
calendar-address = Address of your calendar
calendar-secret = Whoever knows the address sees the names and dates of your duties. Keep it to yourself. It names no person.
calendar-how = How to subscribe
calendar-word = Calendar
calendar-how-iphone = Open Calendar, tap Calendars below, then Add Calendar, Add Subscription Calendar, and paste the address.
calendar-how-google = On a computer, next to Other calendars choose +, From URL, and paste the address.
calendar-how-outlook = Choose Add calendar, Subscribe from web, and paste the address.
calendar-reach = Google and Outlook on the web read only addresses that can be reached from the internet. Where this system is for your own network only, subscribe on your computer or phone.
calendar-end-link = End this address
calendar-end-title = End the address of your calendar
calendar-end-text = The present address ends at once and cannot be brought back. Remove it from your calendar, too. To use a calendar again, make a new address.
calendar-end-button = End it
mail-heading = Mail
mail-hint = When work waits for you, you are told how much, at most once a day. No duty and no person is named.
mail-off = This system sends no mail now (no mail server is set up). You may enter your address beforehand.
mail-last-sent = Last sent: { $time }
mail-last-failed = The mail of { $time } could not be delivered. Check the address.
mail-address = Mail address
mail-address-hint = Enter your address at work. Leave it empty to get no mail.
mail-button = Save
roles-title = Roles and appointments
roles-role = Role
roles-holders = Who holds it
roles-empty = { $n ->
        [one] Nobody holds { $n } role.
        *[other] Nobody holds { $n } of the roles.
    }
role-vacant = vacant
role-vacant-now = Nobody holds it now.
role-outside = outside
role-outside-hint = This role stands for somebody outside (police, press, vendors). Nobody is appointed to it.
role-deputy = deputy
role-scope = Reach
role-scope-all = the whole organisation
role-scope-institution = one institution
role-scope-unit = one unit
role-scope-system = one information system
role-appointed-by = Appointed by
role-appointed-above = the head of the organisation (at installation)
role-apart = Not to be held together with
role-in-force = in force
role-coming = coming
role-ended = ended
role-from = from { $date }
role-until = until { $time }
role-by = appointed by { $name }
role-others = Coming and former appointments
appoint-link = Appoint
appoint-title = Appoint somebody
appoint-person = Person
appoint-person-hint = Type a part of the name and choose from the list.
appoint-institution = Institution
appoint-unit = Unit
appoint-system = Information system
appoint-from = First day
appoint-until = Last day
appoint-until-hint = Leave it empty when there is no end.
appoint-deputy = As a deputy
appoint-deputy-hint = "Yes" for who stands in while the holder is away.
appoint-button = Appoint
appoint-end-link = End
appoint-end-title = End an appointment
appoint-end = Ends at
appoint-end-hint = From then on the role gives no rights any more.
appoint-end-reason = Why it ends
appoint-end-button = End the appointment
contacts-title = Emergency contacts
contacts-made = as of { $time }
contacts-empty = Nobody holds a role yet.
contacts-hint = Print it on A4 with your browser, write in the telephone numbers and keep it in a locked place, for when power or networks fail.
contacts-name = Name
contacts-place = Where
contacts-telephone = Telephone
controls-title = Controls
controls-hint = What is kept outside the system is attested by named people, for a time. What is kept inside is measured.
controls-empty = There is no such attestation.
controls-what = Attestation
controls-state = State
controls-until = Good until
attest-mine = yours to state
attest-never = not stated
attest-ended = ended
attest-broken = does not hold
attest-holds = stated
attest-owner = Stated by
attest-valid = Good for
attest-title = State it
attest-question = Does this hold?
attest-statement = Statement
attest-statement-hint = Say in your own words what you checked and how.
attest-evidence = Evidence
attest-evidence-hint = What others can check: name of a paper, where it is kept.
attest-files = Files
attest-button = State it in my name
attest-history = Statements so far
attest-none = Nobody has stated it yet.
attest-yes = holds
attest-no = does not hold
attest-until = good until { $date }
measures-title = Measures
measures-at = Seen in the running system at { $time }.
measures-empty = There is nothing to measure.
measures-seen = Seen: { $seen }
measure-kept = kept
measure-broken = not kept
measure-unknown = unknown
clauses-title = Clauses
clauses-hint = Every clause of the rules and guidelines, what answers it, and how it stands now. Nothing of this is stored: it is worked out each time.
clauses-at = as of { $time }
clauses-count = { $n ->
        [one] { $n } clause
        *[other] { $n } clauses
    }
clauses-found = { $n ->
        [one] { $n } clause matches.
        *[other] { $n } clauses match.
    }
clauses-all = Back to the chapters
clauses-chapter = Chapter
clauses-number = Clauses
clauses-standing = State
clauses-unanswered = Nothing in the pack answers it.
clause-counted = { $state } { $count }
clause-informative = asks for nothing
clause-kept = kept
clause-attested = attested
clause-due = in time
clause-unknown = unknown
clause-never-done = never done
clause-overdue = overdue
clause-not-kept = not kept
clause-not-answered = not answered
answer-register = Register
answer-procedure = Procedure
answer-schedule = Duty
answer-document = Document
answer-disclosure = Disclosure
answer-attestation = Attestation
answer-measure = Measure
answer-role = Role
answer-parameter = Parameter
answer-informative = Asks for nothing
answer-other = Rule
pack-title = Policy pack
pack-name = Name
pack-organisation = Organisation
pack-hash = Hash (SHA-256)
pack-hash-hint = The hash is over all files of the pack. Every record keeps the hash of the pack that was in force when it was made.
pack-clauses = Clauses
pack-parameters = Parameters in force
pack-unset = { $n ->
        [one] { $n } parameter that the rules leave to the organisation is not set yet.
        *[other] { $n } parameters that the rules leave to the organisation are not set yet.
    }
pack-meaning = Meaning
pack-value = Value
pack-bounds = Bounds
pack-not-set = not set
done-document-read = You have said that you read it.
done-document-published = The new version is published.
done-duty-skipped = The duty was skipped. The reason is kept.
done-appointed = The appointment was made.
done-appointment-ended = The end of the appointment was recorded.
done-calendar-ended = The address of your calendar has ended.
done-mail-saved = The mail address was saved.
done-mail-removed = The mail address was removed. No reminders are sent.
done-attested = Your statement was recorded.
pack-versions = Versions so far
pack-version = Version
pack-since = In force since
pack-by = Approved by
pack-by-case = See the procedure
pack-by-installation = at installation
pack-in-force = in force
pack-versions-hint = The policy pack changes by an approved procedure only. What was begun or recorded under an earlier version is read and finished under that version.
changes-title = What the policy pack changes
changes-counts = { $added } added, { $removed } removed, { $changed } changed
changes-more = { $n ->
    [one] One more change. Look at all of them before you approve.
   *[other] { $n } more changes. Look at all of them before you approve.
}
changes-all = See all changes
changes-access = The rules about who may see what (access policies) change.
changes-outdated = Another policy pack came into force after this was handed in. It cannot be approved. Return it, so that its changes are seen anew.
changes-warnings = To be looked at
change-added = added
change-removed = removed
change-changed = changed
change-nothing = (nothing)
roles-vanished = Roles that the rules have no more
roles-vanished-hint = These appointments are without effect: the pack in force has no such role. Appoint to another role where it is needed.
changed-parameter = parameter
changed-zone = zone
changed-role = role
changed-occupation = occupation
changed-group = group
changed-class = information class
changed-thing = thing
changed-register = register
changed-procedure = procedure
changed-schedule = duty
changed-document = document
changed-classification = classification
changed-level = level
changed-incident = incident level
changed-measure = measure
changed-attestation = attestation
changed-disclosure = disclosure item
changed-informative = clauses that ask for nothing
changed-catalogue = catalogue
changed-clause = clause
changed-unit = unit
changed-system = information system
changed-wording = wording
