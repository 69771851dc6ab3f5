// Formats numbers and times for display. Unknown values are shown as a dash.

const NONE = '–';

/** @typedef {number | null | undefined} Maybe */

/** @param {Maybe} value @param {(value: number) => string} write */
const orNone = (value, write) => (value == null || !Number.isFinite(value) ? NONE : write(value));

/** @param {number} value written with up to three significant digits */
const digits = (value) =>
  value >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(3)));

/** @param {Maybe} value */
export const count = (value) => orNone(value, (n) => Math.round(n).toLocaleString('en'));

/** @param {Maybe} value */
export const number = (value) => orNone(value, digits);

/** @param {Maybe} value a ratio, 0 to 1 */
export const percent = (value) => orNone(value, (ratio) => `${digits(ratio * 100)} %`);

/** @param {Maybe} value per second */
export const rate = (value) => orNone(value, (n) => `${digits(n)}/s`);

/** @param {Maybe} value per minute */
export const perMinute = (value) => orNone(value, (n) => `${digits(n)}/min`);

/** @param {Maybe} value */
export const milliseconds = (value) =>
  orNone(value, (ms) =>
    ms < 1000 ? `${digits(ms)} ms` : ms < 120_000 ? `${digits(ms / 1000)} s` : duration(ms),
  );

/** @param {Maybe} value */
export const bytes = (value) =>
  orNone(value, (size) => {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    const power = size < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(size) / 10));
    return `${digits(size / 1024 ** power)} ${units[power]}`;
  });

/** @param {Maybe} value in milliseconds; written in its two largest units: "2 h 5 min" */
export const duration = (value) =>
  orNone(value, (ms) => {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    /** @type {[number, string][]} */
    const parts = [
      [Math.floor(seconds / 86_400), 'd'],
      [Math.floor(seconds / 3600) % 24, 'h'],
      [Math.floor(seconds / 60) % 60, 'min'],
      [seconds % 60, 's'],
    ];
    const first = parts.findIndex(([amount]) => amount > 0);
    if (first === -1) return '0 s';
    return parts
      .slice(first, first + 2)
      .filter(([amount]) => amount > 0)
      .map(([amount, unit]) => `${amount}\u00a0${unit}`)
      .join(' ');
  });

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const exactClock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** @param {Date} at */
export const timeOfDay = (at) => clock.format(at);

/** @param {string} iso written with the day, unless it is today */
export function time(iso) {
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? exactClock.format(at) : `${day.format(at)}, ${exactClock.format(at)}`;
}
