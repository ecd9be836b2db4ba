// Pictures of pages that are the same on every day, compared with approved ones: what no rule about widths or
// contrast notices. `--approve` keeps the pictures of now; they are looked at before they are committed.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { PROGRAM_NAME, SIZES } from './browser.mjs';

const FOLDER = new URL('./approved/', import.meta.url);
/** A pixel differs when one of its colours does by more than this, of 255. */
const MOST_COLOUR = 24;
/** Of a thousand pixels so many may differ: the edges of letters. */
const MOST_PIXELS = 2;

/** Pictures are comparable only where letters are drawn alike. */
function drawnBy(browser) {
  const font = (of) => execFileSync('fc-match', [of, 'family', 'file'], { encoding: 'utf8' }).trim();
  return `${PROGRAM_NAME} ${browser.version().split('.')[0]}\n${font('sans-serif:lang=ja')}\n${font('sans-serif')}\n`;
}

/** Share of differing pixels, counted by the browser's own canvas; 1 when the sizes are not the same. */
const differing = (page, one, two) =>
  page.evaluate(async ([one, two, most]) => {
    const pixels = async (data) => {
      const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
      const canvas = new OffscreenCanvas(picture.width, picture.height);
      const context = canvas.getContext('2d');
      context.drawImage(picture, 0, 0);
      return context.getImageData(0, 0, picture.width, picture.height);
    };
    const [a, b] = [await pixels(one), await pixels(two)];
    if (a.width !== b.width || a.height !== b.height) return 1;
    let differ = 0;
    for (let at = 0; at < a.data.length; at += 4) {
      const off = [0, 1, 2].some((part) => Math.abs(a.data[at + part] - b.data[at + part]) > most);
      if (off) differ += 1;
    }
    return differ / (a.data.length / 4);
  }, [one, two, MOST_COLOUR]);

export async function pictures(browser, site, password, told, skipped, approve) {
  const drawn = drawnBy(browser);
  const known = new URL('drawn-by.txt', FOLDER);
  if (approve) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(known, drawn);
  } else if (!existsSync(known) || readFileSync(known, 'utf8') !== drawn) {
    skipped('pictures: compared with approved ones', `another browser or other fonts than theirs: ${drawn.split('\n').join(', ')}`);
    return;
  }
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ locale: 'ja-JP', timezoneId: 'Asia/Tokyo', colorScheme, reducedMotion: 'reduce', bypassCSP: true });
    await context.addCookies([{ name: 'lang', value: 'ja', url: site }]);
    const page = await context.newPage();
    const looked = async (name) => {
      for (const size of ['phone', 'desktop']) {
        await page.setViewportSize(SIZES[size]);
        // Who is signed in and until when differs from day to day.
        await page.addStyleTag({ content: 'footer, header .who, nav .badge { visibility: hidden !important; }' });
        const picture = await page.screenshot({ fullPage: true });
        const file = new URL(`${name}-${size}-${colorScheme}.png`, FOLDER);
        if (approve) {
          writeFileSync(file, picture);
          continue;
        }
        const share = await differing(page, readFileSync(file).toString('base64'), picture.toString('base64'));
        const what = `pictures: ${name} on a ${size}, ${colorScheme}, looks as approved`;
        told(share * 1000 <= MOST_PIXELS, what, `${(share * 100).toFixed(2)} % of its pixels differ; days.sh --approve keeps the new ones`);
      }
    };
    await page.goto(`${site}/sign-in`);
    await looked('sign-in');
    await page.locator('main [name="login"]').first().fill('hana.nurse');
    await page.locator('main [name="password"]').first().fill(password);
    await Promise.all([page.waitForNavigation(), page.locator('form[action="/sign-in"] button').first().click()]);
    await page.goto(`${site}/design`);
    await looked('design');
    // Sessions that are left open end those of others who sign in later.
    await Promise.all([page.waitForNavigation(), page.locator('form[action="/sign-out"] button').first().click()]);
    await context.close();
  }
}
