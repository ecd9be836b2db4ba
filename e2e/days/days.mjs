// node days.mjs SITE PASSWORD [--guide FOLDER | --approve]: the usual days of five people. Each check is a line
// of JSON.
// With --guide, the days alone, one window and both languages each; pictures and pages of the guide.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inTurn, launch, SIZES, Window } from './browser.mjs';
import { GUIDE } from './guide.mjs';
import { long } from './long.mjs';
import { modules } from './modules.mjs';
import { names } from './names.mjs';
import { DAYS } from './people.mjs';
import { pictures as compared } from './pictures.mjs';

const [site, password, mode, folder] = process.argv.slice(2);
const guide = mode === '--guide' && folder;
const pictures = guide && join(guide, 'pictures');
if (pictures) mkdirSync(pictures, { recursive: true });
const told = (ok, what, detail) => console.log(JSON.stringify(ok ? { ok, what } : { ok: false, what, detail }));

// Both sizes, both languages, with and without scripts: each pair of two stands once.
const WAYS = [
  { size: 'phone', lang: 'ja', scripts: true },
  { size: 'phone', lang: 'en', scripts: false },
  { size: 'desktop', lang: 'ja', scripts: false },
  { size: 'desktop', lang: 'en', scripts: true },
];

/** Milliseconds in which a page is painted, or is said to be late. */
const MOST_WAITED = 2_000;

const skipped = (what, reason) => console.log(JSON.stringify({ skipped: what, reason }));

const browser = await launch();
if (mode !== '--guide') await compared(browser, site, password, told, skipped, mode === '--approve');
if (mode === '--approve') {
  await browser.close();
  process.exit(0);
}
const measured = [];

async function day(login, way) {
  const window = await Window.open(browser, site, { who: login.split('.')[0], ...way }, told, pictures);
  try {
    await window.signIn(login, password);
    await DAYS[login](window);
    await window.signOut();
  } catch (error) {
    told(false, `${window.name}: the day comes to its end`, `${window.page.url()}: ${error.message.split('\n').slice(0, 3).join(' ')}`);
  }
  measured.push(...window.measured);
  if (guide) {
    const words = GUIDE[login][way.lang];
    writeFileSync(join(guide, `${GUIDE[login].file}.${way.lang}.md`), guidePage(words, window.seen));
    for (const { step, file } of window.seen) if (!words.steps[step]) rmSync(join(pictures, file));
  }
  await window.close();
}

/** A day as numbered pictures. */
function guidePage({ title, intro, steps }, seen) {
  const told = seen.filter(({ step }) => steps[step]);
  const rows = told.map(({ step, file }, at) => `${at + 1}. ${steps[step]}\n\n   ![${steps[step]}](pictures/${file})\n`);
  return `# ${title}\n\n${intro}\n\n${rows.join('\n')}`;
}

/** Without a mouse: every stop shows where it is, and the first person is reached. */
async function keyboard() {
  const way = { who: 'keyboard', size: 'desktop', lang: 'ja', scripts: true };
  const window = await Window.open(browser, site, way, told);
  const { page } = window;
  await window.go('/sign-in');
  const stop = async (found, most = 40) => {
    for (let pressed = 0; pressed < most; pressed += 1) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
        const seen = (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2) || boxShadow !== 'none';
        const { name, tagName } = document.activeElement;
        return { name, tag: tagName, href: document.activeElement.getAttribute('href'), seen };
      });
      if (!at.seen) told(false, 'the focus is seen', JSON.stringify(at));
      if (found(at)) return true;
    }
    return false;
  };
  told(await stop((at) => at.name === 'login'), 'the sign-in name is reached by Tab');
  await page.keyboard.type('hana.nurse');
  told(await stop((at) => at.name === 'password'), 'the password is reached by Tab');
  await page.keyboard.type(password);
  await inTurn('hana.nurse', () => Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]));
  const person = (at) => /^\/people\/[0-9a-f-]{36}/.test(at.href ?? '');
  told(await stop(person), 'the first person is reached by Tab');
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
  told(/\/people\//.test(page.url()), 'and opened by Enter', page.url());
  await page.goto(page.url());
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  told(page.url().endsWith('#main'), 'the first stop of a page leads past its head', page.url());
  // Sessions that are left open end those of others who sign in later.
  await window.signOut();
  await window.close();
}

/** At 200 %, and on paper. */
async function enlargedAndPrinted() {
  const way = { who: 'enlarged', size: 'enlarged', lang: 'ja', scripts: true };
  const window = await Window.open(browser, site, way, told);
  await window.signIn('hana.nurse', password);
  const person = await window.page.locator('main a[href^="/people/"]:not([href="/people/search"])').first().getAttribute('href');
  // The width of A4 within its margins, in CSS pixels.
  const paper = { width: 680, height: 980 };
  for (const path of ['/', person, `${person}/vital-signs`, '/rules']) {
    await window.go(path);
    await window.look('enlarged');
    await window.page.emulateMedia({ media: 'print' });
    await window.page.setViewportSize(paper);
    const out = await window.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    told(out <= 0, `${path.split('/')[1] || 'home'} fits on paper`, `${out} px stick out`);
    const file = await window.page.pdf({ format: 'A4' });
    told(file.subarray(0, 5).toString() === '%PDF-' && file.length > 10_000, 'and becomes a PDF', file.length);
    await window.page.emulateMedia({ media: null });
    await window.page.setViewportSize(SIZES.enlarged);
  }
  await window.signOut();
  await window.close();
}

/** Rare names and hostile texts, and ten thousand records, on a phone. */
async function oddPeople(who, walk) {
  const window = await Window.open(browser, site, { who, size: 'phone', lang: 'ja', scripts: true }, told);
  try {
    await walk(window);
  } catch (error) {
    told(false, `${who}: all are looked at`, `${window.page.url()}: ${error.message.split('\n').slice(0, 3).join(' ')}`);
  }
  measured.push(...window.measured);
  await window.close();
}

const ways = (login) => (guide ? ['ja', 'en'].map((lang) => ({ size: GUIDE[login].size, lang, scripts: true })) : WAYS);
const work = [];
for (let number = 0; number < (guide ? 2 : WAYS.length); number += 1) {
  for (const login of Object.keys(DAYS)) work.push(() => day(login, ways(login)[number]));
}
// What takes longest begins first.
if (!guide) {
  work.unshift(
    () => modules(browser, site, password, told),
    () => oddPeople('names', (window) => names(window, password)),
    () => oddPeople('long', (window) => long(window, password, process.env.OLDEST)),
    async () => {
      await keyboard();
      await enlargedAndPrinted();
    },
  );
}
// Three at a time: the program answers as fast, and two cores are busy.
const next = async () => {
  for (let job = work.shift(); job; job = work.shift()) await job();
};
await Promise.all([next(), next(), next()]);
// Figures for docs/performance.md, of pages that were opened and checked above already.
const paints = guide || !process.env.E2E_EVERYTHING ? [] : await alone();
await browser.close();

/** How soon each page is painted while nothing else is done: the same pages once more, one after the other. */
async function alone() {
  const paints = [];
  const pages = new Map(measured.filter((one) => one.path).map((one) => [one.shape, one]));
  for (const login of Object.keys(DAYS)) {
    const theirs = [...pages.values()].filter((one) => one.login === login);
    const window = await Window.open(browser, site, { who: 'alone', size: 'desktop', lang: 'ja', scripts: true }, told);
    if (paints.length === 0) {
      await window.go('/sign-in');
      paints.push({ shape: '/sign-in', ...(await window.painted(MOST_WAITED)) });
    }
    await window.signIn(login, password);
    for (const { shape, path } of theirs) {
      await window.go(path);
      paints.push({ shape, ...(await window.painted(MOST_WAITED)) });
    }
    await window.signOut();
    await window.close();
  }
  return paints;
}

/** The middle one of some numbers. */
const middle = (numbers) => Math.round(numbers.filter((number) => number !== null).sort((one, two) => one - two)[numbers.length >> 1] ?? 0);
const of = (name, some) => middle(some.map((one) => one[name]));
for (const shape of [...new Set(measured.map((one) => one.shape))].sort()) {
  const some = measured.filter((one) => one.shape === shape);
  const quiet = paints.find((one) => one.shape === shape);
  console.log(JSON.stringify({
    page: shape, looked_at: some.length, bytes: of('bytes', some), requests: of('requests', some),
    ...(quiet && { server_ms: Math.round(quiet.server), first_paint_ms: quiet.paint && Math.round(quiet.paint), largest_paint_ms: quiet.largest && Math.round(quiet.largest) }),
  }));
}
const heaviest = measured.sort((one, two) => two.bytes - one.bytes)[0];
const first = paints.map((one) => one.paint).filter((paint) => paint !== null).sort((one, two) => one - two);
console.log(JSON.stringify({
  pages: measured.length, heaviest: heaviest && `${heaviest.shape} ${heaviest.bytes} bytes`,
  most_requests: Math.max(...measured.map((one) => one.requests)),
  ...(first.length && { median_paint_ms: Math.round(first[first.length >> 1]), slowest_paint_ms: Math.round(first.at(-1)) }),
}));
