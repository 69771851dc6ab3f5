// The dashboard: receives the server's events and displays them.
import { Charts } from './charts.js';
import { byId, create } from './dom.js';
import { showAlerts, showBanner, showFacts, showTables, showTiles, showTranscripts } from './sections.js';
import { follow } from './stream.js';

/** @typedef {import('./stream.js').Connection} Connection */

/** @type {Record<Connection, string>} */
const words = {
  live: '',
  silent: 'Connected, but no updates are arriving. The data shown is outdated.',
  lost: 'Connection lost; retrying. The data shown is outdated.',
  full: 'The service accepts no more viewers at the moment, or is shutting down. Retrying.',
  'signed-out': 'Your session has expired. ',
};

/** @param {Connection} state */
function showConnection(state) {
  const notice = byId('connection');
  if (notice.dataset['state'] === state) return;
  notice.dataset['state'] = state;
  notice.replaceChildren(words[state]);
  if (state === 'signed-out') notice.append(create('a', { href: '/admin/dashboard', text: 'Sign in again' }));
  notice.hidden = state === 'live';
  document.body.classList.toggle('stale', state !== 'live');
}

const charts = new Charts();

follow({
  onHistory: (history) => charts.begin(history),
  onConnection: showConnection,
  onSample(sample) {
    charts.add(sample.point);
    showBanner(sample);
    showAlerts(sample.snapshot.alerts);
    showTiles(sample);
    showTables(sample.snapshot);
    showFacts(sample.snapshot);
    showTranscripts(sample);
  },
});
