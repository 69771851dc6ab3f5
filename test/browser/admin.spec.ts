import type { Browser } from 'playwright-core';
import { z } from 'zod';
import { defineQueue, type Job, type JobState, QueueService } from '../../src/queue/index.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { describeWithBrowser, startBrowser, type Visit, visit } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { processorOf } from '../support/processor-of.js';
import { describeWithRedis, type RedisProcess, redisPrefix, startRedis } from '../support/redis.js';

const payload = z.strictObject({ text: z.string() });
const letters = defineQueue({ name: 'letters', payload, attempts: 1 });

const hostile = '<script>window.broken = true</script><img src=x onerror="window.broken = true">';

const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 390, height: 844 }, colorScheme: 'dark', hasTouch: true } as const;

const refusedSignIn = 'Failed to load resource: the server responded with a status of 401 (Unauthorized)';

let browser: Browser;
let admin: TestApp;
let work: jest.Mock<Promise<unknown>, [Job<{ text: string }>]>;
const visits: Visit[] = [];

const queues = (): QueueService => admin.app.get(QueueService);

const open = async (options: Parameters<typeof visit>[1]): Promise<Visit> => {
  const opened = await visit(browser, options);
  visits.push(opened);
  return opened;
};

async function signIn({ page }: Visit, key: string): Promise<void> {
  await page.getByLabel('Admin key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function reaches(id: string, state: JobState): Promise<void> {
  await eventually(async () => (await queues().find('letters', id))?.state === state);
}

/** A failed job whose payload and error contain markup that must never be executed. */
async function failedJob(): Promise<string> {
  work.mockRejectedValueOnce(new Error(`no such address: ${hostile}`));
  const { id } = await queues().enqueue(letters, 'acme', { text: `payload ${hostile}` });
  await reaches(id, 'failed');
  return id;
}

const startApp = async (settings: Readonly<Record<string, string>>): Promise<void> => {
  work = jest.fn((_job) => Promise.resolve('delivered'));
  admin = await createTestApp(settings, {
    queues: [letters],
    processors: [processorOf(letters, (job: Job<{ text: string }>) => work(job))],
    workers: true,
  });
};

function promisesOfTheDashboard(shots: string): void {
  it('rejects a wrong key', async () => {
    const visitor = await open(desktop);
    await visitor.page.goto(`${admin.url}/admin/queues`);
    await visitor.screenshot(`${shots}-login`);
    await signIn(visitor, 'not-the-admin-key');
    await visitor.page.getByRole('alert').getByText('This is not the admin key.').waitFor();
    await visitor.screenshot(`${shots}-login-refused`);
    expect(visitor.takeProblems()).toEqual([refusedSignIn]);
    await visitor.page.goto(`${admin.url}/admin/queues/queue/letters`);
    expect(new URL(visitor.page.url()).pathname).toBe('/admin/login');
    expect(await visitor.page.content()).not.toContain('letters</');
  });

  it('shows the queues after the sign-in, shows the markup of a failed job as text, and retries the job', async () => {
    const id = await failedJob();
    const operator = await open(desktop);
    const { page } = operator;
    await page.goto(`${admin.url}/admin/queues/queue/letters?status=failed`);
    await signIn(operator, admin.adminKey);
    await page.getByText('no such address').first().waitFor();
    expect(page.url()).toBe(`${admin.url}/admin/queues/queue/letters?status=failed`);
    // The payload is shown only on the page of the job.
    expect(await page.content()).not.toContain('payload &lt;script');
    await operator.screenshot(`${shots}-failed`);

    await page.getByRole('link', { name: id }).click();
    await page.getByRole('tab', { name: 'Data' }).click();
    await page.getByText('payload <script>').waitFor();
    await operator.screenshot(`${shots}-job`);
    expect(await page.evaluate('window.broken')).toBeUndefined();
    // Only the actions that the server supports are offered: retry and remove.
    expect(await page.locator('[class^="jobActions-"] li:visible').count()).toBe(2);

    await page.locator('[class^="jobActions-"] button:has(.lucide-refresh-cw)').click();
    await page.getByRole('button', { name: 'Confirm' }).click();
    await reaches(id, 'completed');
    expect(work).toHaveBeenCalledTimes(2);

    await page.goto(`${admin.url}/admin/queues`);
    await page.getByRole('link', { name: 'letters' }).first().waitFor();
    await page.getByText('1 Job').waitFor();
    await operator.screenshot(`${shots}-overview`);
    expect(operator.takeProblems()).toEqual([]);
  });

  it('removes a failed job', async () => {
    const id = await failedJob();
    const operator = await open(desktop);
    const { page } = operator;
    await page.goto(`${admin.url}/admin/queues/queue/letters/${id}`);
    await signIn(operator, admin.adminKey);
    await page.locator('[class^="jobActions-"] button:has(.lucide-trash2)').click();
    await page.getByRole('button', { name: 'Confirm' }).click();
    await eventually(async () => (await queues().find('letters', id)) === null);
    expect(operator.takeProblems().filter((text) => !text.includes('404'))).toEqual([]);
  });

  it('fits a phone in dark mode, and signs out', async () => {
    await failedJob();
    const operator = await open(phone);
    const { page } = operator;
    await page.goto(`${admin.url}/admin/queues`);
    await operator.screenshot(`${shots}-phone-login`);
    await signIn(operator, admin.adminKey);
    await page.getByText('FAILED').first().waitFor();
    await operator.screenshot(`${shots}-phone-overview`);
    await page.goto(`${admin.url}/admin/queues/queue/letters?status=failed`);
    await page.getByText('no such address').first().waitFor();
    await operator.screenshot(`${shots}-phone-failed`);
    await page.waitForFunction('document.documentElement.scrollWidth <= window.innerWidth');

    await page.goto(`${admin.url}/admin/logout`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Admin key').waitFor();
    await page.goto(`${admin.url}/admin/queues`);
    expect(new URL(page.url()).pathname).toBe('/admin/login');
    expect(operator.takeProblems()).toEqual([]);
  });
}

describeWithBrowser('the queue dashboard in a browser', () => {
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    await Promise.all(visits.splice(0).map((opened) => opened.close()));
    await admin.close();
  });

  describe('with jobs in the database', () => {
    beforeEach(() => startApp({}));
    promisesOfTheDashboard('database');

    it('signs in without scripts', async () => {
      const operator = await open({ ...desktop, javaScriptEnabled: false });
      await operator.page.goto(`${admin.url}/admin/login`);
      await signIn(operator, admin.adminKey);
      await operator.page.waitForURL(`${admin.url}/admin/dashboard`);
      await operator.page.getByRole('link', { name: 'Queues' }).waitFor();
      expect(operator.takeProblems()).toEqual([]);
    });
  });

  describeWithRedis('with BullMQ', () => {
    let server: RedisProcess;
    beforeAll(async () => {
      server = await startRedis();
    });
    afterAll(() => server.remove());
    beforeEach(() =>
      startApp({
        REDIS_URL: server.url,
        REDIS_KEY_PREFIX: redisPrefix(),
        // A busy machine responds slowly, which is not under test here.
        REDIS_COMMAND_TIMEOUT_MS: '2000',
      }),
    );
    promisesOfTheDashboard('redis');
  });
});
