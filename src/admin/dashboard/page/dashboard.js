// The dashboard: follows the server's events and shows what they tell.
import { Charts } from './charts.js';
import { byId, create } from './dom.js';
import { showAlerts, showBanner, showFacts, showTables, showTiles, showTranscripts } from './sections.js';
import { follow } from './stream.js';

/** @typedef {import('./stream.js').Connection} Connection */

/** @type {Record<Connection, string>} */
const words = {
  live: '',
  silent: 'Connected, but no news come. What is shown is old.',
  lost: 'Connection lost, trying again. What is shown is old.',
  full: 'The service has no room for one more viewer now, or is about to stop. Trying again.',
  'signed-out': 'Your sign-in has ended. ',
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
