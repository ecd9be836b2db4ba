// What five people do on a usual day. A step names what is looked at; fields and links are found by what the
// forms call them, so that a day is the same in both languages.

/** The first person in charge, from the list of the home page. */
async function firstPerson(window) {
  await window.press('main a[href^="/people/"]:not([href="/people/search"])');
  await window.has('.person, .patient', 'the head says whom the page is about');
  return new URL(window.page.url()).pathname.match(/\/people\/[^/]+/)[0];
}

/** A note, begun in one of the ways that the rules offer. */
async function writes(window, person, way, text) {
  await window.go(person);
  await window.press(`a[href^="${person}/notes/new"]`);
  await window.press(`a[href*="template=${way}"]`);
  await window.look('note');
  await window.fill({ text });
  await window.press('main form button:not(.secondary)');
  await window.look('note-last-look');
  await window.press('main form button:not(.secondary)');
  await window.has(`text=${text.slice(0, 12)}`, 'what was written is there');
}

export const DAYS = {
  /** 訪問看護師: at the door, two minutes. */
  'hana.nurse': async (window) => {
    await window.look('home');
    const person = await firstPerson(window);
    await window.look('person');
    await window.press(`a[href="${person}/vital-signs/new"]`);
    await window.look('vital-signs');
    await window.fill({ temperature: '36.6' });
    await window.press('main form button:not(.secondary)');
    await window.look('vital-signs-last-look');
    await window.press('main form button:not(.secondary)');
    await writes(window, person, 'nursing-visit', '朝の訪問。食事は八割、足のむくみは昨日より軽い。');
    await window.look('after-writing');
    await window.go(`${person}/vital-signs`);
    await window.look('course');
    await window.go(`${person}/card`);
    await window.look('emergency-card');
    await window.go(`${person}/visits`);
    await window.look('visits');
    await window.go(`${person}/board`);
    await window.look('board');
  },
  /** 医師: between two patients, thirty seconds. */
  'makoto.doctor': async (window) => {
    await window.look('home');
    const person = await firstPerson(window);
    await window.look('person');
    await window.press(`a[href="${person}/summary"]`);
    await window.look('summary');
    await window.go(`${person}/check-ups`);
    await window.look('check-ups');
    await window.go(`${person}/vital-signs`);
    await window.look('course');
    await writes(window, person, 'soap', '経過は安定。来週の採血で腎機能を確認します。');
    await window.look('after-writing');
  },
  /** ケアマネジャー: plans in the office. */
  'yuki.care': async (window) => {
    await window.look('home');
    const person = await firstPerson(window);
    await window.look('person');
    await window.go(`${person}/who-sees`);
    await window.look('who-sees');
    await window.go(`${person}/around`);
    await window.look('around');
    await window.go(`${person}/visits/new`);
    await window.look('plan-a-visit');
    await window.go('/people/search');
    await window.look('search');
    await window.go('/rules');
    await window.look('rules');
  },
  /** システム管理者: order. */
  'takumi.system': async (window) => {
    for (const [step, path] of Object.entries({
      home: '/', rules: '/rules', registers: '/rules/registers', procedures: '/rules/procedures',
      duties: '/rules/duties', clauses: '/rules/clauses', accounts: '/admin/accounts', system: '/rules/system',
      accesses: '/review/counts',
    })) {
      await window.go(path);
      await window.look(step);
    }
  },
  /** 市民: reads what was written, and who looked. */
  'ume.citizen': async (window) => {
    await window.go('/');
    await window.look('own-record');
    const person = new URL(window.page.url()).pathname.match(/\/people\/[^/]+/)[0];
    await window.go(`${person}/looked`);
    await window.look('who-looked');
    await window.go(`${person}/around`);
    await window.look('consent');
    await window.go('/account');
    await window.look('account');
  },
};
