import { loadSettings } from '../config/index.js';
import type { HealthCheck } from './health/health-check.js';
import { counter, gauge, histogram } from './metrics/metric.js';
import { Monitoring } from './monitoring.js';

const settings = loadSettings({}).monitoring;

const linesOf = async (monitoring: Monitoring): Promise<string[]> =>
  (await monitoring.metricsText()).body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('Monitoring', () => {
  it('exports metrics that a module sets, and metrics that are read at each scrape', async () => {
    const monitoring = new Monitoring(settings);
    const sent = counter({ name: 'colloquy_sent_total', help: 'Sent', labelNames: ['outcome'] });
    const took = histogram({ name: 'colloquy_sending_seconds', help: 'Time', buckets: [1] });
    const waiting = new Map([['mail', 3]]);
    const backlog = gauge({
      name: 'colloquy_waiting',
      help: 'Waiting',
      labelNames: ['queue'],
      read: async (set) => {
        await Promise.resolve();
        for (const [queue, count] of waiting) set(count, { queue });
      },
    });
    monitoring.contribute({ metrics: [sent, took, backlog] });
    sent.inc({ outcome: 'ok' });
    took.observe(0.5);
    expect(await linesOf(monitoring)).toEqual([
      'colloquy_sent_total{outcome="ok"} 1',
      'colloquy_sending_seconds_bucket{le="1"} 1',
      'colloquy_sending_seconds_bucket{le="+Inf"} 1',
      'colloquy_sending_seconds_sum 0.5',
      'colloquy_sending_seconds_count 1',
      'colloquy_waiting{queue="mail"} 3',
    ]);
    waiting.clear();
    expect(await linesOf(monitoring)).not.toContain('colloquy_waiting{queue="mail"} 3');
  });

  it('omits a value that is not set at a scrape', async () => {
    const monitoring = new Monitoring(settings);
    let total: number | undefined = 7;
    const read = (set: (value: number) => void): void => {
      if (total !== undefined) set(total);
    };
    monitoring.contribute({
      metrics: [
        gauge({ name: 'colloquy_age_seconds', help: 'Age', read }),
        counter({ name: 'colloquy_seen_total', help: 'Seen', read }),
      ],
    });
    expect(await linesOf(monitoring)).toEqual(['colloquy_age_seconds 7', 'colloquy_seen_total 7']);
    expect(await linesOf(monitoring)).toEqual(['colloquy_age_seconds 7', 'colloquy_seen_total 7']);
    total = undefined;
    expect(await linesOf(monitoring)).not.toContain('colloquy_age_seconds 7');
  });

  it('counts only once if two scrapes overlap', async () => {
    const monitoring = new Monitoring(settings);
    const read = async (set: (value: number) => void): Promise<void> => {
      await Promise.resolve();
      set(5);
    };
    monitoring.contribute({ metrics: [counter({ name: 'colloquy_seen_total', help: 'Seen', read })] });
    const expected = ['colloquy_seen_total 5'];
    expect(await Promise.all([linesOf(monitoring), linesOf(monitoring)])).toEqual([expected, expected]);
  });

  it('leaves out a metric that cannot be read, and exports the others', async () => {
    const monitoring = new Monitoring(settings);
    const read = (): Promise<void> => Promise.reject(new Error('the database is away'));
    const sent = counter({ name: 'colloquy_sent_total', help: 'Sent' });
    sent.inc();
    monitoring.contribute({ metrics: [gauge({ name: 'colloquy_due', help: 'Due', read }), sent] });
    expect(await linesOf(monitoring)).toEqual(['colloquy_sent_total 1']);
  });

  it('rejects a second metric, check or section with the same name', () => {
    const monitoring = new Monitoring(settings);
    const metrics = [counter({ name: 'colloquy_sent_total', help: 'Sent' })];
    const health: HealthCheck[] = [{ name: 'mail', kind: 'degrading', run: () => ({ status: 'up' }) }];
    const snapshot = { name: 'mail', read: () => ({ sent: 1 }) };
    monitoring.contribute({ metrics, health, snapshot });
    expect(() => {
      monitoring.contribute({ metrics: [counter({ name: 'colloquy_sent_total', help: 'Sent' })] });
    }).toThrow('colloquy_sent_total');
    expect(() => {
      monitoring.contribute({ health });
    }).toThrow('the probe "ready" already has a health check named "mail"');
    expect(() => {
      monitoring.contribute({ snapshot });
    }).toThrow('the snapshot already has a section "mail"');
    expect(() => {
      monitoring.contribute({ snapshot: { ...snapshot, name: 'service' } });
    }).toThrow('the snapshot already has a section "service"');
  });
});
