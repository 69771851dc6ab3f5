// Names for the data that the server sends, with the server's types.

/** @typedef {import('../service-snapshot.js').ServiceSnapshot} Snapshot */
/** @typedef {import('../../../monitoring/alerts/alert.js').Alert} Alert */
/** @typedef {import('../chart-point.js').ChartPoint} ChartPoint */
/** @typedef {import('../chart-point.js').Charted} Charted */
/** @typedef {import('../chart-history.js').HistoryColumns} HistoryColumns */
/** @typedef {import('../dashboard-sampler.js').DashboardSample} DashboardSample */

export {};
