import { runSlowClients } from './slow-clients/run.js';

// `npm run verify -- slow-clients` runs the same check for longer, and compares response times.
describe('slow clients and large pages', () => {
  it('leave the process alive and every request of another tenant answered, in pages of bounded size', async () => {
    const result = await runSlowClients({ readers: 100, writers: 100, pages: 8, phaseMs: 5000 });
    expect(result).toMatchObject({ isAlive: true, failed: 0 });
    expect(result.pagesRead).toBeGreaterThan(0);
    expect(result.largestPageBytes).toBeLessThan(4 * 2 ** 20);
  });
});
