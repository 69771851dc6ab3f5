/**
 * Returns the delay that a `Retry-After` header requests, in milliseconds; undefined if the header is absent
 * or invalid.
 * @param now milliseconds since 1970, for a header that contains a date
 */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  // `Date.parse` alone would also read "-1" as a date.
  const askedMs = /^\d{1,9}$/.test(text)
    ? Number(text) * 1000
    : /^[A-Za-z]{3}/.test(text)
      ? Date.parse(text) - now
      : NaN;
  return Number.isNaN(askedMs) ? undefined : Math.max(0, askedMs);
}
