import type { Browser, Page } from 'playwright-core';
import type { ServiceSnapshot } from '../../src/admin/index.js';
import { MetricsService } from '../../src/monitoring/index.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { describeWithBrowser, startBrowser, type Visit, visit } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { troubledSnapshot } from '../support/snapshot.js';

const desktop = { viewport: { width: 1280, height: 900 }, colorScheme: 'light' } as const;
const phone = {
  viewport: { width: 390, height: 844 },
  colorScheme: 'dark',
  hasTouch: true,
  deviceScaleFactor: 2,
} as const;

let browser: Browser;
let admin: TestApp;
const visits: Visit[] = [];

async function open(options: Parameters<typeof visit>[1]): Promise<Visit> {
  const operator = await visit(browser, options);
  visits.push(operator);
  const { page } = operator;
  await page.goto(`${admin.url}/admin/dashboard`);
  await page.getByLabel('Admin key').fill(admin.adminKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${admin.url}/admin/dashboard`);
  return operator;
}

/**
 * Snapshots of a service with problems, as the modules would report them. `change` modifies the following
 * ones.
 */
function tellOfTrouble(): { change: (changes: Partial<ServiceSnapshot>) => void } {
  let current: Partial<ServiceSnapshot> = {};
  jest
    .spyOn(admin.app.get(MetricsService), 'collect')
    .mockImplementation(() => Promise.resolve(troubledSnapshot(current)));
  return {
    change(changes) {
      current = changes;
    },
  };
}

/** The number of drawn pixels of each chart. */
const drawnPixels = (page: Page): Promise<number[]> =>
  page.evaluate<number[]>(`[...document.querySelectorAll('.plot canvas')].map((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, index) => index % 4 === 3 && value > 0).length;
  })`);

/** The charts are drawn in later animation frames, after the page has received its data. */
const chartsAreDrawn = (page: Page): Promise<void> =>
  eventually(async () => (await drawnPixels(page)).every((pixels) => pixels > 100));

/** Waits until the page is laid out without overflowing the window. */
const fits = (page: Page): Promise<unknown> =>
  page.waitForFunction('document.documentElement.scrollWidth <= window.innerWidth');

/** Texts whose contrast with their background is below the requirement of WCAG AA. */
const paleTexts = (page: Page): Promise<string[]> =>
  page.evaluate<string[]>(`(() => {
    const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
    const shine = (colour) => {
      const [r, g, b] = parse(colour).map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const groundOf = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if ((parse(colour)[3] ?? 1) === 1) return colour;
      }
      return 'rgb(255, 255, 255)';
    };
    return [...document.querySelectorAll('main *, header *')]
      .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
      .filter((element) => {
        const [light, dark] = [shine(getComputedStyle(element).color), shine(groundOf(element))].sort((a, b) => b - a);
        return (light + 0.05) / (dark + 0.05) < 4.5;
      })
      .map((element) => element.tagName + ' ' + element.textContent);
  })()`);

describeWithBrowser('the dashboard in a browser', () => {
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    admin = await createTestApp();
  });
  afterEach(async () => {
    await Promise.all(visits.splice(0).map((opened) => opened.close()));
    await admin.close();
    jest.restoreAllMocks();
  });

  it('shows the state of the real service, draws its charts, and shows a new request without a reload', async () => {
    const operator = await open(desktop);
    const { page } = operator;
    await page.locator('#routes').getByRole('row', { name: 'POST /admin/login' }).waitFor();
    const row = page.locator('#routes').getByRole('row', { name: 'GET /v1/sessions/:participantId' });
    expect(await row.count()).toBe(0);
    await fetch(`${admin.url}/v1/sessions/ann`);
    await row.waitFor();
    expect(await row.getByRole('cell').first().textContent()).toBe('1');

    await eventually(async () => (await page.locator('.plot canvas').count()) === 9);
    await chartsAreDrawn(page);
    expect(await page.locator('figure', { hasText: 'Memory' }).textContent()).toMatch(
      /RSS\) \d[\d.,]* [MG]iB/,
    );
    await operator.screenshot('dashboard-real');
    expect(operator.takeProblems()).toEqual([]);
  });

  it('shows problems in status, alerts, slow operations and queues, as text and not as HTML', async () => {
    const trouble = tellOfTrouble();
    const operator = await open(desktop);
    const { page } = operator;
    await page.getByText('Critical', { exact: true }).first().waitFor();
    const active = page.locator('#active-alerts');
    expect(await active.getByRole('listitem').count()).toBe(2);
    expect(await active.textContent()).toContain('<img src=x onerror="window.broken=1">');
    expect(await page.evaluate('window.broken')).toBeUndefined();
    const routes = page.locator('#routes tbody').getByRole('rowheader');
    expect(await routes.allTextContents()).toEqual([
      'POST /v1/transcripts/search',
      'POST /v1/messages',
      'GET /v1/sessions/:participantId',
    ]);
    const slow = page.locator('#slow').getByRole('row', { name: /^find messages/ });
    await slow.getByRole('cell', { name: 'COLLSCAN' }).waitFor();
    expect(await slow.getByRole('cell').first().textContent()).toBe('41');
    await page
      .locator('#queues')
      .getByRole('row', { name: /webhooks 1,204/ })
      .waitFor();
    expect(await paleTexts(page)).toEqual([]);

    trouble.change({ status: 'healthy', alerts: { active: [], recent: [] } });
    await page.getByText('Healthy', { exact: true }).waitFor();
    await page.getByText('No alerts: everything is within its limits.').waitFor();
    expect(operator.takeProblems()).toEqual([]);
  });

  it('reports what could not be read', async () => {
    tellOfTrouble().change({ queues: null, sessions: null, transcripts: null, disk: null, slow: [] });
    const { page } = await open(desktop);
    await page.getByText('The queues could not be read.').waitFor();
    await page.getByText('Nothing was slow in the last 15 minutes.').waitFor();
    expect(await page.locator('#sessions').textContent()).toContain('could not be read');
    await page.locator('figure', { hasText: 'Queue backlog' }).getByText('No data yet').waitFor();
  });

  it('fits a phone in dark mode', async () => {
    tellOfTrouble();
    const operator = await open(phone);
    const { page } = operator;
    await page
      .locator('#queues')
      .getByRole('row', { name: /webhooks/ })
      .waitFor();
    await fits(page);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(18, 22, 29)');
    expect(await paleTexts(page)).toEqual([]);
    await chartsAreDrawn(page);
    expect(operator.takeProblems()).toEqual([]);
  });

  it('is redrawn when the browser switches to dark mode or changes its width', async () => {
    tellOfTrouble();
    const { page } = await open(desktop);
    await page.getByText('Critical', { exact: true }).first().waitFor();
    const lineColour = (): Promise<string> =>
      page.evaluate<string>(`(() => {
        const canvas = document.querySelector('.plot canvas');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const counts = new Map();
        for (let i = 0; i < data.length; i += 4)
          if (data[i + 3] === 255) {
            const key = data.slice(i, i + 3).join();
            counts.set(key, (counts.get(key) ?? 0) + 1);
          }
        return [...counts].sort((a, b) => b[1] - a[1])[0][0];
      })()`);
    await chartsAreDrawn(page);
    const light = await lineColour();
    await page.emulateMedia({ colorScheme: 'dark' });
    // The chart is redrawn in a later frame than the change of the color scheme.
    await eventually(async () => (await lineColour()) !== light);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.waitForFunction('document.querySelector(".plot canvas").clientWidth < 390');
    await fits(page);
    expect(await lineColour()).not.toBe(light);
  });

  it('reports a lost connection, and continues without a reload when it is restored', async () => {
    const operator = await open(desktop);
    const { page } = operator;
    await page
      .getByText('Healthy', { exact: true })
      .or(page.getByText('Degraded', { exact: true }))
      .waitFor();
    const notice = page.locator('#connection');
    expect(await notice.isVisible()).toBe(false);
    await page.route('**/admin/dashboard/events', (route) => route.abort());
    admin.app.getHttpServer().closeAllConnections();
    await notice.getByText('Connection lost; retrying.').waitFor();
    await page.unroute('**/admin/dashboard/events');
    await notice.waitFor({ state: 'hidden' });
  });

  it('asks to sign in again when the sign-in has expired', async () => {
    const { page } = await open(desktop);
    await page.getByText('No alerts').waitFor();
    await page.context().clearCookies();
    admin.app.getHttpServer().closeAllConnections();
    await page.getByRole('link', { name: 'Sign in again' }).click();
    await page.getByLabel('Admin key').waitFor();
    expect(new URL(page.url()).pathname).toBe('/admin/login');
  });
});
