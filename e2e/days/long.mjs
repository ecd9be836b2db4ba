// A person with ten thousand records: every page of theirs stays light and is there at once.

/** Of the person that days.py imports, and of the oldest of their measurements. */
const NAME = '長田 とし';

export async function long(window, password, oldest) {
  const { page, told } = window;
  await window.signIn('hana.nurse', password);
  await window.go('/people/search');
  await window.fill({ name: NAME });
  await window.press('main form[action="/people/search"] button');
  const person = await page.locator('ul.people a', { hasText: NAME }).getAttribute('href');
  for (const part of ['', '?unread=1', '/vital-signs', '/summary', '/check-ups', '/card', '/around', '/visits', '/documents']) {
    await window.go(person + part);
    await window.look('ten thousand');
  }
  await window.go(person);
  const first = await page.locator('ol.timeline time').first().getAttribute('datetime');
  await window.press('main a[href*="cursor="]');
  await window.press('main a[href*="cursor="]');
  const later = await page.locator('ol.timeline time').first().getAttribute('datetime');
  told(later < first, 'long: page after page leads into the past', `${first} ${later}`);
  await window.look('the third page');
  await window.go(`${person}?from=${oldest}&until=${oldest}`);
  told((await page.locator('ol.timeline > li').count()) > 0, 'long: the first day is one form away');
  const times = await page.locator('ol.timeline time').evaluateAll((all) => all.map((time) => time.getAttribute('datetime')));
  told(times.some((time) => time.startsWith(oldest)), 'long: and shows what happened then', times[0]);
  await window.look('the first day');
  await window.signOut();
}
