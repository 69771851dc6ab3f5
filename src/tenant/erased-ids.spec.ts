import { ErasedIds } from './erased-ids.js';
import type { TenantDirectory } from './tenant-directory.js';

const now = new Date('2026-11-21T12:00:00Z');

describe('ErasedIds', () => {
  let until: Date | undefined;
  const hasAny = jest.fn<Promise<boolean>, [string, string, readonly string[]]>();
  let erased: ErasedIds;

  beforeEach(() => {
    jest.useFakeTimers({ now });
    until = new Date(now.getTime() + 1000);
    hasAny.mockReset().mockResolvedValue(true);
    const find = () => Promise.resolve({ ...(until && { erasedIdsUntil: until }) });
    erased = new ErasedIds({ find } as unknown as TenantDirectory);
    erased.use({ hasAny });
  });
  afterEach(() => jest.useRealTimers());

  it('refuses an id that the lookup knows, with 410', async () => {
    await expect(erased.refuse('acme', 'message', ['e1'])).rejects.toMatchObject({
      problem: { status: 410, code: 'erased' },
    });
    expect(hasAny.mock.calls).toEqual([['acme', 'message', ['e1']]]);
  });

  it('accepts an id that the lookup does not know', async () => {
    hasAny.mockResolvedValue(false);
    await expect(erased.refuse('acme', 'transcript', ['e1'])).resolves.toBeUndefined();
  });

  it('looks nothing up for a tenant without erasures, after they have expired, and without ids', async () => {
    await erased.refuse('acme', 'message', []);
    until = now;
    await erased.refuse('acme', 'message', ['e1']);
    until = undefined;
    await erased.refuse('acme', 'message', ['e1']);
    expect(hasAny).not.toHaveBeenCalled();
  });
});
