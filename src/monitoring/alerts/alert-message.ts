import type { AlertUnit, Measurement } from './alert.js';

const bytes = (value: number): string =>
  value >= 1024 ** 3 ? `${(value / 1024 ** 3).toFixed(1)} GiB` : `${(value / 1024 ** 2).toFixed(1)} MiB`;

const duration = (value: number): string =>
  value >= 10_000 ? `${Math.round(value / 1000)} s` : `${Math.round(value)} ms`;

/** Formats a value with its unit, for display. */
export function formatValue(value: number, unit: AlertUnit): string {
  switch (unit) {
    case 'ms':
      return duration(value);
    case 'ratio':
      return `${(value * 100).toFixed(1)} %`;
    case 'count':
      return String(value);
    case 'bytes':
      return bytes(value);
    case 'state':
      return value >= 2 ? 'down' : value >= 1 ? 'degraded' : 'up';
  }
}

/** Builds one sentence with the title, the value and the limit that it exceeds. */
export function alertMessage({ title, unit, worse }: Measurement, value: number, limit: number): string {
  if (unit === 'state') return `${title} is ${formatValue(value, unit)}.`;
  const relation = worse === 'higher' ? 'above' : 'below';
  return `${title} is ${formatValue(value, unit)}, ${relation} ${formatValue(limit, unit)}.`;
}
