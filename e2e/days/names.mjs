// Names and texts that programs get wrong: old and rare forms of kanji, half-width kana, 200 characters, writing
// from right to left, markup in every field. They are shown, found and printed, and nothing they say is run.

/** How somebody is searched for, and the name that must be found and shown. The people are in names.ndjson. */
const PEOPLE = [
  { asked: '高橋', name: '髙橋 惠子' },
  { asked: 'たかはし', name: '髙橋 惠子' },
  { asked: 'ﾀｶﾊｼ', name: '髙橋 惠子' },
  { asked: '𠮷田', name: '𠮷田 﨑夫' },
  { asked: '吉田', name: '𠮷田 﨑夫' },
  { asked: 'ﾖｼﾀﾞ', name: '𠮷田 﨑夫' },
  { asked: '寿限無', name: `寿限無${'長'.repeat(197)}` },
  { asked: 'שלום', name: 'שלום עולם' },
  { asked: '<script>', name: '<script>alert(1)</script> "\'&' },
];
const PAGES = ['', '/summary', '/card', '/around'];
/** An empty record has nothing to show on these either. */
const MORE = ['/check-ups', '/documents', '/vital-signs', '/visits', '/board', '/notes/new'];
const TEXT = '<img src=x onerror=alert(1)><script>alert(2)</script> \u202eさかさま\u202c مرحبا ﾊﾝｶｸ 𠮷 ' + 'ながい'.repeat(80);

export async function names(window, password) {
  const { page, told } = window;
  const run = [];
  page.on('dialog', async (dialog) => {
    run.push(dialog.message());
    await dialog.dismiss();
  });
  await window.signIn('hana.nurse', password);
  const opened = new Map();
  for (const { asked, name } of PEOPLE) {
    await window.go('/people/search');
    await window.fill({ name: asked });
    await window.press('main form[action="/people/search"] button');
    const found = page.locator('ul.people a').filter({ has: page.getByText(name, { exact: true }) });
    told((await found.count()) === 1, `names: ${name.slice(0, 12)} is found by ${asked}`, await page.locator('main').innerText());
    if ((await found.count()) !== 1 || opened.has(name)) continue;
    opened.set(name, await found.getAttribute('href'));
    await window.look('found');
  }
  for (const [number, [name, path]] of [...opened].entries()) {
    for (const part of number === 0 ? [...PAGES, ...MORE] : PAGES) {
      await window.go(path + part);
      const head = await page.locator('section.person .whose b').first().innerText();
      told(head === name, `names: the head of ${part || 'the notebook'} says ${name.slice(0, 12)}`, head);
      await window.look('name');
    }
    const file = await page.pdf({ format: 'A4' });
    told(file.subarray(0, 5).toString() === '%PDF-', `names: ${name.slice(0, 12)} is printed`, file.length);
  }
  const [path] = opened.values();
  await window.go(`${path}/notes/new`);
  await window.fill({ text: TEXT });
  await window.press('main form button:not(.secondary)');
  await window.press('main form button:not(.secondary)');
  await window.go(path);
  const shown = await page.locator('article p.text').first().innerText();
  told(shown === TEXT.trim(), 'names: a note is shown as it was typed', shown);
  await window.look('hostile-note');
  told(run.length === 0, 'names: nothing that people typed is run', run.join('; '));
  await window.signOut();
}
