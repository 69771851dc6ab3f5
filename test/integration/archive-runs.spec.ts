import { ArchiveRunRepository } from '../../src/archive/archive-run.repository.js';
import { runView, runViewSchema } from '../../src/archive/archive.dto.js';
import type { RunRecord, RunRequest } from '../../src/archive/archive.schema.js';
import { createTestApp, type TestApp } from '../support/app.js';

let app: TestApp;
let runs: ArchiveRunRepository;
const begin = Date.parse('2026-11-01T00:00:00Z');
const HOUR_MS = 3_600_000;

beforeAll(async () => {
  app = await createTestApp({ ARCHIVE_SCHEDULE: 'off' });
  runs = app.app.get(ArchiveRunRepository);
});
beforeEach(() => app.database.collection('archive_runs').deleteMany({}));
afterAll(() => app.close());

const everything: RunRequest = { dryRun: false };
const acme: RunRequest = { tenantId: 'acme', dryRun: false };

let hours = 0;
async function ended(state: RunRecord['state'], request: RunRequest): Promise<void> {
  const run = await runs.begin(request, new Date(begin + ++hours * HOUR_MS));
  await runs.end({ ...run, state });
}

describe('a failed run', () => {
  it.each([
    ['of everything', everything, everything],
    ['of one tenant', acme, acme],
    ['of one tenant', acme, everything],
    [
      'with other periods',
      { ...acme, kind: 'jobs', olderThanDays: 7 },
      { olderThanDays: 7, kind: 'jobs', ...acme },
    ],
  ])(
    '%s counts until the same or one of everything has completed (%j, %j)',
    async (_what, failed, completed) => {
      expect(await runs.hasUnresolvedFailure()).toBe(false);
      await ended('failed', failed);
      expect(await runs.hasUnresolvedFailure()).toBe(true);
      await ended('completed', completed);
      expect(await runs.hasUnresolvedFailure()).toBe(false);
    },
  );

  it.each<[string, RunRequest, RunRequest]>([
    ['everything', everything, acme],
    ['one tenant', acme, { ...acme, tenantId: 'globex' }],
    ['one tenant', acme, { ...acme, kind: 'jobs' }],
    ['one kind of data', { ...acme, kind: 'jobs' }, acme],
    ['one tenant', acme, { ...acme, olderThanDays: 7 }],
    ['one tenant', acme, { ...acme, dryRun: true }],
    ['everything', everything, { dryRun: true }],
  ])('of %s still counts after another one (%j, %j)', async (_what, failed, completed) => {
    await ended('failed', failed);
    await ended('completed', completed);
    expect(await runs.hasUnresolvedFailure()).toBe(true);
  });

  it('counts if it was the second one', async () => {
    await ended('completed', acme);
    await ended('failed', acme);
    expect(await runs.hasUnresolvedFailure()).toBe(true);
  });

  it('does not count if it was a dry run', async () => {
    await ended('failed', { ...acme, dryRun: true });
    expect(await runs.hasUnresolvedFailure()).toBe(false);
  });
});

it('is shown with the members that are documented', async () => {
  await ended('failed', acme);
  await ended('completed', acme);
  for (const run of await runs.list(10))
    expect(Object.keys(runView(run)).sort()).toEqual(Object.keys(runViewSchema.shape).sort());
});

describe('a run whose process was killed', () => {
  const stateAfter = async (request: RunRequest, next: RunRequest, laterMs: number) => {
    const { _id } = await runs.begin(request, new Date(begin));
    await runs.begin(next, new Date(begin + laterMs));
    return (await runs.list(10)).find((run) => run._id.equals(_id));
  };

  it('is shown as failed once another one has begun', async () => {
    const endedAt = new Date(begin + 1000);
    expect(await stateAfter(acme, everything, 1000)).toMatchObject({ state: 'failed', endedAt });
    expect(await runs.hasUnresolvedFailure()).toBe(true);
  });

  it('is shown as failed a day later if it was a dry run, because several may be active', async () => {
    const dry = { ...acme, dryRun: true };
    expect(await stateAfter(dry, everything, 23 * HOUR_MS)).toMatchObject({ state: 'running' });
    expect(await stateAfter(dry, dry, 25 * HOUR_MS)).toMatchObject({ state: 'failed' });
    expect(await runs.hasUnresolvedFailure()).toBe(false);
  });
});
