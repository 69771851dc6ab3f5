import type { BatchSource } from './host.js';

/** A cursor source for documents in memory. */
export function arraySource(docs: readonly Uint8Array[]): BatchSource {
  let at = 0;
  return {
    next(maxDocs, maxBytes = Number.MAX_SAFE_INTEGER) {
      const batch: Uint8Array[] = [];
      for (let bytes = 0; at < docs.length && batch.length < maxDocs; at++) {
        const doc = docs[at]!;
        bytes += doc.length;
        if (bytes > maxBytes && batch.length > 0) break;
        batch.push(doc);
      }
      return Promise.resolve({ docs: batch, done: at >= docs.length });
    },
    close() {
      at = docs.length;
    },
  };
}
