import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface PageAsset {
  content: Buffer;
  type: string;
  etag: string;
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

const folder = fileURLToPath(new URL('./page/', import.meta.url));
const chartLibrary = ['uplot/dist/uPlot.iife.min.js', 'uplot/dist/uPlot.min.css'];

function read(path: string): PageAsset {
  const content = readFileSync(path);
  const digest = createHash('sha256').update(content).digest('base64url').slice(0, 22);
  return { content, type: types[extname(path)] ?? 'application/octet-stream', etag: `"${digest}"` };
}

/**
 * Loads the scripts and styles of the page by name: our own, and those of the chart library. Nothing else is
 * served.
 */
export function loadPageAssets(): ReadonlyMap<string, PageAsset> {
  const { resolve } = createRequire(import.meta.url);
  const own = readdirSync(folder).filter((name) => extname(name) in types);
  return new Map([
    ...own.map((name) => [name, read(join(folder, name))] as const),
    ...chartLibrary.map((path) => [path.slice(path.lastIndexOf('/') + 1), read(resolve(path))] as const),
  ]);
}
