// One person's window: opens pages, looks at each, takes its picture.
import { chromium } from 'playwright-core';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const AXE = readFileSync(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
/** A page with its style, in bytes: what a slow telephone line still brings in a second or two. */
const MOST_BYTES = 60_000;
export const SIZES = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 900 },
  // What is left of a desktop when it is enlarged to 200 %.
  enlarged: { width: 640, height: 450 },
};

/** What axe has looked at of the pages that are the same for everybody: shape, size and language. */
const SAME = ['/sign-in', '/keys'];
const looked = new Set();
/** Of each person, their last sign-in. */
const signingIn = new Map();
/** Who signs in twice at the same moment is told of a try beside theirs: one after the other for each person. */
export async function inTurn(login, act) {
  const done = (signingIn.get(login) ?? Promise.resolve()).then(act);
  signingIn.set(login, done.catch(() => null));
  await done;
}

/** Chromium without windows where it is installed: the same engine, and a third less time. */
const PROGRAM = process.env.CHROMIUM ?? ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find(existsSync);
export const PROGRAM_NAME = basename(PROGRAM ?? 'chromium');

export const launch = () =>
  chromium.launch({
    executablePath: PROGRAM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--no-first-run'],
  });

export class Window {
  /** `way` says size, language and whether scripts run; `told(ok, what, detail)` is given every check. */
  static async open(browser, site, way, told, pictures) {
    const context = await browser.newContext({
      viewport: SIZES[way.size],
      locale: way.lang === 'ja' ? 'ja-JP' : 'en-GB',
      timezoneId: 'Asia/Tokyo',
      javaScriptEnabled: way.scripts,
      reducedMotion: 'reduce',
      // The page's own policy keeps axe out otherwise; it is checked by other tests.
      bypassCSP: true,
    });
    await context.addCookies([{ name: 'lang', value: way.lang, url: site }]);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    return Object.assign(new Window(), { context, page, site, way, told, pictures, number: 0, seen: [], measured: [] });
  }

  get name() {
    return `${this.way.who}, ${this.way.size}, ${this.way.lang}, ${this.way.scripts ? 'scripts' : 'no scripts'}`;
  }

  async go(path) {
    await this.arrived(await this.page.goto(this.site + path));
  }

  /** Follows a link or presses a button, and waits for the page that comes. */
  async press(selector) {
    const [answer] = await Promise.all([
      this.page.waitForNavigation({ waitUntil: 'load' }),
      this.page.locator(selector).first().click(),
    ]);
    await this.arrived(answer);
  }

  async arrived(answer) {
    if (answer) this.told(answer.status() < 400, `${this.name}: ${new URL(answer.url()).pathname} is shown`, answer.status());
    this.answer = answer;
  }

  async fill(fields) {
    for (const [name, value] of Object.entries(fields)) await this.page.locator(`main [name="${name}"]`).first().fill(value);
  }

  /** Whether something is on the page. */
  async has(selector, what) {
    this.told((await this.page.locator(selector).count()) > 0, `${this.name}: ${what}`, selector);
  }

  /** Looks at a page as people and as their tools do: nothing sticks out, axe finds nothing, it is light. */
  async look(step) {
    const shape = new URL(this.page.url()).pathname.replace(/[0-9a-f-]{36}/g, ':id');
    this.number += 1;
    if (this.pictures) {
      const file = `${this.way.who}-${String(this.number).padStart(2, '0')}-${step}-${this.way.size}-${this.way.lang}.png`;
      // What people see first; on a phone a little of what follows.
      const { width, height } = SIZES[this.way.size];
      const whole = await this.page.evaluate(() => document.documentElement.scrollHeight);
      const most = this.way.size === 'phone' ? Math.round(height * 1.5) : height;
      const clip = { x: 0, y: 0, width, height: Math.min(whole, most) };
      await this.page.screenshot({ path: join(this.pictures, file), fullPage: true, clip });
      this.seen.push({ step, file });
    }
    const out = await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    this.told(out <= 0, `${this.name}: ${shape} fits its width`, `${out} px stick out`);
    const same = `${shape} ${this.way.size} ${this.way.lang}`;
    if (this.way.scripts && !(SAME.includes(shape) && looked.has(same))) {
      looked.add(same);
      await this.page.evaluate(AXE);
      const found = await this.page.evaluate(async () =>
        (await window.axe.run(document, { resultTypes: ['violations'] })).violations.map((v) => `${v.id}: ${v.nodes[0].target}`));
      this.told(found.length === 0, `${this.name}: axe finds nothing on ${shape}`, found.join('; '));
    }
    if (this.way.scripts) {
      const seen = await this.painted();
      // What can be opened again later: no answer to a form, no last look at a draft.
      const again = this.answer?.request().method() === 'GET' && !shape.endsWith('/look');
      this.measured.push({ shape, path: again && this.page.url().slice(this.site.length), login: this.login, ...seen });
      this.told(seen.bytes < MOST_BYTES, `${this.name}: ${shape} is light`, `${seen.bytes} bytes`);
    }
  }

  /** How heavy the page is, and how soon it came; waits so many milliseconds for it to be painted. */
  async painted(most = 100) {
    return this.page.evaluate(async (most) => {
      // Largest Contentful Paint (W3C): the last one that was reported; none after somebody pressed a key.
      const largest = await new Promise((found) => {
        const observer = new PerformanceObserver((list) => found(list.getEntries().at(-1).startTime));
        observer.observe({ type: 'largest-contentful-paint', buffered: true });
        setTimeout(() => found(null), most);
      });
      const entries = [performance.getEntriesByType('navigation')[0], ...performance.getEntriesByType('resource')];
      const paint = performance.getEntriesByName('first-contentful-paint')[0];
      return {
        bytes: entries.reduce((sum, entry) => sum + entry.encodedBodySize, 0),
        requests: entries.length,
        server: entries[0].responseStart - entries[0].requestStart,
        paint: paint ? paint.startTime : null,
        largest,
      };
    }, most);
  }

  async signIn(login, password) {
    await this.go('/sign-in');
    await this.look('sign-in');
    await this.fill({ login, password });
    await inTurn(login, () => this.press('form[action="/sign-in"] button'));
    await this.has('form[action="/sign-out"]', 'signed in');
    this.login = login;
  }

  async signOut() {
    await this.press('form[action="/sign-out"] button');
    await this.has('form[action="/sign-in"]', 'signed out');
  }

  async close() {
    await this.context.close();
  }
}
