import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const isOff = process.env['COLLOQUY_TEST_CHROMIUM'] === 'off';

/** `describe` for suites that need a browser; `npm test` says why where there is none, and CI always has one. */
export const describeWithBrowser: jest.Describe = isOff ? describe.skip : describe;

/** The Chromium of the system, without a window. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env['COLLOQUY_TEST_CHROMIUM'] ?? '/usr/bin/chromium',
    // Chromium refuses its own sandbox to root, and containers have no large /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });

export interface Visit {
  page: Page;
  /** What the page complained of since the last call: errors of scripts, of the console (refusals by the policy of the page too), failed requests. */
  takeComplaints(): string[];
  /** Keeps a picture where COLLOQUY_TEST_SCREENSHOTS names a folder. */
  screenshot(name: string): Promise<void>;
  close(): Promise<void>;
}

/** A browser of a person: no cookies yet. */
export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  let complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => {
    // A poll that the page itself gave up, since it shows something else by now.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') complaints.push(`failed: ${request.url()}`);
  });
  return {
    page,
    takeComplaints() {
      const taken = complaints;
      complaints = [];
      return taken;
    },
    async screenshot(name) {
      const folder = process.env['COLLOQUY_TEST_SCREENSHOTS'];
      if (!folder) return;
      mkdirSync(folder, { recursive: true });
      await page.screenshot({ path: join(folder, `${name}.png`) });
    },
    close: () => context.close(),
  };
}
