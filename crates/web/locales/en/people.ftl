# Finding and seeing people

home-title = My people
home-title-own = My own and my family's records
home-empty-own = There is no record to show yet. If you have registered, please ask your care provider.
home-empty = There is nobody here yet. People appear here when you join their care team.
home-rules = What waits for you, and the rules
people-count = { $n ->
        [one] { $n } person
        *[other] { $n } people
    }
person-title = Notebook
person-heading = Person
person-unnamed = (no name recorded)
born = {""}
allergies = Allergies
allergies-none = none recorded
allergy-severe = (severe)
allergy-unnamed = (not described)
search-title = Find a person
search-hint = Fill in what you know. The search is kept in the ledger.
search-name = Name (its beginning is enough)
search-kana = Kana (its beginning is enough)
search-birth = Birth date
search-birth-hint = As 1950-03-04. The year alone (1950) or year and month (1950-03) will do.
search-identifier = Insurance or patient number
search-button = Search
search-found = Results
search-empty = Nobody was found. Try fewer letters, the kana, or the birth date alone. People whom you may not see are not shown.
search-emergency-title = If there is danger to life and you need this person's record now
search-emergency-hint = People whom you may not see can be found for emergency access by a number, or by the whole name together with the day of birth. The search and everybody it shows are kept in the ledger as emergency access.
search-emergency-button = Search for emergency access
search-emergency-found = Check name and birth date, and choose the person for whom to begin emergency access.
search-emergency-empty = Nobody registered here answers to this. Check the number, or the whole name and the day of birth, and search again.
search-nothing-typed = Fill in at least one field.
search-birth-form = Write the birth date as 1950-03-04, 1950-03 or 1950.
write-note = Write a note
write-vitals = Record vital signs
vital-course = Vital signs over time
filter-kind = Kind of record
filter-all = All
filter-apply = Filter
timeline-empty = There are no records yet.
to-newest = Back to the newest
team = Care team
member = { $name } ({ $more })
emergency-until = Emergency access until { $time }. Everything you look at is recorded and reviewed.
emergency-title = Emergency access
emergency-offer-title = If there is danger to life and you need the record now
emergency-offer = State a reason and you can see the record for a limited time. Those responsible are told, and it is reviewed afterwards.
emergency-offer-link = Go to emergency access
emergency-text = Use this only in danger to life or body, when there is no other way in time.
emergency-recorded = Those responsible are told at once, and somebody else reviews whether the reason was right. The person concerned can see it too.
emergency-reason = Reason
emergency-reason-hint = For example: unconscious, on the way to hospital; medicines and allergies must be known.
emergency-button = Record the reason and begin emergency access
reason-missing = Please state the reason.
