// What the guide says of each picture of a day. A step without words here is not in the guide.
export const GUIDE = {
  'hana.nurse': {
    file: 'visiting-nurse', size: 'phone',
    ja: {
      title: '訪問看護師の一日',
      intro: '玄関先の二分で、きのうからの変化を確かめ、測った値と気づいたことを残します。',
      steps: {
        'sign-in': '利用者IDとパスワードでサインインします。セキュリティキーや病院の認証を使う町では、そのボタンを押します。',
        home: '「担当の方」に、新しい記録のある方から並びます。件数と、いちばん新しい記録の種類・書いた人・時刻が見えます。',
        person: 'お名前を押すと、その方の連絡帳が開きます。上の帯で、お名前・カナ・年齢・アレルギーを確かめます。「未読」のしるしが、まだ見ていない記録です。',
        'vital-signs': '「バイタルサインを記録する」で、測ったものだけを入力します。',
        'vital-signs-last-look': '確定する前に、どなたの記録か、値に誤りがないかを確かめます。',
        note: '「記録を書く」で書き方（訪問看護・SOAPなど）を選ぶと、項目が入った用紙が開きます。重要度と、とくに読んでほしい人も選べます。',
        'note-last-look': '確定すると支援チームに共有されます。確定するまでは下書きで、あなただけに見えます。',
        'after-writing': '書いた記録が連絡帳のいちばん上に出ます。だれが見たかも、この記録から分かります。',
        course: '「バイタルサインの推移」で、値の動きを図と表で見ます。',
        'emergency-card': '「救急カード」は、救急隊に渡すための一枚です。A4で印刷できます。',
      },
    },
    en: {
      title: 'A visiting nurse’s day',
      intro: 'Two minutes at the door: see what is new, and leave what was measured and noticed.',
      steps: {
        'sign-in': 'Sign in with ID and password, or with the button for a security key or the hospital’s own sign-in.',
        home: '“My people” begins with those who have something new: how much, and the kind, author and time of the newest record.',
        person: 'A name opens that person’s notebook. The band above says name, age and allergies. What you have not seen is marked “unread”.',
        'vital-signs': '“Record vital signs”: give only what was measured.',
        'vital-signs-last-look': 'Before it is confirmed, check whose record it is and every value.',
        note: '“Write a note”: choose a way of writing (nursing visit, SOAP …), say how important it is and who should read it.',
        'note-last-look': 'Once confirmed it is shared with the care team; until then it is your draft.',
        'after-writing': 'What you wrote stands at the top. From there you see who has read it.',
        course: '“Vital signs over time” shows the values as drawings and tables.',
        'emergency-card': 'The emergency card is one sheet for the ambulance, printed on A4.',
      },
    },
  },
  'makoto.doctor': {
    file: 'doctor', size: 'desktop',
    ja: {
      title: '医師の一日',
      intro: '診察のあいだの三十秒で、病名・お薬・検査の動きをつかみ、次の手を書きます。',
      steps: {
        home: '新しい記録のある方から並びます。至急とあなた宛ての記録は、しるしで分かります。',
        person: '連絡帳を開き、訪問看護やヘルパーの記録を読みます。種類・施設・書いた人・期間でしぼり込めます。',
        summary: '「要約」に、いまのお薬・病名・連絡先が一枚で出ます。',
        'check-ups': '「健診結果の推移」で、何年分かの値の動きを見ます。',
        course: '「バイタルサインの推移」で、おうちでの値を見ます。',
        note: 'SOAPを選んで書きます。',
        'note-last-look': '送る相手と内容を確かめて、確定します。',
        'after-writing': '支援チームの全員に見えるようになります。',
      },
    },
    en: {
      title: 'A doctor’s day',
      intro: 'Thirty seconds between patients: conditions, medicines and how values move, and what comes next.',
      steps: {
        home: 'Those with something new come first. Urgent records, and those addressed to you, are marked.',
        person: 'Read what nurses and helpers wrote; narrow it by kind, institution, author or period.',
        summary: 'The summary has present medicines, conditions and contacts on one page.',
        'check-ups': '“Check-ups over the years” shows how values moved.',
        course: '“Vital signs over time” shows the values from home.',
        note: 'Choose SOAP and write.',
        'note-last-look': 'Check whom it goes to and what it says, and confirm.',
        'after-writing': 'Now the whole care team sees it.',
      },
    },
  },
  'yuki.care': {
    file: 'care-manager', size: 'desktop',
    ja: {
      title: 'ケアマネジャーの一日',
      intro: '事務所で、チームの動きと自分に回ってきた手続を見ます。',
      steps: {
        home: '担当の方が、新しい記録のある順に並びます。あなたの対応を待っているものがあれば、いちばん上に件数が出ます。',
        person: '連絡帳で、チームのやり取りを追います。',
        'who-sees': '「だれがこの記録を見られるか」で、その方の情報がどの職種に、どの定めで見えるかを確かめます。',
        search: '「対象者をさがす」は、お名前・カナ・生年月日・番号でさがせます。旧字体や半角カナでも見つかります。',
        rules: '「規程」に、台帳・手続・予定など、町の決まりごとがまとまっています。',
      },
    },
    en: {
      title: 'A care manager’s day',
      intro: 'In the office: what the team does, and what waits for a decision.',
      steps: {
        home: 'Your people, news first. What waits for you is counted above.',
        person: 'Follow the team in the notebook.',
        'who-sees': '“Who can see this record” says which occupations see what, and by which rule.',
        search: 'Find people by name, reading, birth date or number; old forms of characters and half-width kana are found too.',
        rules: '“Rules” holds registers, procedures and duties.',
      },
    },
  },
  'takumi.system': {
    file: 'system-manager', size: 'desktop',
    ja: {
      title: 'システム管理者の一日',
      intro: '決まりが守られていることを、毎日の仕事のなかで確かめ、証拠を残します。',
      steps: {
        rules: '「規程」を開くと、あなたを待っている確認・承認・期限の近い仕事が上に出ます。',
        registers: '台帳の一覧です。紙の台帳と同じものが、そのまま並びます。',
        procedures: '申請・承認の手続です。書きかけや差戻しもここにあります。',
        duties: '定期の仕事です。済んだもの・近いもの・期限を過ぎたものが分かります。',
        clauses: '条項ごとに、いま守られているかを見ます。根拠になった記録まで開けます。',
        accounts: 'アカウントの一覧です。止める・再発行する・期限を決めるのはここです。',
      },
    },
    en: {
      title: 'A system manager’s day',
      intro: 'See that the rules are kept, while doing the work that proves it.',
      steps: {
        rules: '“Rules” begins with what waits for you and what is due.',
        registers: 'The registers, as they are known from paper.',
        procedures: 'Applications and approvals, drafts and returned ones among them.',
        duties: 'What recurs: done, due and overdue.',
        clauses: 'Clause by clause: is it kept now, and which record shows it.',
        accounts: 'Accounts: stop, reissue, and say when one ends.',
      },
    },
  },
  'ume.citizen': {
    file: 'citizen', size: 'phone',
    ja: {
      title: '市民の一日',
      intro: 'ご自分の記録を読み、だれが見たかを確かめます。',
      steps: {
        'own-record': 'サインインすると、ご自分の連絡帳が開きます。',
        'who-looked': '「だれがこの記録を見たか」に、記録を見た人・時刻・理由がすべて出ます。心当たりがないときは、窓口に知らせてください。',
        account: '「わたしのアカウント」で、パスワードやサインイン中の端末を確かめられます。',
      },
    },
    en: {
      title: 'A citizen’s day',
      intro: 'Read your own record, and see who looked at it.',
      steps: {
        'own-record': 'After signing in, your own notebook opens.',
        'who-looked': '“Who looked at this record” lists everybody who saw your record, when and why. If something is strange, tell the counter.',
        account: '“My account” is where password and devices are looked after.',
      },
    },
  },
};
