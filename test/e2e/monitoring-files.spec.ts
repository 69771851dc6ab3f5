import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { createTestApp, type TestApp } from '../support/app.js';
import { describeWithPromtool, promtool } from '../support/promtool.js';

const folder = resolve('deploy', 'monitoring');
const rulesFile = resolve(folder, 'alerts.rules.yml');
const read = (name: string): string => readFileSync(resolve(folder, name), 'utf8');

/** Finds the names of our metrics and of process metrics in a text. `up` is added by Prometheus. */
const metricsIn = (text: string): string[] => [
  ...new Set(text.match(/\b(?:colloquy|nodejs|process)_[a-z0-9_]+/g) ?? []),
];

interface Target {
  expr: string;
  datasource: { type: string; uid: string };
}

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
}

interface Dashboard {
  uid: string;
  title: string;
  templating: { list: { name: string; type: string }[] };
  panels: Panel[];
}

const dashboard = JSON.parse(read('grafana-dashboard.json')) as Dashboard;
const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

describe('the alert rules and the dashboard, compared with GET /metrics', () => {
  let app: TestApp;
  /** Names of metric families, and of the series of histograms and summaries. */
  const reported = new Set<string>();

  beforeAll(async () => {
    app = await createTestApp();
    const text = await (await fetch(`${app.url}/metrics`)).text();
    for (const [, name = '', type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      reported.add(name);
      if (type === 'histogram') reported.add(`${name}_bucket`);
      if (type === 'histogram' || type === 'summary') reported.add(`${name}_sum`).add(`${name}_count`);
    }
  });
  afterAll(() => app.close());

  it.each([
    ['alerts.rules.yml', read('alerts.rules.yml')],
    ['grafana-dashboard.json', read('grafana-dashboard.json')],
    ['docs/metrics.md', readFileSync(resolve('docs', 'metrics.md'), 'utf8')],
  ])('%s references only existing metrics', (_name, text) => {
    const named = metricsIn(text);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((name) => !reported.has(name))).toEqual([]);
  });

  it('docs/metrics.md lists every metric', () => {
    const described = new Set(metricsIn(readFileSync(resolve('docs', 'metrics.md'), 'utf8')));
    const families = [...reported].filter((name) => !/_(?:bucket|sum|count)$/.test(name));
    const missing = families.filter((name) => !described.has(name));
    expect(missing.map((name) => `describe ${name} in docs/metrics.md`)).toEqual([]);
  });
});

describe('the dashboard', () => {
  it('can be imported: it has a uid and a data source variable that every query uses', () => {
    expect(dashboard).toMatchObject({ uid: 'colloquy', title: 'Colloquy' });
    expect(dashboard.templating.list).toContainEqual(
      expect.objectContaining({ name: 'datasource', type: 'datasource' }),
    );
    const sources = dashboard.panels.flatMap(({ targets = [] }) =>
      targets.map(({ datasource }) => datasource.uid),
    );
    expect(new Set(sources)).toEqual(new Set(['${datasource}']));
  });

  it('has panels with unique ids that do not overlap', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
  });
});

describe('the alert rules', () => {
  it('give each alert a severity, a summary, and a description of what to check', () => {
    const alerts = read('alerts.rules.yml')
      .split(/^ +- alert: /m)
      .slice(1);
    expect(alerts.length).toBeGreaterThan(10);
    for (const alert of alerts) {
      expect(alert).toMatch(/^ +severity: (?:critical|warning|info)$/m);
      expect(alert).toMatch(/^ +summary: .{10}/m);
      expect(alert).toMatch(/^ +description: /m);
    }
  });
});

describeWithPromtool('promtool', () => {
  const dir = mkdtempSync(resolve(tmpdir(), 'colloquy-rules-'));
  afterAll(() => {
    rmSync(dir, { recursive: true });
  });

  it('accepts the rules', () => {
    const { code, output } = promtool(['check', 'rules', rulesFile]);
    expect(output).toContain('SUCCESS');
    expect(code).toBe(0);
  });

  it('verifies that the alerts fire when they should', () => {
    expect(promtool(['test', 'rules', resolve(folder, 'alerts.test.yml')])).toMatchObject({ code: 0 });
  });

  it('accepts the example configuration', () => {
    expect(promtool(['check', 'config', resolve(folder, 'prometheus.example.yml')])).toMatchObject({
      code: 0,
    });
  });

  it('accepts the queries of the dashboard, as rules', () => {
    const asPrometheus = (expr: string): string =>
      expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(?:job|instance)/g, '.*');
    const rules = {
      groups: [
        {
          name: 'dashboard',
          rules: expressions.map((expr, index) => ({
            record: `dashboard:${index}`,
            expr: asPrometheus(expr),
          })),
        },
      ],
    };
    const file = resolve(dir, 'dashboard.rules.yml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(rules));
    const { code, output } = promtool(['check', 'rules', file]);
    expect(output).toContain(`${expressions.length} rules found`);
    expect(code).toBe(0);
  });
});
