import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const isOff = process.env['COLLOQUY_TEST_CHROMIUM'] === 'off';

/** `describe` for suites that need a browser. They are skipped where there is none, with a message; CI always has one. */
export const describeWithBrowser: jest.Describe = isOff ? describe.skip : describe;

/** Starts the Chromium of the system, headless. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env['COLLOQUY_TEST_CHROMIUM'] ?? '/usr/bin/chromium',
    // Chromium has no sandbox when root runs it, and containers have a small /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });

export interface Visit {
  page: Page;
  /**
   * What went wrong on the page since the last call: errors of scripts, errors and warnings of the console (also what
   * the page's policy refused), failed requests.
   */
  takeComplaints(): string[];
  /** Saves a screenshot if COLLOQUY_TEST_SCREENSHOTS names a folder. */
  screenshot(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens a page in a browser profile of its own, without cookies. */
export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  // Only ends a wait for what will never be there.
  page.setDefaultTimeout(90_000);
  let complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => {
    // A poll that the page itself aborted, because it shows something else by now.
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
