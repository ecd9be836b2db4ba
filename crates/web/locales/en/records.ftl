# Writing, amending and withdrawing records

note-title = Write a note
note-text = Text of the note
note-hint = Write what you saw and did and what others should know. You confirm it on the next page.
note-empty = Please write something.
note-too-long = A note can have 10,000 characters. Please write it in parts.
note-to-look = Save the draft and check it
look-title = Last look before confirming
look-hint = Check whose record it is and what it says. Once confirmed it is shared with the care team and cannot be removed.
confirm-button = Confirm it as it is
draft-kept = The draft is kept. Only you can see it.
draft-later = Go on later
draft-go-on = Go on with the draft
amend-title = Amend a note
amend-hint = Write it as it should be. What it said before is kept, with who changed it and when.
amend-same = Nothing was changed. Please make your correction.
amend-to-look = Check the amendment
amend-look-title = Last look before amending
amend-look-hint = Struck out is removed, underlined is added. Check that it is right.
amend-button = Amend it so
amend = Amend
withdraw = Withdraw
withdraw-title = Withdraw a record
withdraw-hint = Withdraw a record that should not be there, such as one written for the wrong person. To correct what it says, amend it.
withdraw-look-hint = This record will be withdrawn. It is kept, with who withdrew it and why.
withdraw-reason = Reason for withdrawing
withdraw-to-look = Check the withdrawal
withdraw-button = Withdraw this record
discard = Throw the draft away
discard-title = Throw a draft away
discard-hint = This draft will be thrown away. Nobody can see it any more, and it cannot be brought back. Only that it was thrown away stays in the ledger.
discard-button = Throw this draft away
record-title = Record and its versions
recorded-at = recorded { $time }
record-details = Details
versions-count = Version { $n }: see what changed
version-number = Version { $n }
changes = Changes since the version before
on-behalf-of = on behalf of { $name }
confirmed-by = confirmed by { $name }
author-unknown = (name not shown)
author-program = Another system
vitals-title = Record vital signs
vitals-hint = Fill in what you measured.
vitals-at = Measured at
vitals-to-look = Check it
vitals-look-title = Last look before recording
vitals-look-hint = Check whose record it is and that the values are right.
vitals-check = Something needs checking: see the red text below.
vitals-nothing = Fill in at least one value.
vitals-time-form = State when it was measured.
vitals-time-future = The time lies in the future.
vitals-not-a-number = Write a number, such as 36.5.
vitals-whole-number = Write a whole number.
vitals-decimals = At most { $n ->
        [one] { $n } decimal place
        *[other] { $n } decimal places
    }.
vitals-range = The value must be within { $range }. Check for a slip of the finger.
vitals-pressure-both = Fill in both blood pressures.
vitals-pressure-order = The upper blood pressure is not above the lower one. Were they swapped?
vital-course-title = Vital signs over time
vital-course-empty = Nothing was measured in this period. Try a longer one.
vital-course-more = There are too many records in this period: only the newest are shown. The notebook has all of them.
vital-usual = The green band is what is usual for adults ({ $range }). It is no norm for treatment.
vital-beyond = unusual
vital-as-table = Numbers as a table
vital-rows-left = { $n ->
    [one] One more is not shown.
   *[other] { $n } more are not shown.
  }

# Documents and photographs

documents-title = Documents and photos
documents-hint = PDF and text files are saved on this device. Delete them from a shared device when you are done.
documents-empty = There are no documents or photos yet.
document-add = Add a document or photo
document-new-title = Add a document or photo
document-new-hint = Check whose document it is before you add it. It is shared with the care team and cannot be removed afterwards, only withdrawn.
document-file = File
document-file-hint = PDF, photos and pictures (JPEG, PNG, WebP) or plain text, up to 10. Where a photo was taken and the like is removed by itself.
document-type = Kind of document
document-type-hint = Which occupations may see it depends on the kind.
document-type-missing = Choose the kind of document.
document-type-referral = Referral letter
document-type-discharge = Discharge summary
document-type-plan = Care plan
document-type-nursing = Nursing or care report
document-type-laboratory = Test results
document-type-check-up = Check-up results
document-type-prescription = Prescription, medicine notebook
document-type-photograph = Photograph
document-type-other = Other document
document-name = Title
document-name-hint = For example: nursing summary at discharge (November 2026)
document-name-missing = Enter a title.
document-description = Description (optional)
document-too-long = A title has at most 100 characters, a description at most 1,000. Make it shorter.
document-save = Add it
file-missing = Choose a file.
files-too-many = At most 10 files can be added at once. Add them in parts.
file-most = The files together may have { $megabytes } MB.
file-save = (save)
photo-add = Attach photos (optional)
photo-hint = A wound, a meal and so on. Where the photo was taken and the like is removed by itself.
photos-kept = Photos attached
photo-drop = Take “{ $name }” off
photo-alt = Photo “{ $name }”
