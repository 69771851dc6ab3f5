import { DASHBOARD, LOGOUT, QUEUES } from '../session/admin-paths.js';

const asset = (name: string): string => `${DASHBOARD}/assets/${name}`;

const section = (
  id: string,
  title: string,
  content: string,
): string => `<section aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
${content}
</section>`;

const table = (id: string, caption: string): string =>
  `<table id="${id}" role="table"><caption>${caption}</caption><thead role="rowgroup"></thead><tbody role="rowgroup"></tbody></table>`;

const facts = (id: string, title: string): string =>
  `<section aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2><dl id="${id}"></dl></section>`;

/** Renders the page without data: headings, and elements with the ids that its script uses to fill them. */
export const dashboardPage = (): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Dashboard · Colloquy</title>
<link rel="stylesheet" href="${asset('uPlot.min.css')}">
<link rel="stylesheet" href="${asset('dashboard.css')}">
<script src="${asset('uPlot.iife.min.js')}" defer></script>
<script type="module" src="${asset('dashboard.js')}"></script>
</head>
<body>
<header>
<p class="brand">Colloquy</p>
<nav aria-label="Admin pages">
<a href="${DASHBOARD}" aria-current="page">Dashboard</a>
<a href="${QUEUES}">Queues</a>
<a href="${LOGOUT}">Sign out</a>
</nav>
</header>
<main>
<h1 class="unseen">Dashboard</h1>
<noscript><p class="notice">This page requires JavaScript. Without it, see <a href="/metrics">the metrics</a>.</p></noscript>
<p id="connection" class="notice" role="status" hidden></p>
<div id="banner" class="banner" data-status="unknown">
<p class="status" role="status"><strong id="status">Connecting …</strong> <span id="since"></span></p>
<p id="service" class="soft"></p>
</div>
${section('alerts', 'Alerts', '<div id="active-alerts" aria-live="polite"></div>\n<details id="ended"><summary id="ended-summary">Ended alerts</summary><ul id="ended-alerts"></ul></details>')}
<section aria-labelledby="now-title">
<h2 id="now-title" class="unseen">Now</h2>
<dl id="tiles" class="tiles"></dl>
</section>
${section('charts', 'Last 15 minutes', '<div id="chart-grid" class="charts"></div>')}
${section('requests', 'Requests', table('routes', 'Slowest routes of the last five minutes, by p95'))}
${section('slowest', 'Slow operations', table('slow', 'Requests by route and database commands by shape that exceeded their limits'))}
${section('queue', 'Queues', table('queues', 'Jobs of all processes'))}
<div class="columns">
${facts('sessions', 'Sessions')}
${facts('cache', 'Cache')}
${facts('transcripts', 'Transcripts')}
${facts('database', 'Database')}
${facts('process', 'Process')}
${facts('health', 'Health checks')}
</div>
</main>
</body>
</html>
`;
