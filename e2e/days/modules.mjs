// What our own modules do in a real browser, under the pages' own policy: drafts kept while they are written, a copy
// while the line is away, the question before unsent text is left, keys, and the word that something new came.
import { SIZES, inTurn } from './browser.mjs';

const TEXT = 'text=';

async function signedIn(browser, site, login, password) {
  const context = await browser.newContext({ viewport: SIZES.desktop, locale: 'ja-JP', timezoneId: 'Asia/Tokyo' });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong = [];
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  page.on('pageerror', (error) => wrong.push(String(error)));
  await page.goto(`${site}/sign-in`);
  await page.fill('#login', login);
  await page.fill('#password', password);
  await inTurn(login, () => Promise.all([page.waitForNavigation(), page.click('form[action="/sign-in"] button')]));
  const on = page.locator('main a.button[href="/"]');
  if (await on.count()) await Promise.all([page.waitForNavigation(), on.click()]);
  return { context, page, wrong };
}

const people = 'main a[href^="/people/"]:not([href="/people/search"])';
const copies = (page) => page.evaluate(() => Object.entries(localStorage).filter(([name]) => name.startsWith('copy-')));
const said = (page, words) => page.locator('[data-status]', { hasText: words }).waitFor();

async function drafts({ context, page }, site, person, told) {
  await page.goto(`${site}${person}/notes/new`);
  await page.fill('#text', '夕方から息が苦しそうです。');
  await said(page, '下書きを保存しました');
  const edit = new URL(page.url()).pathname;
  told(/^\/records\/Communication\/[0-9a-f-]{36}\/edit$/.test(edit), 'a pause keeps the draft, and the page is that of the draft', edit);
  await page.reload();
  told((await page.inputValue('#text')).includes('息が苦しそう'), 'it is there when the page is loaded again');

  await context.setOffline(true);
  await page.fill('#text', '夕方から息が苦しそうです。SpO2は91%。');
  await said(page, '通信が切れています');
  const kept = await copies(page);
  told(kept.length === 1 && !kept.join().includes('SpO2') && !kept.join().includes(edit.split('/')[3]), 'without a line a copy is kept, and nobody reads it', kept.join());
  await page.close({ runBeforeUnload: false });
  await context.setOffline(false);
  const again = await context.newPage();
  again.setDefaultTimeout(20_000);
  await again.goto(site + edit);
  await again.click('[data-take]');
  told((await again.inputValue('#text')).includes('SpO2'), 'the copy is offered when the page is opened again');
  await said(again, '下書きを保存しました');
  told((await copies(again)).length === 0, 'and gone once the draft is kept');

  // Typed and not kept: whoever leaves is asked. A browser asks only who has done something on the page.
  await again.click('#text');
  await again.keyboard.type('まだ');
  const asked = again.waitForEvent('dialog');
  await again.close({ runBeforeUnload: true });
  const dialog = await asked;
  told(dialog.type() === 'beforeunload', 'who leaves unsent text is asked', dialog.type());
  await dialog.dismiss();
  await Promise.all([again.waitForNavigation(), again.click('main form button:not([type])')]);
  told(new URL(again.url()).pathname.endsWith('/look'), 'the button sends it without a question', again.url());
  return again;
}

async function keys(page, site, person, told) {
  const leads = async (pressed, path) => {
    const going = page.waitForURL((url) => url.pathname === path);
    for (const key of pressed) await page.keyboard.press(key);
    await going.catch(() => null);
    told(new URL(page.url()).pathname === path, `${pressed.join(' ')} leads to ${path.replace(/[0-9a-f-]{36}/, ':id')}`, page.url());
  };
  await page.goto(site + person);
  await leads(['n'], `${person}/notes/new`);
  await page.goto(site + person);
  await leads(['g', 'h'], '/');
  await leads(['/'], '/people/search');
  await page.keyboard.press('/');
  await page.keyboard.type('n?');
  told(new URL(page.url()).pathname === '/people/search', 'keys are letters while something is typed', page.url());
  await page.goto(`${site}/`);
  await leads(['?'], '/keys');
  await Promise.all([page.waitForNavigation(), page.click('button[value=off]')]);
  await page.goto(site + person);
  await page.keyboard.press('n');
  await page.goto(`${site}/keys`);
  told((await page.locator('body[data-keys]').count()) === 0, 'and can be switched off');
  await Promise.all([page.waitForNavigation(), page.click('button[value=on]')]);
}

async function news(page, site, person, other, told) {
  await page.goto(site + person);
  await page.locator('#news[data-changes]').waitFor({ state: 'attached' });
  told((await page.locator('#news .notice').count()) === 0, 'an open page says nothing while nothing is new');
  const before = await page.locator('main ol.timeline').innerText();
  await other.page.goto(`${site}${person}/notes/new`);
  await other.page.fill('#text', '連絡しました。');
  await Promise.all([other.page.waitForNavigation(), other.page.click('main form button:not([type])')]);
  await Promise.all([other.page.waitForNavigation(), other.page.click('main form[action$="/confirm"] button')]);
  const begun = Date.now();
  await page.locator('#news .notice', { hasText: '新しい記録があります' }).waitFor();
  told(Date.now() - begun < 6_000, 'it says so within seconds when somebody else writes', `${Date.now() - begun} ms`);
  told((await page.locator('main ol.timeline').innerText()) === before, 'and changes nothing that is read');
  await Promise.all([page.waitForNavigation(), page.click('#news .notice a')]);
  told((await page.locator(`${TEXT}連絡しました。`).count()) > 0, 'its link loads what is new');
}

/** Who is found so far, without a button. */
async function searching(page, site, told) {
  await page.goto(`${site}/people/search`);
  const found = page.locator('[data-results] ul.people a', { hasText: '髙橋 惠子' });
  await page.locator('#name').pressSequentially('たかはし', { delay: 60 });
  await found.waitFor();
  told(new URL(page.url()).pathname === '/people/search', 'who is found stands there while a name is typed', page.url());
  told((await page.locator('[data-told]').innerText()) !== '', 'and that somebody was found is said');
  await page.fill('#name', 'たかはしｘ');
  await page.locator('[data-results] .box').first().waitFor();
  told((await found.count()) === 0, 'nobody is left when nobody is meant');
  told((await page.locator('[data-results] .danger').count()) === 0, 'and nothing is offered for danger to life before the button');
  await page.fill('#name', '');
  await page.locator('[data-results] .box').first().waitFor({ state: 'detached' });
  told((await page.locator('[data-results] *').count()) === 0, 'nothing is shown when nothing is typed');
  const asked = await page.evaluate(() => performance.getEntriesByType('resource')
    .filter((entry) => entry.initiatorType === 'fetch').map((entry) => Math.round(entry.duration)));
  console.log(JSON.stringify({ answers_while_typing_ms: asked.join(' ') }));
  await page.fill('#name', 'たかはしｘ');
  await Promise.all([page.waitForNavigation(), page.click('form[data-search] button')]);
  told((await page.locator('[data-results] .danger').count()) > 0, 'the button offers it');
}

export async function modules(browser, site, password, told) {
  const hana = await signedIn(browser, site, 'hana.nurse', password);
  const other = await signedIn(browser, site, 'makoto.doctor', password);
  try {
    const listed = async ({ page }) =>
      page.locator(people).evaluateAll((links) => links.map((link) => new URL(link.href).pathname));
    const theirs = await listed(other);
    const person = (await listed(hana)).find((path) => theirs.includes(path));
    await news(hana.page, site, person, other, told);
    await keys(hana.page, site, person, told);
    await searching(hana.page, site, told);
    const page = await drafts(hana, site, person, told);
    await page.goto(`${site}/`);
    await Promise.all([page.waitForNavigation(), page.click('form[action="/sign-out"] button')]);
    told((await copies(page)).length === 0, 'signing out leaves no copy');
    await Promise.all([other.page.waitForNavigation(), other.page.click('form[action="/sign-out"] button')]);
    // The line that was cut on purpose is told in the console too.
    const wrong = [...hana.wrong, ...other.wrong].filter((text) => !text.includes('ERR_INTERNET_DISCONNECTED'));
    told(wrong.length === 0, 'the pages’ own policy lets the modules work', wrong.join('; '));
  } catch (error) {
    told(false, 'the modules do what they should', error.message.split('\n').slice(0, 4).join(' '));
  }
  await hana.context.close();
  await other.context.close();
}
