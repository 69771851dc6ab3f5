import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const isOff = process.env['COLLOQUY_TEST_CHROMIUM'] === 'off';

/**
 * `describe` for suites that need a browser. Without one they are skipped with a message; CI always has one.
 */
export const describeWithBrowser: jest.Describe = isOff ? describe.skip : describe;

/** Starts the Chromium installed on the system in headless mode. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env['COLLOQUY_TEST_CHROMIUM'] ?? '/usr/bin/chromium',
    // Chromium cannot use its sandbox as root, and /dev/shm is small in containers.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });

export interface Visit {
  page: Page;
  /**
   * Returns the problems of the page since the last call: script errors, console errors and warnings
   * (including violations of the content security policy), and failed requests.
   */
  takeProblems(): string[];
  /** Saves a screenshot if COLLOQUY_TEST_SCREENSHOTS names a folder. */
  screenshot(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens a page in a new browser profile without cookies. */
export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  // Only limits the wait for something that never appears.
  page.setDefaultTimeout(90_000);
  let problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('requestfailed', (request) => {
    // A poll that the page aborted itself, because its view has changed.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') problems.push(`failed: ${request.url()}`);
  });
  return {
    page,
    takeProblems() {
      const taken = problems;
      problems = [];
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
