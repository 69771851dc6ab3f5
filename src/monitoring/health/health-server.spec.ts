import type { Metrics } from '../metrics/metrics.js';
import type { HealthProbes } from './health-probes.js';
import { startHealthServer } from './health-server.js';

const refuse = (): Promise<never> => Promise.reject(new Error('the reason is in here: secret'));

describe('the health server of a worker', () => {
  let server: Awaited<ReturnType<typeof startHealthServer>>;
  let errors: [error: unknown, path: string][];

  beforeEach(async () => {
    errors = [];
    server = await startHealthServer(
      {
        probes: { ask: refuse } as unknown as HealthProbes,
        metrics: { text: refuse } as unknown as Metrics,
        snapshot: refuse,
        isOperator: () => true,
        onError: (...failure) => `report-${errors.push(failure)}`,
      },
      '127.0.0.1',
      0,
    );
  });
  afterEach(() => server.close());

  it.each(['/health/live', '/metrics', '/v1/monitoring'])(
    'answers a fault in %s with the id of its report, and nothing of what it was',
    async (path) => {
      const response = await fetch(`${server.url}${path}?a=b`);
      expect(response.status).toBe(500);
      expect(await response.json()).toEqual({
        type: 'about:blank',
        title: 'Internal error',
        status: 500,
        code: 'internal_error',
        errorId: 'report-1',
      });
      expect(errors).toEqual([[expect.objectContaining({ message: 'the reason is in here: secret' }), path]]);
    },
  );

  it('knows no other path', async () => {
    expect((await fetch(`${server.url}/v1/tenants`)).status).toBe(404);
    expect(errors).toEqual([]);
  });
});
