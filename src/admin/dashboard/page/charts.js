// Defines the charts and draws them with uPlot, which is loaded by another script of the page.
import { create, byId, setText } from './dom.js';
import { bytes, count, milliseconds, number, percent, perMinute, rate, timeOfDay } from './format.js';

/** @typedef {import('./types.js').ChartPoint} ChartPoint */
/** @typedef {import('./types.js').Charted} Charted */
/** @typedef {import('./types.js').HistoryColumns} HistoryColumns */
/** @typedef {(value: number | null | undefined) => string} Write */
/** @typedef {{ name: Charted, label: string, write?: Write }} Line */

/**
 * @typedef {object} ChartPlan
 * @property {string} title
 * @property {Write} write
 * @property {Line[]} lines
 * @property {number} least minimum upper end of the axis
 * @property {number} [most] maximum upper end of the axis
 * @property {boolean} [isWhole] whether all values are whole numbers
 */

const SPAN_SECONDS = 900;
const HEIGHT = 180;
const MIB = 1_048_576;

/** @type {ChartPlan[]} */
const plans = [
  {
    title: 'Requests per second',
    write: rate,
    least: 1,
    lines: [{ name: 'requestsPerSecond', label: 'Requests' }],
  },
  {
    title: 'Failed requests',
    write: percent,
    least: 0.01,
    most: 1,
    lines: [{ name: 'errorRatio', label: '5xx responses' }],
  },
  {
    title: 'Request duration',
    write: milliseconds,
    least: 10,
    lines: [
      { name: 'p50Ms', label: 'p50' },
      { name: 'p95Ms', label: 'p95' },
      { name: 'p99Ms', label: 'p99' },
    ],
  },
  {
    title: 'Event-loop lag, p99',
    write: milliseconds,
    least: 10,
    lines: [{ name: 'eventLoopLagMs', label: 'Lag' }],
  },
  {
    title: 'Memory',
    write: bytes,
    least: 64 * MIB,
    lines: [
      { name: 'heapBytes', label: 'Heap' },
      { name: 'rssBytes', label: 'Process (RSS)' },
    ],
  },
  {
    title: 'Database connections',
    write: count,
    least: 4,
    isWhole: true,
    lines: [
      { name: 'poolInUse', label: 'In use' },
      { name: 'poolWaiting', label: 'Operations waiting' },
    ],
  },
  {
    title: 'Queue backlog',
    write: count,
    least: 4,
    isWhole: true,
    lines: [{ name: 'queueBacklog', label: 'Jobs waiting' }],
  },
  {
    title: 'Cache hits',
    write: percent,
    least: 1,
    most: 1,
    lines: [{ name: 'cacheHitRatio', label: 'Found in a cache' }],
  },
  {
    title: 'Transcripts',
    write: number,
    least: 4,
    lines: [
      { name: 'transcriptsQueued', label: 'Not stored yet', write: count },
      { name: 'transcriptsStoredPerMinute', label: 'Stored', write: perMinute },
    ],
  },
];

/** Lines differ in color and dash pattern, so that they can be distinguished without colors. */
const dashes = [[], [8, 4], [2, 3]];

const { uPlot } = /** @type {{ uPlot: typeof import('uplot') }} */ (/** @type {unknown} */ (globalThis));

/** @param {string} name of a custom CSS property of the page */
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * @type {import('uplot').Series.Points.Filter} returns the values without neighbors, which a line would not
 * show; they are drawn as points
 */
const isolated = (plot, series) => {
  const values = plot.data[series] ?? [];
  return Array.from(values.keys()).filter(
    (index) => values[index] != null && values[index - 1] == null && values[index + 1] == null,
  );
};

class Chart {
  /** @param {ChartPlan} plan */
  constructor(plan) {
    this.plan = plan;
    this.values = plan.lines.map(() => create('span', { class: 'value' }));
    const legend = create(
      'ul',
      { class: 'legend' },
      plan.lines.map(({ label }, index) =>
        create('li', {}, [
          create('span', { class: `marker line-${index + 1}`, 'aria-hidden': 'true' }),
          document.createTextNode(`${label} `),
          /** @type {HTMLElement} */ (this.values[index]),
        ]),
      ),
    );
    this.place = create('div', { class: 'plot', 'aria-hidden': 'true' });
    this.empty = create('p', { class: 'empty', text: 'No data yet' });
    this.figure = create('figure', {}, [
      create('figcaption', {}, [create('h3', { text: plan.title }), legend]),
      create('div', { class: 'frame' }, [this.place, this.empty]),
    ]);
    /** @type {import('uplot') | undefined} */
    this.plot = undefined;
  }

  /** @param {import('uplot').AlignedData} data redraws the chart in the current colors of the page */
  draw(data) {
    this.plot?.destroy();
    this.plot = new uPlot(this.options(), data, this.place);
    this.update(data);
  }

  /** @param {import('uplot').AlignedData} data */
  update(data) {
    this.plot?.setData(data);
    this.empty.hidden = data.slice(1).some((column) => Array.from(column).some((value) => value != null));
    this.showValues(this.plot?.cursor.idx ?? null);
  }

  fit() {
    this.plot?.setSize({ width: this.place.clientWidth, height: HEIGHT });
  }

  /** @param {number | null} index of the point whose values are shown in the legend; null: the latest */
  showValues(index) {
    const data = this.plot?.data;
    if (!data) return;
    this.plan.lines.forEach(({ write = this.plan.write }, line) => {
      const value = data[line + 1]?.[index ?? data[0].length - 1];
      const node = this.values[line];
      if (node) setText(node, write(value));
    });
  }

  /** @returns {import('uplot').Options} */
  options() {
    const { write, lines, least, most, isWhole } = this.plan;
    const axis = { stroke: color('--soft'), font: '12px system-ui, sans-serif', ticks: { show: false } };
    const grid = { stroke: color('--grid'), width: 1 };
    return {
      width: this.place.clientWidth,
      height: HEIGHT,
      padding: [10, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: { range: (plot) => spanOf(plot.data[0]) },
        y: {
          range: (_plot, _low, high) => [0, Math.min(most ?? Infinity, Math.max(least, (high ?? 0) * 1.15))],
        },
      },
      axes: [
        {
          ...axis,
          size: 30,
          grid: { show: false },
          space: 64,
          values: (_plot, splits) => splits.map((at) => timeOfDay(new Date(at * 1000))),
        },
        {
          ...axis,
          grid,
          size: 64,
          space: 34,
          ...(isWhole && { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10_000, 100_000] }),
          ...(write === bytes && {
            incrs: [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map((n) => n * MIB),
          }),
          values: (_plot, splits) => splits.map((value) => write(value)),
        },
      ],
      series: [
        {},
        ...lines.map(({ label }, index) => ({
          label,
          stroke: color(`--line-${index + 1}`),
          dash: dashes[index] ?? [],
          width: 2,
          ...(lines.length === 1 && { fill: color('--area') }),
          points: { show: true, size: 5, filter: isolated },
        })),
      ],
      hooks: {
        setCursor: [
          (plot) => {
            this.showValues(plot.cursor.idx ?? null);
          },
        ],
      },
    };
  }
}

/**
 * @param {ArrayLike<number>} moments @returns {[number, number]} the last 15 minutes up to the latest point,
 * in seconds
 */
function spanOf(moments) {
  const last = moments[moments.length - 1] ?? Date.now() / 1000;
  return [last - SPAN_SECONDS, last];
}

/** All charts, which share one time axis. */
export class Charts {
  constructor() {
    this.charts = plans.map((plan) => new Chart(plan));
    /** @type {ChartPoint[]} */
    this.points = [];
    byId('chart-grid').append(...this.charts.map(({ figure }) => figure));
    for (const chart of this.charts) chart.draw(this.dataOf(chart));
    new ResizeObserver(() => {
      for (const chart of this.charts) chart.fit();
    }).observe(byId('chart-grid'));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const chart of this.charts) chart.draw(this.dataOf(chart));
    });
  }

  /** @param {HistoryColumns} history replaces all points, because it may come from a different process */
  begin(history) {
    this.points = history.at.map((at, index) => {
      const values = plans
        .flatMap(({ lines }) => lines)
        .map(({ name }) => [name, history[name][index] ?? null]);
      return /** @type {ChartPoint} */ ({ at, ...Object.fromEntries(values) });
    });
    this.update();
  }

  /** @param {ChartPoint} point */
  add(point) {
    // If the clock was set back, some points are in the future.
    this.points = this.points.filter(({ at }) => at < point.at && at >= point.at - SPAN_SECONDS);
    this.points.push(point);
    this.update();
  }

  update() {
    for (const chart of this.charts) chart.update(this.dataOf(chart));
  }

  /** @param {Chart} chart @returns {import('uplot').AlignedData} */
  dataOf({ plan }) {
    return [
      this.points.map(({ at }) => at),
      ...plan.lines.map(({ name }) => this.points.map((point) => point[name])),
    ];
  }
}
